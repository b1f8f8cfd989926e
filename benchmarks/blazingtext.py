"""BlazingText beside fastText, built for this machine, and gensim: from a file of text to vectors and to classifiers.

All read the same file, with the same dimension, window, negative samples, passes, threshold of sampling and threads,
and their time is that of the whole: vocabulary, passes and, of ours, the model. Quality of vectors is Spearman's
correlation on WordSimilarity-353, over the pairs that a corpus has; that of classes the accuracy on every fifth text,
which is left out. Each of fastText's threads fills one tenth of its input table with random numbers, and the rest is
memory as it comes, which ends in NaN: it has eleven threads on the same cores.

`python -m benchmarks.blazingtext --picture` draws the curves of the algorithm's page: quality against seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.shared import machine
from benchmarks import blazingtext_texts as texts
from benchmarks.measure import US, Case, Row, main, race

EPOCHS = 5
FILLING = 11  # threads of fastText with which all of its input table is filled
DIM, WINDOW, NEGATIVES, LEAST, THRESHOLD, RATE = 100, 5, 5, 5, 1e-4, 0.05
PICTURE = Path(__file__).parents[1] / "algorithms/blazingtext/quality.png"
CURVES = (1, 2, 4, 8, 16)  # passes of a curve's points
Vectors = dict[str, Any]


def ours(path: Path, **given: object) -> Any:
    """The model of the whole job on a file."""
    from algoport.algorithms.blazingtext.hyperparameters import Hyperparameters
    from algoport.algorithms.blazingtext.train import fit
    from algoport.algorithms.contract import Job, Memory
    from algoport.training import formats
    from algoport.training.formats.layout import Layout

    with open(path, "rb") as stream:
        first, *rest = formats.find("text/plain", "lines").read(stream, Layout(path.name))
    rows = first.followed(rest)
    return fit(Job(hyperparameters=Hyperparameters.read(given), channels={"train": Memory(rows)}))


def our_vectors(path: Path, epochs: int = EPOCHS, mode: str = "batch_skipgram") -> Vectors:
    """Ours, by word."""
    given = {"vector_dim": DIM, "window_size": WINDOW, "negative_samples": NEGATIVES, "min_count": LEAST}
    model = ours(path, mode=mode, epochs=epochs, learning_rate=RATE, sampling_threshold=THRESHOLD, **given)
    words = model.content.words.strings()
    return dict(zip(words, np.concatenate(list(model.all_vectors())), strict=True))


def fasttext_vectors(path: Path, epochs: int = EPOCHS, mode: str = "skipgram") -> Vectors:
    """fastText's, by word, without subwords."""
    import fasttext

    model = fasttext.train_unsupervised(
        str(path), model=mode, dim=DIM, ws=WINDOW, neg=NEGATIVES, minCount=LEAST, t=THRESHOLD, lr=RATE, epoch=epochs,
        maxn=0, thread=max(FILLING, machine.cores()), verbose=0,
    )  # fmt: skip
    return dict(zip(model.get_words(), model.get_input_matrix(), strict=True))


def gensim_vectors(path: Path, epochs: int = EPOCHS, mode: str = "skipgram") -> Vectors:
    """gensim's, by word, from the file itself, which is its fastest way."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        corpus_file=str(path), sg=int(mode == "skipgram"), vector_size=DIM, window=WINDOW, negative=NEGATIVES,
        min_count=LEAST, sample=THRESHOLD, alpha=RATE, min_alpha=0.0, epochs=epochs, workers=machine.cores(),
    )  # fmt: skip
    return dict(zip(model.wv.index_to_key, model.wv.vectors, strict=True))


def agreement(vectors: Vectors) -> tuple[float, int]:
    """Spearman's correlation of cosine similarity with what people say, and how many of the pairs are known."""
    from scipy.stats import spearmanr

    known = [
        (vectors[one], vectors[other], score) for one, other, score in texts.pairs() if {one, other} <= set(vectors)
    ]
    cosines = [one @ other / np.linalg.norm(one) / np.linalg.norm(other) for one, other, _ in known]
    return float(spearmanr(cosines, [score for *_, score in known]).statistic), len(known)


PEERS: dict[str, Callable[..., Vectors]] = {"fasttext": fasttext_vectors, "gensim": gensim_vectors}


def vector_race(corpus: str, mode: str, peer_mode: str, goals: dict[str, float | None], laps: int) -> list[Row]:
    """Time to vectors, and what they know of likeness: the mean of all laps, since threads that write into one table
    make each lap another result."""
    path, words = texts.sentences(corpus)
    scores: dict[str, list[tuple[float, int]]] = {who: [] for who in (US, *goals)}
    competitors: dict[str, Callable[[], None]] = {US: _scored(scores[US], our_vectors, path, mode)}
    competitors |= {peer: _scored(scores[peer], PEERS[peer], path, peer_mode) for peer in goals}
    our_vectors(
        path, epochs=1, mode=mode
    )  # compiles; a warm round of the peers would take longer than all laps of ours
    done = race(competitors, laps=laps, warm=0)
    means = {who: float(np.mean([score for score, _ in own])) for who, own in scores.items()}
    count, mine = scores[US][0][1], means[US]
    ranges = ", ".join(f"{who} {min(own)[0]:.3f} to {max(own)[0]:.3f}" for who, own in scores.items() if laps > 1)
    rate = EPOCHS * words / done[US].median / 1e6
    rows = []
    for peer, goal in goals.items():
        theirs = means[peer]
        rows.append(
            Row(
                case=f"{corpus}, {words / 1e6:.1f} M words, {mode} against {peer_mode}",
                peer=peer,
                ours=done[US],
                peers=done[peer],
                goal=goal,
                metric=f"Spearman's correlation on {count} pairs of WS-353",
                better="higher",
                quality=mine,
                peer_quality=theirs,
                quality_goal=None if goal is None else 1 - 0.01 / abs(theirs),
                note=f"{rate:.2f} million words a second." + (f" Correlations: {ranges}." if ranges else ""),
            )
        )
    return rows


