"""The quantiles of columns whose rows lie with several members, exactly.    n rows   d features   t quantiles

Nothing is estimated, so that they do not depend on how the rows are shared out: weights are whole numbers, and where
a column has more distinct values than members should send each other, all search for its quantiles together, by
halving: each says what its rows weigh up to a value, 32 times, as a float32 has so many bits.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Features
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.threads import team
from algoport.algorithms.xgboost.kernels import bins as kernels

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]

# Columns that are copied out of the rows together.
TURNED = 32
# Weights become whole numbers below 2^62 together.
WHOLE = 62


@dataclass(frozen=True, eq=False)
class Column:
    """One member's values of a feature, those of no weight left out."""

    ordered: Floats  # (n,) rising
    ranks: Longs  # (n,) what the rows up to each weigh together; (0,) where each weighs 1
    present: int  # how many rows have a value, whatever they weigh

    @property
    def weight(self) -> int:
        """Of all rows."""
        return int(self.ranks[-1]) if len(self.ranks) else len(self.ordered)

    def distinct(self) -> tuple[Floats, Longs]:
        """The distinct values, and what the rows that have them weigh."""
        values, sums = np.empty(len(self.ordered), np.float32), np.empty(len(self.ordered), np.int64)
        weights = np.diff(self.ranks, prepend=0) if len(self.ranks) else self.ranks
        m = kernels.distinct(self.ordered, weights, values, sums)
        return values[:m].copy(), sums[:m].copy()


def whole(weights: Floats | None, n: int, group: Group) -> Longs:
    """Weights as whole numbers, with a scale that all members share; none where nobody has weights."""
    mine = np.array([[weights is not None, n, 0.0 if weights is None else weights.max(initial=0)]], np.float64)
    facts = np.concatenate(group.gather(mine))
    if not facts[:, 0].any():
        return np.empty(0, np.int64)
    most = max(float(facts[:, 2].max()), 1.0 if not facts[:, 0].all() else 0.0)
    bits = WHOLE - math.ceil(math.log2(max(facts[:, 1].sum(), 2))) - math.frexp(most)[1]
    given = np.ones(n) if weights is None else weights.astype(np.float64)
    return np.asarray(np.rint(np.ldexp(given, min(bits, 1000))), np.int64)


def columns(features: Features, weights: Longs) -> list[Column]:
    """The columns of a member's rows. A sparse row has no value where it does not mention one."""
    d = features.shape[1]
    sorted_columns: list[Column] = []
    with ThreadPoolExecutor(machine.cores()) as pool:
        if sparse.issparse(features):
            matrix = cast(Any, features).tocsc()
            ends, values = matrix.indptr.tolist(), matrix.data.astype(np.float32)

            def some(first: int) -> list[Column]:
                parts = [slice(*ends[f : f + 2]) for f in range(first, min(d, first + TURNED))]
                return [
                    _column(values[part], weights[matrix.indices[part]] if len(weights) else weights) for part in parts
                ]

            return [column for each in pool.map(some, range(0, d, TURNED)) for column in each]
        rows = np.ascontiguousarray(features, np.float32)
        for first in range(0, d, TURNED):
            turned = np.empty((min(TURNED, d - first), len(rows)), np.float32)
            kernels.transpose(team(), rows, first, turned)
            sorted_columns.extend(pool.map(lambda column: _column(column, weights), turned))
    return sorted_columns


def merge(mine: list[tuple[Floats, Longs]], group: Group) -> list[tuple[Floats, Longs]]:
    """The distinct values over all members of each column, and what they weigh. An exchange of all of them."""
    sizes = group.gather(np.array([len(values) for values, _ in mine], np.int64))
    values = group.gather(np.concatenate([values for values, _ in mine] or [np.empty(0, np.float32)]))
    sums = group.gather(np.concatenate([sums for _, sums in mine] or [np.empty(0, np.int64)]))
    ends = [np.concatenate([[0], np.cumsum(size)]) for size in sizes]
    union = []
    for f in range(len(mine)):
        parts = [slice(int(end[f]), int(end[f + 1])) for end in ends]
        every = np.concatenate([array[part] for array, part in zip(values, parts, strict=True)])
        weight = np.concatenate([array[part] for array, part in zip(sums, parts, strict=True)])
        if sum(part.stop > part.start for part in parts) > 1:
            every, place = np.unique(every, return_inverse=True)
            total = np.zeros(len(every), np.int64)
            np.add.at(total, place, weight)
            weight = total
        union.append((every, weight))
    return union


def select(mine: list[Column], ranks: list[Longs], group: Group) -> list[Floats]:
    """For each column the least values that the rows up to them outweigh each of `ranks` (t,), which rise.

    32 exchanges of as many numbers as there are ranks.
    """
    ends = np.concatenate([[0], np.cumsum([len(one) for one in ranks])]).astype(np.int64)
    parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    wanted = np.concatenate(ranks or [np.empty(0, np.int64)])
    low = np.full(len(wanted), int(_keys(np.float32(-np.inf))) - 1)
    high = np.full(len(wanted), int(_keys(np.float32(np.inf))))
    before, behind = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64)
    for column, part in zip(mine, parts, strict=True):
        behind[part] = len(column.ordered)
    candidates, weight = np.empty_like(before), np.empty_like(before)

    def weigh(column: Column, part: slice, values: Floats) -> None:
        kernels.reach(column.ordered, values[part], before[part], behind[part], candidates[part])
        at = candidates[part]
        weight[part] = np.concatenate([[0], column.ranks])[at] if len(column.ranks) else at

    with ThreadPoolExecutor(machine.cores()) as pool:
        for _ in range(32):
            middle = (low + high) >> 1
            values = _values(middle)
            list(pool.map(lambda column, part: weigh(column, part, values), mine, parts))
            group.sum_(weight)
            less = weight > wanted
            np.copyto(high, middle, where=less)
            np.copyto(behind, candidates, where=less)
            np.copyto(low, middle, where=~less)
            np.copyto(before, candidates, where=~less)
    chosen = _values(high) + np.float32(0)  # -0 becomes 0
    return [chosen[part] for part in parts]


def _column(column: Floats, weights: Longs) -> Column:
    """Of one feature's values, which are put in order."""
    if not len(weights):
        column.sort()
        if len(column) and np.isnan(column[-1]):  # missing values come last
            column = column[: int(np.searchsorted(column, np.float32(np.nan)))]
        return Column(column, weights, len(column))
    present = ~np.isnan(column)
    places = np.flatnonzero(present & (weights > 0))
    order = places[np.argsort(column[places])]
    return Column(column[order], np.cumsum(weights[order]), int(present.sum()))


def _keys(values: Any) -> Any:
    """Whole numbers in the order of float32 values."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(0x80000000)).astype(np.int64)


def _values(keys: Longs) -> Floats:
    """The values of keys."""
    bits = keys.astype(np.uint32)
    return np.where(bits >> np.uint32(31), bits & np.uint32(0x7FFFFFFF), ~bits).astype(np.uint32).view(np.float32)
