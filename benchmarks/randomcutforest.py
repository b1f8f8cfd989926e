"""Random cut forest beside scikit-learn's and pyod's isolation forests and rrcf: scoring, training, anomalies found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import data, peers
from benchmarks.measure import US, Case, Laps, Row, main, race

TREES, SAMPLES, THREADS = 100, 256, 2
SEEDS = range(5)


def mails() -> Any:
    """Mails, with as many spams as make a tenth of the others."""
    return _tenth(*data.spambase())


def showers() -> Any:
    """Showers in an air telescope, with as many hadrons as make a tenth of the gamma rays."""
    rows, gamma = data.magic()
    return _tenth(rows, 1 - gamma)


def wide(n: int = 100_000, d: int = 50) -> Any:
    """One heap in fifty features: a row lies outside of nearly every box."""
    import numpy as np

    return np.random.default_rng(0).standard_normal(size=(n, d), dtype=np.float32), None


def many() -> Any:
    """The shuttle's readings, twenty times over."""
    import numpy as np

    rows, labels = data.shuttle()
    return np.tile(rows, (20, 1)), np.tile(labels, 20)


def _tenth(rows: Any, anomalous: Any) -> Any:
    import numpy as np

    random = np.random.default_rng(0)
    usual, others = np.flatnonzero(anomalous == 0), np.flatnonzero(anomalous == 1)
    order = random.permutation(np.concatenate([usual, random.choice(others, len(usual) // 10, replace=False)]))
    return rows[order], anomalous[order]


def train(rows: Any, seed: int = 0, trees: int = TREES, samples: int = SAMPLES) -> Any:
    """The model of a whole job."""
    from algoport import algorithms
    from algoport.algorithms.contract import Job, Memory

    read = algorithms.part("randomcutforest", "hyperparameters").Hyperparameters.read
    given = {"feature_dim": rows.shape[1], "num_trees": trees, "num_samples_per_tree": samples}
    job: Any = Job(hyperparameters=read(given), channels={"train": Memory(rows)}, seed=seed)
    return algorithms.part("randomcutforest", "train").fit(job)


def isolation(rows: Any, seed: int = 0, samples: int = SAMPLES) -> Any:
    """scikit-learn's forest, grown."""
    from sklearn.ensemble import IsolationForest

    size = min(samples, len(rows))
    return IsolationForest(n_estimators=TREES, max_samples=size, random_state=seed, n_jobs=THREADS).fit(rows)


def scoring_race(name: str, load: Callable[[], Any], goal: float | None) -> list[Row]:
    """The same rows, trees and points a tree; only scoring is timed. AUC where there are labels.

    The peers may use two threads as well; a context that asks them to changed nothing, nor did a thread for each half.
    """
    from pyod.models.iforest import IForest

    rows, labels = load()
    ours, theirs = train(rows), isolation(rows)
    other = IForest(n_estimators=TREES, max_samples=min(SAMPLES, len(rows)), random_state=0, n_jobs=THREADS).fit(rows)

    laps = race(
        {
            US: lambda: ours.scores(rows),
            "scikit-learn": lambda: -theirs.score_samples(rows),
            "pyod": lambda: other.decision_function(rows),
        }
    )
    note = _work(ours, rows, min(laps[US].seconds))
    return [
        Row(
            case=f"scoring, {name}", peer=peer, ours=laps[US], peers=laps[peer], goal=goal, metric="AUC",
            better="higher",
            quality=_auc(labels, laps[US].result), peer_quality=_auc(labels, laps[peer].result), note=note,
        )
        for peer in ("scikit-learn", "pyod")
    ]  # fmt: skip


def _auc(labels: Any, scores: Any) -> float | None:
    if labels is None:
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def _work(model: Any, rows: Any, seconds: float, some: int = 100) -> str:
    """How many cuts and boxes a row meets in a tree, and what share of the processor's peak that is."""
    import numpy as np

    from benchmarks.peak import peak

    forest, cuts, boxes = model.forest, 0, 0
    asked = rows[np.random.default_rng(0).permutation(len(rows))[:some]]
    for row in asked:
        for root in forest.roots[::10]:
            path = [root]
            while forest.feature[path[-1]] >= 0:
                path.append(forest.child[path[-1]] + (row[forest.feature[path[-1]]] > forest.cut[path[-1]]))
            cuts += len(path) - 1
            for node in reversed(path):
                points = forest.points[forest.first[node] : forest.first[node] + forest.mass[node]]
                boxes += 1
                if (row <= points.max(axis=0)).all() and (row >= points.min(axis=0)).all():
                    break
    visits = len(asked) * len(forest.roots[::10])
    met, walks = boxes / visits, len(rows) * len(forest.roots)
    # The peak counts two operations for each multiply-add; here are only single ones, five a feature.
    share = walks * met * 5 * rows.shape[1] / seconds / (peak() / 2)
    return (
        f"A row meets {cuts / visits:.1f} cuts and {met:.1f} boxes in a tree, in {seconds / walks * 1e9:.1f} ns; an "
        f"isolation forest's depth ends at 8. Boxes alone are {share:.0%} of the float32 instructions the processor "
        f"could do."
    )


def robust_race(n: int = 300, trees: int = 50, samples: int = 256) -> list[Row]:
    """rrcf grows its trees and scores each row by inserting it, asking its displacement, and forgetting it again."""
    import numpy as np

    rrcf = peers.robust_trees()
    rows, labels = data.shuttle()
    asked, answers = rows[-n:], labels[-n:]

    def ours() -> Any:
        return train(rows[: trees * samples], 0, trees, samples).scores(asked)

    def theirs() -> Any:
        displaced = np.zeros(n)
        for number in range(trees):
            part = rows[number * samples : (number + 1) * samples].astype(np.float64)
            tree = rrcf.RCTree(part, random_state=number)
            for i, row in enumerate(asked.astype(np.float64)):
                tree.insert_point(row, index="new")
                displaced[i] += tree.codisp("new")
                tree.forget_point("new")
        return displaced

    laps = race({US: ours, "rrcf": theirs}, laps=3)
    return [
        Row(
            case=f"growing {trees} trees of {samples} and scoring {n} rows of the shuttle", peer="rrcf", ours=laps[US],
            peers=laps["rrcf"], goal=100.0, metric="AUC", better="higher", quality=_auc(answers, laps[US].result),
            peer_quality=_auc(answers, laps["rrcf"].result),
        )
    ]  # fmt: skip


def training_race(n: int = 1_000_000, d: int = 50) -> list[Row]:
    """The whole job from rows in memory, beside one copy of these, and beside a peer that knows all rows at once."""
    import numpy as np

    rows = np.random.default_rng(0).standard_normal(size=(n, d), dtype=np.float32)
    room = np.empty_like(rows)
    laps = race(
        {US: lambda: train(rows), "scikit-learn": lambda: isolation(rows), "copy": lambda: np.copyto(room, rows)}
    )
    note = f"{n / laps[US].median / 1e6:.1f} million rows a second, in batches of 1,000."
    return [
        Row(case=f"training, {n:,} rows of {d}", peer=peer, ours=laps[US], peers=laps[peer], note=note)
        for peer in ("scikit-learn", "copy")
    ]


def quality_race(name: str, load: Callable[[], Any], samples: Sequence[int] = (SAMPLES,)) -> list[Row]:
    """The mean AUC of five seeds; grown and scored each."""
    import numpy as np

    rows, labels = load()
    results = []
    for size in samples:
        seeds = {US: iter(SEEDS), "scikit-learn": iter(SEEDS)}
        scores: dict[str, list[Any]] = {US: [], "scikit-learn": []}

        def ours(size: int = size, seeds: Any = seeds, scores: Any = scores) -> None:
            scores[US].append(train(rows, next(seeds[US]), samples=size).scores(rows))

        def theirs(size: int = size, seeds: Any = seeds, scores: Any = scores) -> None:
            scores["scikit-learn"].append(-isolation(rows, next(seeds["scikit-learn"]), size).score_samples(rows))

        laps: dict[str, Laps] = race({US: ours, "scikit-learn": theirs}, laps=len(SEEDS), warm=0)
        note = f"{len(rows):,} rows of {rows.shape[1]}, {labels.mean():.1%} anomalies."
        mean = {who: float(np.mean([_auc(labels, each) for each in many])) for who, many in scores.items()}
        results.append(
            Row(
                case=f"anomalies, {name}, {size} points a tree", peer="scikit-learn", ours=laps[US],
                peers=laps["scikit-learn"], metric="AUC, mean of five seeds", better="higher", quality=mean[US],
                peer_quality=mean["scikit-learn"], note=note,
            )
        )  # fmt: skip
    return results


SCORING: list[tuple[str, Callable[[], Any], float | None]] = [
    ("shuttle, 49,097 rows of 9", data.shuttle, 2.0),
    ("shuttle, 981,940 rows of 9", many, 2.0),
    ("spam, 3,063 rows of 57", mails, None),
    ("normal, 100,000 rows of 50", wide, None),
]
SETS: list[tuple[str, Callable[[], Any], Sequence[int]]] = [
    ("shuttle", data.shuttle, (32, 256)),
    ("wisconsin", data.wisconsin, (256,)),
    ("passwords", data.passwords, (256,)),
    ("spam", mails, (256,)),
    ("showers", showers, (256,)),
]
CASES = [
    *(Case(f"scoring, {name}", partial(scoring_race, name, load, goal)) for name, load, goal in SCORING),
    Case("rrcf", robust_race),
    Case("training", training_race),
    *(Case(f"anomalies, {name}", partial(quality_race, name, load, sizes)) for name, load, sizes in SETS),
]

if __name__ == "__main__":
    compiled.prepare()
    sys.exit(main("randomcutforest", CASES))
