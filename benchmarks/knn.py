"""k-NN beside faiss, scikit-learn and usearch: batches of queries, one query at a time, building, and a curve.

Rows are the 60,000 pictures of Fashion-MNIST for training, queries those of its test set; nothing was tuned on these
queries. Two threads each. Quality is recall@10 beside exact neighbors in float64, which all are held to alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import data
from benchmarks.measure import US, Case, Laps, Row, main, race

THREADS, K, LISTS, PROBES, CODES = 2, 10, 245, 5, 28
ASKED = 2000  # queries of a batch
SINGLE = 100  # queries that are asked one by one in a lap
CURVE = Path(__file__).parents[1] / "algorithms" / "knn" / "recall.png"


@cache
def rows() -> Any:
    """What is searched."""
    return data.fashion()[0]


@cache
def queries() -> Any:
    """What is asked."""
    return data.fashion("t10k")[0][:ASKED]


@cache
def truth() -> Any:
    """The exact neighbors, by float64: candidates by float32, far more than could be needed, measured again."""
    import numpy as np

    base, asked = rows().astype(np.float64), queries().astype(np.float64)
    square = (base**2).sum(axis=1)
    best = []
    for start in range(0, len(asked), 500):
        far = square - 2 * asked[start : start + 500] @ base.T
        best.append(np.argpartition(far, K, axis=1)[:, :K])
    return np.concatenate(best)


def recall(numbers: Any) -> float:
    """The share of the exact neighbors that are among these."""
    return sum(len(set(a) & set(b)) for a, b in zip(numbers.tolist(), truth().tolist(), strict=True)) / truth().size


def settings(kind: str, **more: Any) -> Any:
    """Ours, as a job has them."""
    from algoport.algorithms.knn.hyperparameters import Hyperparameters

    given = {"feature_dim": 784, "k": K, "predictor_type": "classifier", "sample_size": 60000, "index_type": kind}
    if kind == "faiss.IVFPQ":
        given["faiss_index_pq_m"] = CODES
    return Hyperparameters.read({**given, "_faiss_index_nprobe": PROBES, **more})


def build(kind: str) -> Any:
    """Our index of the rows."""
    from algoport.algorithms.contract.group import Alone
    from algoport.algorithms.knn.building import build as built

    return built(rows(), settings(kind), 0, Alone())


def build_theirs(kind: str) -> Any:
    """faiss's."""
    import faiss

    faiss.omp_set_num_threads(THREADS)
    form = {"faiss.Flat": "Flat", "faiss.IVFFlat": f"IVF{LISTS},Flat", "faiss.IVFPQ": f"IVF{LISTS},PQ{CODES}"}[kind]
    index = faiss.index_factory(784, form)
    index.train(rows())
    index.add(rows())
    if kind != "faiss.Flat":
        index.nprobe = PROBES
    return index


@cache
def laps_of_building(kind: str) -> dict[str, Laps]:
    """Ours three times, after one that does not count, and faiss's once: with codes it takes most of a minute."""
    return race({US: lambda: build(kind)}, laps=3) | race({"faiss": lambda: build_theirs(kind)}, laps=1, warm=0)


def indexes(kind: str) -> tuple[Any, Any]:
    """Ours and theirs."""
    laps = laps_of_building(kind)
    return laps[US].result, laps["faiss"].result


def batch_race(kind: str, goal: float | None) -> list[Row]:
    """All queries at a time."""
    ours, theirs = indexes(kind)
    asked = queries()
    laps = race({US: lambda: ours.search(asked, K)[1], "faiss": lambda: theirs.search(asked, K)[1]})
    return [_row(f"{kind}, {ASKED:,} queries at a time", "faiss", laps, goal)]


def single_race(kind: str, goal: float | None) -> list[Row]:
    """Query after query."""
    import numpy as np

    ours, theirs = indexes(kind)
    asked = queries()[:SINGLE]

    def each(search: Callable[[Any], Any]) -> Any:
        return np.concatenate([search(asked[i : i + 1]) for i in range(len(asked))])

    laps = race({
        US: lambda: each(lambda one: ours.search(one, K)[1]),
        "faiss": lambda: each(lambda one: theirs.search(one, K)[1]),
    })  # fmt: skip
    shares = {who: _share(lap.result, SINGLE) for who, lap in laps.items()}
    return [
        Row(
            case=f"{kind}, {SINGLE} queries one by one", peer="faiss", ours=laps[US], peers=laps["faiss"], goal=goal,
            metric="recall@10", better="higher", quality=shares[US], peer_quality=shares["faiss"],
            quality_goal=0.99 if goal else None, note=f"{1000 * laps[US].median / SINGLE:.3f} ms a query.",
        )
    ]  # fmt: skip


def _share(numbers: Any, count: int) -> float:
    return sum(len(set(a) & set(b)) for a, b in zip(numbers.tolist(), truth()[:count].tolist(), strict=True)) / (
        count * K
    )


def _row(case: str, peer: str, laps: dict[str, Laps], goal: float | None) -> Row:
    return Row(
        case=case, peer=peer, ours=laps[US], peers=laps[peer], goal=goal, metric="recall@10", better="higher",
        quality=recall(laps[US].result), peer_quality=recall(laps[peer].result), quality_goal=0.99 if goal else None,
    )  # fmt: skip