def _scored(
    scores: list[tuple[float, int]], vectors: Callable[..., Vectors], path: Path, mode: str
) -> Callable[[], None]:
    """What is timed; the correlation takes milliseconds of it."""

    def run() -> None:
        scores.append(agreement(vectors(path, mode=mode)))

    return run


def accuracy(model: Any, path: Path) -> float:
    """The share of a file's lines whose best label is theirs."""
    lines = path.read_text().splitlines()
    labels, bare = zip(*(line.split(" ", 1) for line in lines), strict=True)
    from algoport.algorithms.contract.ragged import Ragged
    from algoport.algorithms.contract.records.lines import Lines

    best = [each[0] for each in model.predict(Lines(text=Ragged.texts(bare)))["label"]]
    return float(np.mean([one == other for one, other in zip(best, labels, strict=True)]))


def label_race(name: str, files: Callable[[], tuple[Path, Path]], epochs: int, laps: int = 3) -> list[Row]:
    """Time to a classifier by words and pairs of words, and its accuracy on texts that were left out."""
    import fasttext

    learned, asked = files()
    settings: dict[str, object] = {"word_ngrams": 2, "vector_dim": DIM, "min_count": 1, "learning_rate": 0.5}

    def theirs() -> Any:
        return fasttext.train_supervised(
            str(learned),
            wordNgrams=2,
            dim=DIM,
            minCount=1,
            lr=0.5,
            epoch=epochs,
            thread=max(FILLING, machine.cores()),
            verbose=0,
        )

    done = race(
        {US: lambda: ours(learned, mode="supervised", epochs=epochs, **settings), "fasttext": theirs}, laps=laps
    )
    return [
        Row(
            case=f"{name}, classes by words and pairs, {epochs} epochs",
            peer="fasttext",
            ours=done[US],
            peers=done["fasttext"],
            goal=2.0,
            metric="accuracy on every fifth text, left out",
            better="higher",
            quality=accuracy(done[US].result, asked),
            peer_quality=done["fasttext"].result.test(str(asked))[1],
            quality_goal=0.995,
        )
    ]


def picture() -> None:
    """Quality against seconds, of one to sixteen passes over the Brown corpus."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    path, _ = texts.sentences("brown")
    our_vectors(path, epochs=1)
    figure, axes = plt.subplots(figsize=(7, 4))
    for name, vectors in {US: our_vectors, **PEERS}.items():
        points = []
        for epochs in CURVES:
            start = time.perf_counter()
            result = vectors(path, epochs=epochs)
            points.append((time.perf_counter() - start, agreement(result)[0]))
        axes.plot(*zip(*points, strict=True), "o-", label=name)
    axes.set(xlabel="seconds", ylabel="Spearman's correlation on WS-353", xscale="log")
    axes.set_title(f"Brown corpus, {', '.join(map(str, CURVES))} passes, {machine.cores()} threads")
    axes.legend()
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


SKIP: dict[str, float | None] = {"fasttext": 4.0, "gensim": 3.0}
ONE: dict[str, float | None] = {"fasttext": 4.0}
SAME: dict[str, float | None] = dict.fromkeys(SKIP)
CASES = (
    Case("brown, batch_skipgram", lambda: vector_race("brown", "batch_skipgram", "skipgram", SKIP, 3)),
    Case("debian, batch_skipgram", lambda: vector_race("debian", "batch_skipgram", "skipgram", ONE, 1)),
    # Each lap of fastText takes a minute and more; gensim's likeness is the best, so that it has more of them.
    Case("debian, likeness", lambda: vector_race("debian", "batch_skipgram", "skipgram", {"gensim": 3.0}, 2)),
    Case("news, supervised", lambda: label_race("BBC news", texts.news, 25)),
    Case("descriptions, supervised", lambda: label_race("Debian descriptions", texts.descriptions, 5)),
    Case(
        "manuals, batch_skipgram", lambda: vector_race("manuals", "batch_skipgram", "skipgram", SKIP, 1), promised=False
    ),
    Case("brown, skipgram", lambda: vector_race("brown", "skipgram", "skipgram", SAME, 1), promised=False),
    Case("brown, cbow", lambda: vector_race("brown", "cbow", "cbow", SAME, 1), promised=False),
)

if __name__ == "__main__":
    if "--picture" in sys.argv:
        picture()
    else:
        raise SystemExit(main("blazingtext", CASES))
