"""Features in bins: where they are cut, and which bin every value falls into.

n rows   d features   s bins a feature has room for

Cuts come from the weighted quantiles of each feature over the rows of all members, and are the same however the rows
are shared out: ranks are whole numbers. Where a feature has no more distinct values than bins, each has its own.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algorithms.group import Group
from algorithms.records import Features
from algorithms.xgboost.kernels import bins as kernels

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]

# How much finer than the cuts the summary is that they are taken from, as the library has it.
FINER = 8
# Features of a group at most: so many bytes are a line of the cache.
MOST = 64
# Columns that are put in order together.
TURNED = 32
# Weights become whole numbers below 2^62 together.
WHOLE = 62


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where features are cut. Bin b of feature f holds cuts[b - 1] <= x < cuts[b], counted within the feature."""

    values: Floats  # (total,) rising within a feature; the last of each is beyond all values
    offsets: Longs  # (d + 1,) where those of each feature begin
    minimum: Floats  # (d,) below all values
    missing: NDArray[np.bool_]  # (d,) where some member's row has no value

    @property
    def bins(self) -> Longs:
        """(d,) how many bins each feature has."""
        return np.diff(self.offsets)

    @property
    def stride(self) -> int:
        """How many codes a feature has room for: a power of 2."""
        most = int((self.bins + self.missing).max(initial=1))
        return max(16, 1 << (most - 1).bit_length())

    def threshold(self, feature: int, last: int) -> np.float32:
        """What values are less than if they are in bin `last` or before it; -1: no value is."""
        return np.float32(self.minimum[feature] if last < 0 else self.values[self.offsets[feature] + last])


@dataclass(frozen=True, eq=False)
class Bins:
    """The rows of one member as codes: the bin of each value, and after the last bin the code of a missing one."""

    cuts: Cuts
    codes: NDArray[Any]  # (groups, n * width) uint8 or uint16, row by row
    columns: NDArray[Any]  # (d, n) the same, column by column
    missing: Longs  # (d,) the code of a missing value; -1 where there is none
    per: int  # features of a group, a multiple of 4
    row: int  # codes that a row has room for in a group
    space: dict[str, NDArray[Any]] = field(default_factory=dict)  # where trees are grown; kept from one to the next

    def __len__(self) -> int:
        return int(self.columns.shape[1])

    @property
    def width(self) -> int:
        """How many features."""
        return int(self.columns.shape[0])


def cuts(features: Features, weights: Floats | None, max_bin: int, group: Group) -> Cuts:
    """At most `max_bin` bins for each feature, with about equal weights. An exchange of what is distinct.

    With `max_bin` 256, a feature of which values are missing has at most 255, so that codes stay bytes.
    """
    whole = _whole(weights, group)
    mine = _summaries(features, whole)
    rows, present = _counts(features, mine, group)
    merged = _merged(mine, group)
    with ThreadPoolExecutor(_threads()) as pool:
        parts = list(
            pool.map(lambda one, count: _cut(one[0], one[1], int(count), max_bin, bool(count < rows)), merged, present)
        )
    sizes = [len(part) for part, _ in parts]
    return Cuts(
        values=np.concatenate([part for part, _ in parts]) if parts else np.empty(0, np.float32),
        offsets=np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64),
        minimum=np.array([low for _, low in parts], np.float32),
        missing=np.asarray(present < rows),
    )


