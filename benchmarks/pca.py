"""PCA beside scikit-learn and its Intel extension: from rows in memory to components, and rows projected onto them."""

from __future__ import annotations

import dataclasses
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

TUNED = {"OPENBLAS_CORETYPE": "SkylakeX"}  # the setting that lets OpenBLAS use 512-bit vectors where it does not
EQUAL = 1e-5  # the sine of the largest angle at which two subspaces count as the same


@cache
def tall() -> Any:
    """500,000 rows of 200: twenty strong directions, noise in all others, a mean that is not zero."""
    import numpy as np

    random = np.random.default_rng(0)
    strong = random.standard_normal((500_000, 20), np.float32) * np.linspace(10, 3, 20, dtype=np.float32)
    rows = strong @ random.standard_normal((20, 200), dtype=np.float32) + np.float32(5)
    return rows + random.standard_normal((500_000, 200), np.float32)


@cache
def clothes() -> Any:
    """Fashion-MNIST, all 70,000."""
    return data.whole_fashion()[0]


TALL, CLOTHES = "500,000 rows of 200, 20 components", "Fashion-MNIST, 70,000 rows of 784, 50 components"
DATA: dict[str, tuple[Callable[[], Any], int]] = {TALL: (tall, 20), CLOTHES: (clothes, 50)}


def exact_race(name: str) -> list[Row]:
    """The exact components. Batches of the 500 rows that the SDK asks for at most."""
    from benchmarks.peak import peak

    load, k = DATA[name]
    rows = load()
    laps = race(
        {
            US: lambda: fit(rows, k).components,
            "scikit-learn": partial(_scikit_learn, rows, k, "covariance_eigh"),
            "scikit-learn-intelex": partial(_intelex, rows, k),
        }
    )
    share = 1.0 * rows.size * rows.shape[1] / min(laps[US].seconds) / peak()
    note = f"Half of the symmetric product in the whole time: {share:.0%} of the processor's float32 peak."
    return [
        _with_angle(
            Row(case=f"exact, {name}", peer=peer, ours=laps[US], peers=laps[peer], goal=1.5, note=note), rows, k
        )
        for peer in ("scikit-learn", "scikit-learn-intelex")
    ]


def slow_race(name: str, peer: str) -> list[Row]:
    """Peers that take many times as long, a single lap each."""
    load, k = DATA[name]
    rows = load()
    theirs = {
        "full": partial(_scikit_learn, rows, k, "full"),
        "incremental": partial(_incremental, rows, k),
    }[peer]
    laps = race({US: lambda: fit(rows, k).components, "scikit-learn": theirs}, laps=1)
    row = Row(case=f"{peer}, {name}", peer="scikit-learn", ours=laps[US], peers=laps["scikit-learn"], goal=1.5)
    return [_with_angle(row, rows, k)]


def randomized_race(name: str) -> list[Row]:
    """One pass of ours beside scikit-learn's randomized solver, which goes over the rows again and again and is the
    more exact for it."""
    load, k = DATA[name]
    rows = load()
    laps = race(
        {
            US: lambda: fit(rows, k, algorithm_mode="randomized").components,
            "scikit-learn": partial(_scikit_learn, rows, k, "randomized"),
        },
        laps=3,
    )
    row = Row(case=f"randomized, {name}", peer="scikit-learn", ours=laps[US], peers=laps["scikit-learn"], goal=1.5)
    shares = [_variance(rows, each.result) for each in (laps[US], laps["scikit-learn"])]
    whole = _variance(rows, _truth(name, rows, k))
    return [
        dataclasses.replace(
            row, metric="share of the variance", better="higher", quality=shares[0], peer_quality=shares[1],
            note=f"The exact components keep {whole:.4f}.",
        )
    ]  # fmt: skip


def batches_race(name: str) -> list[Row]:
    """The same job in batches of 1, 500 and 50,000 rows."""
    load, k = DATA[name]
    rows = load()
    sizes = (1, 500, 50_000)
    laps = race({str(size): lambda size=size: fit(rows, k, mini_batch_size=size) for size in sizes})
    return [
        Row(case=f"batches of {size}, {name}", peer="batches of 500", ours=laps[str(size)], peers=laps["500"])
        for size in sizes
    ]


