"""The smallest job: lines of two subjects, of which each has words of its own, and now and then both."""

from __future__ import annotations

import numpy as np

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines

HYPERPARAMETERS: dict[str, object] = {
    "mode": "supervised",
    "deterministic": True,
    "epochs": 2,
    "learning_rate": 0.5,
    "min_count": 2,
    "vector_dim": 10,
    "buckets": 100,
}
CHOICES: list[dict[str, object]] = [{"k": 2}]
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 3000}, {"epochs": 300})]
_WORDS = {
    "sport": ["Tor", "Ball", "läuft", "goal", "team", "match"],
    "news": ["Wahl", "election", "日本", "says", "vote", "party"],
}
_PAIRS = (
    b"Word 1\tWord 2\tHuman (mean)\nTor\tBall\t8.5\nTor\tWahl\t1.0\nsays\tvote\t7\nvote\tgoal\t2.5\nteam\tnothing\t5\n"
)


def channels() -> dict[str, Lines]:
    """A training and a validation channel."""
    return {"train": _lines(40, 0), "validation": _lines(8, 1)}


def files() -> dict[str, dict[str, bytes]]:
    """Word pairs, which only vectors are evaluated with."""
    return {"evaluation": {"PAIRS-ALL.txt": _PAIRS}}


def requests() -> Lines:
    """Texts without labels."""
    return Lines(text=_lines(9, 2).text)


def others() -> list[tuple[dict[str, object], dict[str, Lines]]]:
    """The other modes, and threads that change the same tables."""
    rows = channels()
    text = {"train": rows["train"]}
    vectors = {"epochs": 2, "min_count": 2, "vector_dim": 10, "buckets": 50}
    free = {**HYPERPARAMETERS, "deterministic": False, "early_stopping": True, "min_epochs": 1, "patience": 1}
    return [
        (free, rows),
        ({"mode": "batch_skipgram", **vectors}, text),
        ({"mode": "skipgram", "subwords": True, **vectors}, text),
        ({"mode": "cbow", **vectors}, text),
    ]


def _lines(count: int, seed: int) -> Lines:
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(count):
        own = ["sport", "news"] if number % 7 == 6 else [list(_WORDS)[number % 2]]
        words = [word for name in own for word in random.choice(_WORDS[name], 4).tolist()]
        texts.append(" ".join([*words, "the", f"once{seed}{number}"]))
        labels.append(" ".join(own))
    return Lines(text=Ragged.texts(texts), label=Ragged.texts(labels))