def binned(features: Features, cut: Cuts) -> Bins:
    """The codes of the rows. Values beyond the last cut fall into the last bin. A sparse row lacks what it does not
    mention."""
    dtype = np.uint8 if cut.stride <= 256 else np.uint16
    rows = _dense(features)
    n, d = rows.shape
    per, row = _layout(d)
    missing = np.where(cut.missing, cut.bins, -1)
    codes, columns = np.zeros((-(-d // per), n * row), dtype), np.empty((d, n), dtype)
    complete = kernels.assign(rows, _table(cut), missing, per, row, codes, columns)
    assert complete, "a value is missing where the cuts were made of complete columns"
    return Bins(cut, codes, columns, missing, per, row)


def _layout(d: int) -> tuple[int, int]:
    """Features of a group, and codes that a row of it has room for: a power of 2, so that none lies in two lines."""
    groups = max(1, -(-d // MOST))
    per = max(4, -(-d // groups))
    per += -per % 4
    return per, 1 << (per - 1).bit_length()


def _table(cut: Cuts) -> Floats:
    """(d, p) the cuts of each feature but the last, and infinity after them; p a power of 2."""
    most = int(cut.bins.max(initial=1))
    table = np.full((len(cut.bins), 1 << (most - 1).bit_length()), np.inf, np.float32)
    for f, (begin, end) in enumerate(zip(cut.offsets[:-1], cut.offsets[1:], strict=True)):
        table[f, : end - begin - 1] = cut.values[begin : end - 1]
    return table


def _whole(weights: Floats | None, group: Group) -> Longs:
    """Weights as whole numbers, with a scale that all members share; none where each row weighs 1."""
    given = np.array([0 if weights is None else 1, 0 if weights is None else len(weights)], np.float64)
    most = np.array([0.0 if weights is None else float(weights.max(initial=0))])
    facts = np.stack(group.gather(np.concatenate([given, most])[None]))[:, 0]
    if not facts[:, 0].any() or weights is None:
        return np.empty(0, np.int64)
    bits = (
        WHOLE - int(np.ceil(np.log2(max(facts[:, 1].sum(), 1)))) - int(np.ceil(np.log2(max(facts[:, 2].max(), 1e-30))))
    )
    return np.asarray(np.rint(weights.astype(np.float64) * 2.0 ** min(bits, 40)), np.int64)


Summary = tuple[Floats, Longs, int]  # the distinct values of a column, their weights, and how many rows have a value


def _summaries(features: Features, weights: Longs) -> list[Summary]:
    """Those of all columns, some columns at a time."""
    d = features.shape[1]
    with ThreadPoolExecutor(_threads()) as pool:
        if sparse.issparse(features):
            matrix = cast(Any, features).tocsc()
            ends = matrix.indptr
            return list(
                pool.map(
                    lambda f: _summary(
                        matrix.data[ends[f] : ends[f + 1]].astype(np.float32),
                        weights[matrix.indices[ends[f] : ends[f + 1]]] if len(weights) else weights,
                    ),
                    range(d),
                )
            )
        found: list[Summary] = []
        rows = np.ascontiguousarray(features, np.float32)
        for first in range(0, d, TURNED):
            columns = np.empty((min(TURNED, d - first), len(rows)), np.float32)
            kernels.turned(rows, first, columns)
            found.extend(pool.map(lambda column: _summary(column, weights), columns))
        return found


def _summary(column: Floats, weights: Longs) -> Summary:
    """Of one column, which is put in order."""
    if len(weights):
        order = np.argsort(column)
        column, weights = column[order], weights[order]
    else:
        column.sort()
    count = len(column)
    if count and np.isnan(column[-1]):  # missing values come last
        count = int(np.searchsorted(column, np.float32(np.nan)))
        column, weights = column[:count], weights[:count]
    sums = np.empty(count, np.int64)
    m = kernels.distinct(column, weights, column, sums)
    return column[:m], sums[:m], count


def _counts(features: Features, mine: list[tuple[Floats, Longs, int]], group: Group) -> tuple[int, Longs]:
    """How many rows there are over all members, and how many of them have a value in each column."""
    counts = np.array([features.shape[0], *(count for _, _, count in mine)], np.int64)
    group.sum_(counts)
    return int(counts[0]), counts[1:]


def _merged(mine: list[tuple[Floats, Longs, int]], group: Group) -> list[tuple[Floats, Longs]]:
    """The distinct values over all members, and their weights."""
    sizes = group.gather(np.array([len(values) for values, _, _ in mine], np.int64))
    values = group.gather(np.concatenate([values for values, _, _ in mine]) if mine else np.empty(0, np.float32))
    sums = group.gather(np.concatenate([sums for _, sums, _ in mine]) if mine else np.empty(0, np.int64))
    ends = [np.concatenate([[0], np.cumsum(size)]) for size in sizes]
    merged = []
    for f in range(len(mine)):
        parts = [slice(int(end[f]), int(end[f + 1])) for end in ends]
        every = np.concatenate([array[part] for array, part in zip(values, parts, strict=True)])
        weight = np.concatenate([array[part] for array, part in zip(sums, parts, strict=True)])
        if len(parts) > 1:
            every, place = np.unique(every, return_inverse=True)
            total = np.zeros(len(every), np.int64)
            np.add.at(total, place, weight)
            weight = total
        merged.append((every, weight))
    return merged


def _cut(values: Floats, sums: Longs, count: int, max_bin: int, missing: bool) -> tuple[Floats, np.float32]:
    """The cuts of one feature, and what is below all of its values."""
    if len(values) == 0:
        return np.array([2e-5], np.float32), np.float32(1e-5)
    high = np.cumsum(sums)
    unit = count / float(high[-1])  # ranks in rows: as float32 has them, these are the library's
    low = high - sums
    kept = np.arange(len(values))
    for size in _sizes(count, max_bin):
        if size < len(kept):
            parts = (low, high, sums) if len(kept) == len(values) else (low[kept], high[kept], sums[kept])
            kept = kept[kernels.pruned(*parts, size, unit, bool(count < 1 << 24))]
    chosen = values[kept]
    inner = chosen[1 : min(max_bin, len(chosen))]
    if missing and max_bin == 256 and len(inner) == 255:
        ranks = np.concatenate([[0.0], low[np.searchsorted(values, inner)], [high[-1]]])
        inner = np.delete(inner, int(np.argmin(ranks[2:] - ranks[:-2])))
    least, most, little = float(chosen[0]), float(chosen[-1]), float(np.float32(1e-5))
    return np.append(inner, most + (abs(most) + little)).astype(np.float32), np.float32(least - abs(least) - little)


def _sizes(count: int, max_bin: int) -> list[int]:
    """To how many entries a summary of so many rows is pruned, one after another, by the library's sketch."""
    eps = 1.0 / (max(1, min(max_bin, count)) * FINER)
    level = 1
    while True:
        limit = min(count, int(np.ceil(level / eps)) + 1)
        if (limit << level) >= count:
            break
        level += 1
    fine = min(count, max_bin * FINER)
    if count > 2 * limit:  # more rows than the sketch takes at once: ours has seen all of them together
        return [min(count, max_bin) + 1]
    return [max(2, limit), max(2, fine), max(2, min(fine, max_bin) + 1)]


def _dense(features: Features) -> Floats:
    if not sparse.issparse(features):
        return np.ascontiguousarray(features, np.float32)
    matrix = cast(Any, features)
    rows = np.full(matrix.shape, np.nan, np.float32)
    rows[np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices] = matrix.data
    return rows


def _threads() -> int:
    return int(os.environ.get("NUMBA_NUM_THREADS", "0")) or os.cpu_count() or 1
