"""K-means beside scikit-learn and faiss: Lloyd's method, and the whole streaming job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import data
from benchmarks.measure import US, Case, Laps, Row, main, race

PASSES = 10
SEEDS = range(5)
TUNED = {"OPENBLAS_CORETYPE": "SkylakeX"}  # the setting that lets OpenBLAS use 512-bit vectors where it does not


def distinct_heaps(n: int = 1_000_000, d: int = 50, k: int = 100) -> Any:
    """Heaps that hardly touch: middles twice as far spread as the rows around them."""
    import numpy as np

    random = np.random.default_rng(0)
    middles = 2 * random.normal(size=(k, d))
    return (middles[random.integers(0, k, n)] + random.normal(size=(n, d))).astype(np.float32)


def overlapping(n: int = 1_000_000, d: int = 50) -> Any:
    """One heap."""
    import numpy as np

    return np.random.default_rng(0).standard_normal(size=(n, d), dtype=np.float32)


def clothes() -> Any:
    """Fashion-MNIST, all 70,000."""
    return data.whole_fashion()[0]


LLOYD: dict[str, tuple[Callable[[], Any], int]] = {
    "1,000,000 rows of 50, k = 100, separated": (distinct_heaps, 100),
    "1,000,000 rows of 50, k = 100, overlapping": (overlapping, 100),
    "Fashion-MNIST, 70,000 rows of 784, k = 10": (clothes, 10),
}


def lloyd_race(name: str, goals: dict[str, float]) -> list[Row]:
    """The same rows, start and number of iterations. scikit-learn passes once more over the rows, to label them."""
    from algoport.algorithms.shared.clustering.lloyd import lloyd
    from benchmarks.peak import peak

    load, k = LLOYD[name]
    rows = load()
    start = _start(rows, k)
    laps = race(
        {
            US: lambda: lloyd(rows, start, passes=PASSES, tol=0).centers,
            "scikit-learn": partial(_scikit_learn, rows, start),
            "faiss": partial(_faiss, rows, start),
        }
    )
    work = 2.0 * rows.size * k * PASSES
    share = work / min(laps[US].seconds) / peak()
    note = f"All {work / 1e9:.0f} Gflop of plain Lloyd in this time are {share:.0%} of the processor's float32 peak."
    return [
        _with_msd(Row(case=f"Lloyd, {name}", peer=peer, ours=laps[US], peers=laps[peer], goal=goal, note=note), rows)
        for peer, goal in goals.items()
    ]


def _with_msd(row: Row, rows: Any) -> Row:
    """With the mean squared distance to the nearest center, by the same function for both."""
    import dataclasses

    ours, peers = _msd(rows, row.ours.result), _msd(rows, row.peers.result)
    return dataclasses.replace(
        row, metric="msd", better="lower", quality=ours, peer_quality=peers, quality_goal=1.001 if row.goal else None
    )


def _msd(rows: Any, centers: Any) -> float:
    from algoport.algorithms.kmeans import kernels

    return float((kernels.nearest(rows, centers)[1].astype("float64") ** 2).mean())


def _start(rows: Any, k: int) -> Any:
    """k-means++ on 5,000 rows; no center goes empty from there, which each peer would treat in its own way."""
    import numpy as np

    from algoport.algorithms.kmeans import kernels

    random = np.random.default_rng(1)
    some = rows[random.choice(len(rows), 5000, replace=False)]
    return some[kernels.plus_plus(some, np.ones(len(some)), k, random.random(k))]


def _scikit_learn(rows: Any, start: Any) -> Any:
    from sklearn.cluster import KMeans

    return (
        KMeans(len(start), init=start, n_init=1, max_iter=PASSES, tol=0, algorithm="lloyd").fit(rows).cluster_centers_
    )


def _faiss(rows: Any, start: Any) -> Any:
    import faiss

    peer = faiss.Kmeans(rows.shape[1], len(start), niter=PASSES, seed=1, max_points_per_centroid=len(rows))
    peer.train(rows, init_centroids=start)
    return peer.centroids


def tuned_race(name: str) -> list[Row]:
    """scikit-learn with the best setting of its OpenBLAS, in a process of its own, as it is read at the start."""
    from algoport.algorithms.shared.clustering.lloyd import lloyd

    load, k = LLOYD[name]
    rows = load()  # before the other process, which could not say what is missing
    command = [sys.executable, "-m", "benchmarks.kmeans", "--lap", name]
    answer = subprocess.run(command, env=os.environ | TUNED, capture_output=True, text=True, check=True).stdout
    start = _start(rows, k)
    ours = race({US: lambda: lloyd(rows, start, passes=PASSES, tol=0).centers})[US]
    note = f"With {' '.join('='.join(pair) for pair in TUNED.items())}; one after the other and not in turns."
    row = Row(case=f"Lloyd, {name}, tuned", peer="scikit-learn", ours=ours, peers=Laps(json.loads(answer), None))
    return [Row(**{**row.__dict__, "note": note})]


def lap(name: str) -> None:
    """What `tuned_race` runs: scikit-learn's seconds, as JSON."""
    load, k = LLOYD[name]
    rows = load()
    start = _start(rows, k)
    print(json.dumps(race({"scikit-learn": partial(_scikit_learn, rows, start)})["scikit-learn"].seconds))


