"""Writes the models of `fasttext/` and `original/`, and what fastText itself answers with them: see `README.md`.

    PYTHONPATH=.:FOLDER python -m tests.algorithms.blazingtext.write_by_fasttext

where FOLDER has the package fasttext, 0.9.3, which the tests themselves do without.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SUBJECTS = {
    "sport": ["Tor", "Ball", "läuft", "goal", "team", "match"],
    "news": ["Wahl", "election", "日本", "says", "vote", "party"],
    "food": ["Käse", "bread", "soup", "kitchen", "salt", "😀"],
}
ASKED = [
    "Tor Ball läuft the",
    "日本 vote says never seen",
    "bread",
    "goal goal election",
    "unbekannt",
    "",
    "__label__x",
]
WORDS = ["Tor", "日本", "vote", "läu", "voters", "unbekannt", "</s>"]
# Each of fastText's threads fills one tenth of the input table with random numbers, and the rest is left as it comes.
THREADS = 11
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "softmax": {"loss": "softmax"},
    "hierarchical": {"loss": "hs"},
    "negatives": {"loss": "ns"},
    "one_vs_all": {"loss": "ova"},
    "spelled": {"loss": "softmax", "minn": 2, "maxn": 4},
}
VECTORS: dict[str, dict[str, Any]] = {
    "skipgram": {"model": "skipgram", "minn": 2, "maxn": 4},
    "cbow": {"model": "cbow", "maxn": 0},
}


def lines() -> list[str]:
    """Of three subjects, some of two; every seventh word is of all."""
    random, texts = np.random.default_rng(5), []
    for number in range(200):
        names = random.choice(list(SUBJECTS), 1 + number % 5 // 4, replace=False).tolist()
        words = [*random.choice([word for name in names for word in SUBJECTS[name]], 6).tolist(), "the"]
        texts.append(" ".join([*("__label__" + name for name in names), *words]))
    return texts


def main() -> None:
    """All files anew."""
    import fasttext

    answers: dict[str, Any] = {"asked": ASKED, "words": WORDS, "classifiers": {}, "vectors": {}}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        text.write_text("\n".join(lines()) + "\n")
        same = {"dim": 8, "epoch": 10, "bucket": 40, "thread": THREADS, "verbose": 0, "minCount": 2}
        for name, own in CLASSIFIERS.items():
            model = fasttext.train_supervised(str(text), lr=0.1, wordNgrams=2, **same, **own)
            target = HERE / "original/model.bin" if name == "softmax" else HERE / f"fasttext/{name}.bin"
            answers["classifiers"][name] = _written(model, target)
        model = fasttext.train_supervised(str(text), lr=0.1, wordNgrams=2, **{**same, "bucket": 300})
        model.quantize(str(text), qnorm=True, dsub=2)
        answers["classifiers"]["quantized"] = _written(model, HERE / "fasttext/quantized.bin")
        for name, own in VECTORS.items():
            model = fasttext.train_unsupervised(str(text), **same, **own)
            model.save_model(str(HERE / f"fasttext/{name}.bin"))
            answers["vectors"][name] = [_rounded(model.get_word_vector(word)) for word in WORDS]
    (HERE / "fasttext/answers.json").write_text(json.dumps(answers, ensure_ascii=False, indent=0) + "\n")


def _written(model: Any, path: Path) -> list[dict[str, Any]]:
    """Its answers, by the function below the package's own, which NumPy 2 breaks."""
    model.save_model(str(path))
    pairs = [model.f.predict(text + "\n", 3, 0.0, "strict") for text in ASKED]
    return [{"label": [label for _, label in each], "prob": _rounded([prob for prob, _ in each])} for each in pairs]


def _rounded(numbers: Any) -> list[float]:
    return [round(float(number), 7) for number in numbers]


if __name__ == "__main__":
    main()
