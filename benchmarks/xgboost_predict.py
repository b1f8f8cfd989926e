"""Answers of boosted trees beside the library's: one row, many rows, and what each feature adds.

The models are the library's, read from its own files, so that both answer with the same trees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from algoport.algorithms.shared import compiled
from benchmarks import data
from benchmarks.measure import US, Case, Row, main, race

ROWS, FEATURES = 100_000, 28
LACKING = 0.2  # share of values
REQUESTS = 1000  # of one row, a lap


@cache
def physics() -> tuple[Any, Any]:
    """As many features as the library's own measurements have: two products, a sine and noise."""
    import numpy as np

    random = np.random.default_rng(0)
    rows = random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    score = rows[:, 0] * rows[:, 1] + np.sin(3 * rows[:, 2]) + rows[:, 3] * rows[:, 4] + random.normal(size=ROWS)
    return rows, (score > 0).astype(np.float32)


@cache
def lacking() -> tuple[Any, Any]:
    """The same without a fifth of the values."""
    import numpy as np

    rows, label = physics()
    return np.where(np.random.default_rng(1).random(rows.shape) < LACKING, np.float32(np.nan), rows), label


@cache
def clothes() -> tuple[Any, Any]:
    """Fashion-MNIST, all 70,000."""
    images, labels = data.whole_fashion()
    return images, labels.astype("float32")


@cache
def train(load: Callable[[], tuple[Any, Any]], rounds: int, **settings: Any) -> tuple[Any, Any]:
    """The library's booster, and ours of its file."""
    import xgboost

    from algoport.algorithms.xgboost import interchange
    from algoport.algorithms.xgboost.model import Model

    given = {"objective": "binary:logistic", "max_depth": 6, "nthread": threads(), **settings}
    theirs = xgboost.train(given, xgboost.DMatrix(*load()), rounds)
    file = bytes(theirs.save_raw("ubj"))
    fresh = xgboost.Booster({"nthread": threads()})
    fresh.load_model(bytearray(file))  # as a server has it, without what training left in memory
    return fresh, Model(boosters=(interchange.read(file, "xgboost-model"),))


def threads() -> int:
    import numba

    return numba.get_num_threads()


def batch(
    name: str,
    load: Callable[[], tuple[Any, Any]],
    rounds: int,
    *,
    n: int | None = None,
    goal: float | None = None,
    **settings: Any,
) -> list[Row]:
    """All rows at once."""
    import numpy as np

    from algoport.algorithms.contract.records import Rows

    theirs, ours = train(load, rounds, **settings)
    rows = np.ascontiguousarray(load()[0][:n])
    laps = race(
        {
            US: lambda: ours.predict(Rows(features=rows))["score"],
            "xgboost": lambda: theirs.inplace_predict(rows),
        },
        laps=9,
    )
    return [_row(name, laps, goal)]


def single(name: str, rounds: int, *, goal: float | None = None, **settings: Any) -> list[Row]:
    """One row after another, each a request of its own."""
    import numpy as np

    from algoport.algorithms.contract.records import Rows

    theirs, ours = train(physics, rounds, **settings)
    rows = physics()[0][:REQUESTS]
    laps = race(
        {
            US: lambda: np.concatenate(
                [ours.predict(Rows(features=rows[i : i + 1]))["score"] for i in range(REQUESTS)]
            ),
            "xgboost": lambda: np.concatenate([theirs.inplace_predict(rows[i : i + 1]) for i in range(REQUESTS)]),
        }
    )
    return [_row(name, laps, goal)]


def explain(name: str, rounds: int, n: int) -> list[Row]:
    """Shapley values."""
    import numpy as np
    import xgboost

    from algoport.algorithms.contract.records import Rows

    theirs, ours = train(physics, rounds)
    rows = np.ascontiguousarray(physics()[0][:n])
    matrix = xgboost.DMatrix(rows)
    laps = race(
        {
            US: lambda: ours.booster.contributions(Rows(features=rows))[:, 0],
            "xgboost": lambda: theirs.predict(matrix, pred_contribs=True),
        },
        laps=3,
    )
    return [_row(name, laps, None)]


def _row(name: str, laps: dict[str, Any], goal: float | None) -> Row:
    import numpy as np

    apart = float(np.abs(laps[US].result - laps["xgboost"].result).max())
    note = f"The answers differ by {apart:.1g} at most."
    return Row(case=name, peer="xgboost", ours=laps[US], peers=laps["xgboost"], goal=goal, note=note)


LEAVES = {"max_depth": 0, "max_leaves": 255, "grow_policy": "lossguide"}
CLASSES = {"objective": "multi:softprob", "num_class": 10}
ONE, MANY = f"{REQUESTS:,} requests of one row", f"{ROWS:,} rows of {FEATURES}"
INFORMING: dict[str, Callable[[str], list[Row]]] = {
    "100 rows of 28, 100 trees of depth 6": lambda name: batch(name, physics, 100, n=100),
    f"{MANY}, a fifth missing, 100 trees of depth 6": lambda name: batch(name, lacking, 100),
    f"{MANY}, 100 trees of depth 8": lambda name: batch(name, physics, 100, max_depth=8),
    f"{MANY}, 100 trees of depth 10": lambda name: batch(name, physics, 100, max_depth=10),
    f"{MANY}, 100 trees of 255 leaves": lambda name: batch(name, physics, 100, **LEAVES),
    "Fashion-MNIST, 70,000 rows of 784, 10 classes, 100 trees of depth 6": lambda name: batch(
        name, clothes, 10, **CLASSES
    ),
    "Shapley values of 2,000 rows of 28, 100 trees of depth 6": lambda name: explain(name, 100, 2000),
}
CASES = [
    *(Case(name := f"{ONE}, {t} trees of depth 6", partial(single, name, t, goal=2.0)) for t in (100, 500)),
    *(Case(name := f"{MANY}, {t} trees of depth 6", partial(batch, name, physics, t, goal=2.0)) for t in (100, 500)),
    *(Case(name, partial(measure, name), promised=False) for name, measure in INFORMING.items()),
]

if __name__ == "__main__":
    compiled.prepare()
    sys.exit(main("xgboost_predict", CASES))