def projection_race(name: str, count: int) -> list[Row]:
    """Rows onto components, beside scikit-learn's `transform`."""
    from sklearn.decomposition import PCA

    from benchmarks.peak import peak

    load, k = DATA[name]
    rows = load()
    model = fit(rows, k)
    some = rows[:count]
    theirs = PCA(k, svd_solver="covariance_eigh").fit(rows)
    turns = max(1, 1000 // count)

    def often(run: Callable[[], Any]) -> Any:
        for _ in range(turns):
            projection = run()
        return projection

    laps = race(
        {
            US: partial(often, lambda: model.project(some)),
            "scikit-learn": partial(often, lambda: theirs.transform(some)),
        }
    )
    share = 2.0 * some.size * k * turns / min(laps[US].seconds) / peak()
    note = f"{turns} requests a lap; {share:.0%} of the processor's float32 peak."
    case = f"projection of {count:,} rows, {name}"
    return [Row(case=case, peer="scikit-learn", ours=laps[US], peers=laps["scikit-learn"], note=note)]


def tuned_race(name: str) -> list[Row]:
    """scikit-learn with the best setting of its OpenBLAS, in a process of its own, as it is read at the start."""
    load, k = DATA[name]
    rows = load()  # before the other process, which could not say what is missing
    command = [sys.executable, "-m", "benchmarks.pca", "--lap", name]
    answer = subprocess.run(command, env=os.environ | TUNED, capture_output=True, text=True, check=True).stdout
    ours = race({US: lambda: fit(rows, k).components})[US]
    note = f"With {' '.join('='.join(pair) for pair in TUNED.items())}; one after the other and not in turns."
    return [Row(case=f"tuned, {name}", peer="scikit-learn", ours=ours, peers=Laps(json.loads(answer), None), note=note)]


def lap(name: str) -> None:
    """What `tuned_race` runs: scikit-learn's seconds, as JSON."""
    load, k = DATA[name]
    rows = load()
    print(json.dumps(race({"": partial(_scikit_learn, rows, k, "covariance_eigh")})[""].seconds))


def fit(rows: Any, k: int, **given: object) -> Any:
    """The model that a job leaves."""
    from algoport import algorithms
    from algoport.algorithms.contract import Job, Memory

    read = algorithms.part("pca", "hyperparameters").Hyperparameters.read
    settings = {"num_components": k, "feature_dim": rows.shape[1], "mini_batch_size": 500, **given}
    job: Any = Job(hyperparameters=read(settings), channels={"train": Memory(rows)})
    return algorithms.part("pca", "train").fit(job)


def _scikit_learn(rows: Any, k: int, solver: str) -> Any:
    from sklearn.decomposition import PCA

    return PCA(k, svd_solver=solver, random_state=0).fit(rows).components_.T


def _intelex(rows: Any, k: int) -> Any:
    from sklearnex.decomposition import PCA

    return PCA(k, svd_solver="covariance_eigh").fit(rows).components_.T


def _incremental(rows: Any, k: int) -> Any:
    from sklearn.decomposition import IncrementalPCA

    return IncrementalPCA(k, batch_size=5000).fit(rows).components_.T


_truths: dict[str, Any] = {}


def _truth(name: str, rows: Any, k: int) -> Any:
    """The components in float64, block by block."""
    import numpy as np

    if name not in _truths:
        mean = rows.mean(axis=0, dtype=np.float64)
        scatter = np.zeros((rows.shape[1], rows.shape[1]))
        for first in range(0, len(rows), 10_000):
            block = rows[first : first + 10_000] - mean
            scatter += block.T @ block
        _truths[name] = np.linalg.eigh(scatter)[1]
    return _truths[name][:, -k:]


def _with_angle(row: Row, rows: Any, k: int) -> Row:
    """With the sine of the largest angle to the components in float64, by the same function for both."""
    name = row.case.partition(", ")[2]
    truth = _truth(name, rows, k)
    ours, theirs = (_sine(truth, each.result) for each in (row.ours, row.peers))
    return dataclasses.replace(
        row, metric="angle to float64's subspace", better="lower", quality=ours, peer_quality=theirs,
        quality_goal=EQUAL / theirs,
    )  # fmt: skip


def _sine(one: Any, other: Any) -> float:
    """Of the largest angle between two subspaces. Not from a cosine, which knows no angle below 1e-8."""
    import numpy as np

    one, other = (np.linalg.qr(np.asarray(side, np.float64))[0] for side in (one, other))
    return float(np.linalg.norm(other - one @ (one.T @ other), 2))


def _variance(rows: Any, components: Any) -> float:
    import numpy as np

    some = rows[::10].astype(np.float64)
    some -= some.mean(axis=0)
    return float(((some @ components) ** 2).sum() / (some**2).sum())


CASES = [
    *(Case(f"exact, {name}", partial(exact_race, name)) for name in DATA),
    *(Case(f"randomized, {name}", partial(randomized_race, name)) for name in DATA),
    *(Case(f"incremental, {name}", partial(slow_race, name, "incremental")) for name in DATA),
    Case(f"full, {CLOTHES}", partial(slow_race, CLOTHES, "full")),
    Case(f"full, {TALL}", partial(slow_race, TALL, "full"), promised=False),
    *(Case(f"tuned, {name}", partial(tuned_race, name), promised=False) for name in DATA),
    *(Case(f"batches, {name}", partial(batches_race, name), promised=False) for name in DATA),
    *(
        Case(f"projection of {count:,} rows, {CLOTHES}", partial(projection_race, CLOTHES, count), promised=False)
        for count in (1, 100, 70_000)
    ),
]

if __name__ == "__main__":
    compiled.prepare()
    if sys.argv[1:2] == ["--lap"]:
        lap(sys.argv[2])
    else:
        sys.exit(main("pca", CASES))