def build_race(kind: str, goal: float | None) -> list[Row]:
    """From rows in memory to an index that answers; recall of what was built, at the same number of lists."""
    laps = laps_of_building(kind)
    answers = {who: Laps(lap.seconds, lap.result.search(queries(), K)[1]) for who, lap in laps.items()}
    return [_row(f"{kind}, building", "faiss", answers, goal)]


def exact_race(peer: str, goal: float | None) -> list[Row]:
    """Exact search by others."""
    ours, asked = indexes("faiss.Flat")[0], queries()
    laps = race({US: lambda: ours.search(asked, K)[1], peer: partial(_brute, peer)()}, laps=3)
    return [_row(f"faiss.Flat, {ASKED:,} queries at a time", peer, laps, goal)]


def _brute(peer: str) -> Callable[[], Any]:
    if peer == "scikit-learn":
        from sklearn.neighbors import NearestNeighbors
    else:
        from sklearnex.neighbors import NearestNeighbors

    fitted = NearestNeighbors(n_neighbors=K, algorithm="brute", n_jobs=THREADS).fit(rows())
    return lambda: fitted.kneighbors(queries(), return_distance=False)


def plain_race() -> list[Row]:
    """The scan of all rows without the sketch, as rows without directions have it; random numbers."""
    import faiss
    import numpy as np

    from algoport.algorithms.knn.index import Flat

    random = np.random.default_rng(0)
    base, asked = (random.standard_normal((n, 54), np.float32) for n in (200_000, 2000))
    ours, theirs = Flat.of(base, 0), faiss.IndexFlatL2(54)
    theirs.add(base)
    laps = race({US: lambda: ours.search(asked, K)[1], "faiss": lambda: theirs.search(asked, K)[1]}, laps=3)
    work = 2.0 * base.size * len(asked)
    same = float((laps[US].result == laps["faiss"].result).mean())
    return [
        Row(
            case="faiss.Flat without a sketch, 200,000 random rows of 54, 2,000 queries at a time", peer="faiss",
            ours=laps[US], peers=laps["faiss"], note=f"{work / laps[US].median / 1e9:.0f} Gflop/s; {same:.4f} alike.",
        )
    ]  # fmt: skip


def curve() -> list[Row]:
    """Recall against queries a second, of lists and of a graph (usearch); draws it beside the page."""
    import time

    import faiss
    import matplotlib

    matplotlib.use("Agg")
    import numpy as np
    from matplotlib import pyplot
    from usearch.index import Index

    faiss.omp_set_num_threads(THREADS)
    asked = queries()
    figure, axes = pyplot.subplots(figsize=(7, 5))

    def rate(search: Callable[[], Any]) -> tuple[float, float]:
        search()
        start = time.perf_counter()
        numbers = search()
        return recall(numbers), len(asked) / (time.perf_counter() - start)

    for kind in ("faiss.IVFFlat", "faiss.IVFPQ"):
        ours, theirs = indexes(kind)
        for who, style in (("algoport", "o-"), ("faiss", "s--")):
            points = []
            for probes in (1, 2, 5, 10, 20):
                theirs.nprobe = probes
                object.__setattr__(ours, "probes", probes)
                points.append(rate(lambda: (ours if who == "algoport" else theirs).search(asked, K)[1]))
            axes.plot(*zip(*points, strict=True), style, label=f"{who} {kind.removeprefix('faiss.')}")
        theirs.nprobe = PROBES
        object.__setattr__(ours, "probes", PROBES)
    start = time.perf_counter()
    graph = Index(ndim=784, metric="l2sq", dtype="f32")
    graph.add(np.arange(60000), rows(), threads=THREADS)
    seconds = time.perf_counter() - start
    points = []
    for effort in (16, 32, 64, 128):
        graph.expansion_search = effort
        points.append(rate(lambda: graph.search(asked, K, threads=THREADS).keys))
    axes.plot(*zip(*points, strict=True), "^:", label=f"usearch HNSW (built in {seconds:.0f} s)")
    exact = indexes("faiss.Flat")
    for who, index, mark in (("algoport", exact[0], "o"), ("faiss", exact[1], "s")):
        axes.plot(*rate(partial(lambda one: one.search(asked, K)[1], index)), mark, markersize=9, label=f"{who} Flat")
    axes.set(xlabel="recall@10", ylabel="queries a second, 2 threads", yscale="log")
    axes.set_title("Fashion-MNIST, 60,000 rows of 784")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(CURVE, dpi=110)
    return []


FLAT, LISTED, CODED = "faiss.Flat", "faiss.IVFFlat", "faiss.IVFPQ"
BATCHES = {FLAT: 2.5, LISTED: 1.5, CODED: 2.5}  # how many times as fast as faiss
CASES = [
    *(Case(f"{kind} batch", partial(batch_race, kind, goal)) for kind, goal in BATCHES.items()),
    *(Case(f"{kind} single", partial(single_race, kind, 1.5)) for kind in (FLAT, LISTED, CODED)),
    *(Case(f"{kind} building", partial(build_race, kind, 1.5)) for kind in (LISTED, CODED)),
    *(Case(f"{peer} exact", partial(exact_race, peer, 2.5)) for peer in ("scikit-learn", "scikit-learn-intelex")),
    Case("plain", plain_race),
    Case(f"{FLAT} building", partial(build_race, FLAT, None), promised=False),
    Case("curve", curve, promised=False),
]

if __name__ == "__main__":
    compiled.prepare()
    sys.exit(main("knn", CASES))