def one_pass(name: str) -> list[Row]:
    """A single assignment of all rows without bounds, against the time that the peak would take."""
    import numpy as np

    from algoport.algorithms.kmeans import kernels
    from benchmarks.peak import peak

    load, k = LLOYD[name]
    rows = load()
    start = _start(rows, k)
    sums, counts = np.zeros(start.shape), np.zeros(k)
    most = peak()
    laps = race(
        {
            US: lambda: kernels.accumulate(rows, start, sums, counts),
            "nearest": lambda: kernels.nearest(rows, start),
        }
    )
    ideal = Laps([2.0 * rows.size * k / most], None)
    return [
        Row(
            case=f"one {what}, {name}",
            peer="peak",
            ours=laps[of],
            peers=ideal,
            note=f"The peak: {most / 1e9:.0f} Gflop/s.",
        )
        for what, of in (("accumulate", US), ("nearest", "nearest"))
    ]


@cache
def digits() -> Any:
    """The handwritten digits, shuffled as a job's files should be."""
    import numpy as np

    rows = data.digits()[0]
    return rows[np.random.default_rng(0).permutation(len(rows))]


@cache
def letters() -> Any:
    """The letters, shuffled."""
    import numpy as np

    rows = data.letters()[0]
    return rows[np.random.default_rng(0).permutation(len(rows))]


# Rows, k, settings besides, and how many times the msd of ten full runs ours may be.
STREAMING: dict[str, tuple[Callable[[], Any], int, dict[str, object], float]] = {
    "Fashion-MNIST, k = 10": (clothes, 10, {}, 1.02),
    "letter, k = 26": (letters, 26, {}, 1.02),
    "digits, k = 20, batches of 500, 10 epochs": (digits, 20, {"mini_batch_size": 500, "epochs": 10}, 1.025),
}


def streaming_race(name: str) -> list[Row]:
    """The whole job from rows in memory, a seed a lap; MiniBatchKMeans visits as many rows in as large batches."""
    import numpy as np
    from sklearn.cluster import KMeans, MiniBatchKMeans

    load, k, settings, limit = STREAMING[name]
    rows = load()
    epochs, size = int(str(settings.get("epochs", 1))), int(str(settings.get("mini_batch_size", 5000)))
    seeds = {US: iter([0, *SEEDS]), "scikit-learn": iter([0, *SEEDS])}
    losses: dict[str, list[float]] = {US: [], "scikit-learn": []}

    def ours() -> Any:
        return fit(rows, k, settings, next(seeds[US]))

    def theirs() -> Any:
        # `max_iter` counts passes; nothing ends it early, and it does not label the rows at the end.
        peer = MiniBatchKMeans(
            k, batch_size=size, max_iter=epochs, n_init=1, tol=0, max_no_improvement=None, compute_labels=False,
            random_state=next(seeds["scikit-learn"]),
        )  # fmt: skip
        return peer.fit(rows).cluster_centers_

    def noted(who: str, run: Callable[[], Any]) -> Callable[[], Any]:
        def lap() -> Any:
            centers.setdefault(who, []).append(run())

        return lap

    centers: dict[str, list[Any]] = {}
    laps = race({US: noted(US, ours), "scikit-learn": noted("scikit-learn", theirs)}, laps=len(SEEDS))
    losses = {who: [_msd(rows, each) for each in many[1:]] for who, many in centers.items()}
    reference = race({"scikit-learn": lambda: KMeans(k, n_init=10, random_state=0).fit(rows)}, laps=1, warm=0)[
        "scikit-learn"
    ]
    best = float(reference.result.inertia_) / len(rows)
    worst = f"msd of the seeds {min(losses[US]):.6g} to {max(losses[US]):.6g}."
    return [
        Row(
            case=f"streaming job, {name}", peer="scikit-learn", ours=laps[US], peers=laps["scikit-learn"], goal=1.0,
            metric="msd, mean of five seeds", better="lower", quality=float(np.mean(losses[US])),
            peer_quality=float(np.mean(losses["scikit-learn"])), note=f"MiniBatchKMeans, as many row visits. {worst}",
        ),
        Row(
            case=f"streaming job beside ten full runs, {name}", peer="scikit-learn", ours=laps[US], peers=reference,
            metric="msd, mean of five seeds", better="lower", quality=float(np.mean(losses[US])), peer_quality=best,
            quality_goal=limit, note=f"KMeans(n_init=10). Ours is {np.mean(losses[US]) / best:.4f} of it.",
        ),
    ]  # fmt: skip


def fit(rows: Any, k: int, settings: dict[str, object], seed: int) -> Any:
    """The centers that a job finds."""
    from algoport import algorithms
    from algoport.algorithms.contract import Job, Memory

    read = algorithms.part("kmeans", "hyperparameters").Hyperparameters.read
    job: Any = Job(
        hyperparameters=read({"k": k, "feature_dim": rows.shape[1], **settings}),
        channels={"train": Memory(rows)},
        seed=seed,
    )
    return algorithms.part("kmeans", "train").fit(job).centers


BIG, BIGGER, PICTURES = LLOYD
CASES = [
    Case(f"Lloyd, {BIG}", partial(lloyd_race, BIG, {"scikit-learn": 3.0, "faiss": 3.0})),
    Case(f"Lloyd, {BIGGER}", partial(lloyd_race, BIGGER, {"scikit-learn": 3.0, "faiss": 3.0})),
    Case(f"Lloyd, {PICTURES}", partial(lloyd_race, PICTURES, {"scikit-learn": 2.5, "faiss": 4.0})),
    *(Case(f"streaming job, {name}", partial(streaming_race, name)) for name in STREAMING),
    *(Case(f"Lloyd, {name}, tuned", partial(tuned_race, name), promised=False) for name in LLOYD),
    *(Case(f"one pass, {name}", partial(one_pass, name), promised=False) for name in LLOYD),
]

if __name__ == "__main__":
    compiled.prepare()
    if sys.argv[1:2] == ["--lap"]:
        lap(sys.argv[2])
    else:
        sys.exit(main("kmeans", CASES))
