"""Features in bins: where they are cut, and which bin every value falls into.

n rows   d features

Cuts come from the weighted quantiles of each feature over the rows of all members, and are the same however the rows
are shared out: ranks are whole numbers. Where a feature has no more distinct values than bins, each has its own.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Features
from algoport.algorithms.shared.threads import team
from algoport.algorithms.xgboost import quantiles
from algoport.algorithms.xgboost.kernels import bins as kernels
from algoport.algorithms.xgboost.kernels import sparse as kernels_sparse
from algoport.algorithms.xgboost.layouts import Bins, Columns, Cuts, Dense, Sparse

__all__ = ["Bins", "Cuts", "bin_rows", "cuts"]

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]
Part = tuple[Floats, np.float32]  # the cuts of a feature, and what is below all of its values

# How much finer than the cuts the summary is that they are taken from, as the library has it.
FINER = 8
# Columns of a group at most: so many bytes are a line of the cache.
MOST = 64
# Sparse rows are kept so where less than this share of their values is there; others are faster dense.
FULL = 0.2


def cuts(features: Features, weights: Floats | None, max_bin: int, group: Group) -> Cuts:
    """At most `max_bin` bins for each feature, with about equal weights.

    With `max_bin` 256, a feature of which values are missing has at most 255, so that codes stay bytes. A feature of
    few distinct values has the library's cuts; one of many has them at its exact quantiles.
    """
    mine = quantiles.columns(features, quantiles.whole(weights, features.shape[0], group))
    few = 2 * (max_bin * FINER + 1)  # values that the library's sketch takes at once
    facts = np.array([[one.present, one.weight, kernels.changes(one.ordered) > few] for one in mine], np.int64)
    rows = np.array([features.shape[0], sparse.issparse(features)], np.int64)
    group.sum_(facts, rows)
    missing = np.asarray(facts[:, 0] < rows[0])
    empty = np.empty(0, np.float32), np.empty(0, np.int64)
    distinct = quantiles.merge(
        [empty if many else one.distinct() for one, many in zip(mine, facts[:, 2], strict=True)], group
    )
    many = [f for f, (values, _) in enumerate(distinct) if facts[f, 2] or len(values) > few]
    summaries = dict(
        zip(many, _at_quantiles([mine[f] for f in many], facts[many], missing[many], max_bin, group), strict=True)
    )
    parts = [
        summaries[f] if f in summaries else _summarize(*distinct[f], int(facts[f, 0]), max_bin, bool(missing[f]))
        for f in range(len(mine))
    ]
    return Cuts(
        values=np.concatenate([part for part, _ in parts]) if parts else np.empty(0, np.float32),
        offsets=np.concatenate([[0], np.cumsum([len(part) for part, _ in parts], dtype=np.int64)]).astype(np.int64),
        minimum=np.array([low for _, low in parts], np.float32),
        missing=missing,
        sparse=bool(rows[1] and facts[:, 0].sum() < FULL * rows[0] * len(mine)),
    )


def bin_rows(features: Features, cut: Cuts) -> Bins:
    """The codes of the rows. Values beyond the last cut fall into the last bin. A sparse row lacks what it does not
    mention."""
    return _sparse(features, cut) if cut.sparse else _dense(features, cut)


def _dense(features: Features, cut: Cuts) -> Dense:
    rows = _densify(features) if sparse.issparse(features) else np.ascontiguousarray(features, np.float32)
    dtype = np.uint8 if cut.stride <= 256 else np.uint16
    n, d = rows.shape
    shared = Columns.of(cut.rooms, 256 if dtype == np.uint8 else 0)
    per, row = _layout(len(shared.firsts) - 1)
    missing = np.where(cut.missing, cut.bins, -1)
    groups = -(-(len(shared.firsts) - 1) // per)
    codes, columns = np.zeros((groups, n * row), dtype), np.empty((d, n), dtype)
    complete = kernels.assign(
        team(), rows, _table(cut), missing, shared.place, shared.times, per, row, codes, columns
    )  # fmt: skip
    assert complete, "a value is missing where the cuts were made of complete columns"
    ends = np.concatenate([[0], np.cumsum(cut.rooms)])
    return Dense(
        cuts=cut, count=n, missing=missing, starts=ends[:-1].astype(np.int64), size=int(ends[-1]), codes=codes,
        columns=columns, shared=shared, per=per, row=row,
    )  # fmt: skip


def _sparse(features: Features, cut: Cuts) -> Sparse:
    matrix = cast(Any, features if sparse.issparse(features) else _without_missing(features))
    if np.isnan(matrix.data).any():
        matrix = sparse.csr_array(matrix, copy=True)
        matrix.data[:], present = np.where(np.isnan(matrix.data), 0, matrix.data), ~np.isnan(matrix.data)
        ends = np.concatenate([[0], np.cumsum(present)])
        matrix = sparse.csr_array(
            (matrix.data[present], matrix.indices[present], ends[matrix.indptr]), shape=matrix.shape
        )
    indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
    codes = np.empty(len(indices), np.int32)
    kernels_sparse.assign(team(), indptr, indices, matrix.data.astype(np.float32), cut.values, cut.offsets, codes)
    within = codes - cut.offsets[indices].astype(np.int32)
    turned = sparse.csr_array((within, matrix.indices, matrix.indptr), shape=matrix.shape).tocsc()
    return Sparse(
        cuts=cut, count=matrix.shape[0], missing=np.where(cut.missing, cut.bins, -1), starts=cut.offsets[:-1].copy(),
        size=int(cut.offsets[-1]), indptr=indptr, codes=codes, column_ends=turned.indptr.astype(np.int64),
        column_rows=turned.indices.astype(np.int32), column_codes=turned.data.astype(np.int32),
    )  # fmt: skip


def _densify(features: Features) -> Floats:
    """Sparse rows as dense ones, missing where nothing is mentioned."""
    matrix = cast(Any, features)
    rows = np.full(matrix.shape, np.nan, np.float32)
    rows[np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices] = matrix.data
    return rows


def _without_missing(features: Features) -> Any:
    """Dense rows as sparse ones that mention what is not missing, zeros too."""
    rows = np.asarray(features, np.float32)
    present = ~np.isnan(rows)
    indptr = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    return sparse.csr_array((rows[present], np.nonzero(present)[1], indptr), shape=rows.shape)


def _layout(columns: int) -> tuple[int, int]:
    """Columns of a group, and codes that a row of it has room for: a power of 2, so that none lies in two lines."""
    groups = max(1, -(-columns // MOST))
    per = max(4, -(-columns // groups))
    per += -per % 4
    return per, 1 << (per - 1).bit_length()


def _table(cut: Cuts) -> Floats:
    """(d, p) the cuts of each feature but the last, and infinity after them; p a power of 2."""
    most = int(cut.bins.max(initial=1))
    table = np.full((len(cut.bins), 1 << (most - 1).bit_length()), np.inf, np.float32)
    for f, (begin, end) in enumerate(zip(cut.offsets[:-1], cut.offsets[1:], strict=True)):
        table[f, : end - begin - 1] = cut.values[begin : end - 1]
    return table


def _at_quantiles(
    columns: list[quantiles.Column], facts: Longs, missing: NDArray[np.bool_], max_bin: int, group: Group
) -> list[Part]:
    """Cuts at evenly spaced ranks."""
    bins = np.where(missing & (max_bin == 256), 255, max_bin)
    # In Python's whole numbers, as those of 64 bits would overflow.
    ranks = [
        np.array([0, *(k * int(weight) // int(count) for k in range(1, count)), int(weight) - 1], np.int64)
        for count, weight in zip(bins, facts[:, 1], strict=True)
    ]
    return [
        _close(np.unique(values[1:-1][values[1:-1] > values[0]]), values[0], values[-1])
        for values in quantiles.select(columns, ranks, group)
    ]


def _summarize(values: Floats, sums: Longs, count: int, max_bin: int, missing: bool) -> Part:
    """Cuts at distinct values: at all, or at those that the library's sketch keeps."""
    if len(values) == 0:
        little = float(np.float32(1e-5))  # what the library writes where a feature has no value
        return np.array([3 * little], np.float32), np.float32(little)
    if len(values) < max_bin:
        return _close(values[1:], values[0], values[-1])
    high = np.cumsum(sums)
    unit = count / float(high[-1])  # ranks in rows: as float32 has them, these are the library's
    low = high - sums
    selection = np.arange(len(values))
    for size in _sizes(count, max_bin):
        selection = selection[
            kernels.prune(low[selection], high[selection], sums[selection], size, unit, bool(count < 1 << 24))
        ]
    chosen = values[selection]
    inner = chosen[1 : min(max_bin, len(chosen))]
    if missing and max_bin == 256 and len(inner) == 255:  # the two least bins become one
        ranks = np.concatenate([[0], low[np.searchsorted(values, inner)], [high[-1]]])
        inner = np.delete(inner, int(np.argmin(ranks[2:] - ranks[:-2])))
    return _close(inner, chosen[0], chosen[-1])


def _close(inner: Floats, least: np.float32, most: np.float32) -> Part:
    """With a cut beyond all values, and what is below them, as the library has them."""
    little = float(np.float32(1e-5))
    last, first = float(most), float(least)
    return np.append(inner, last + (abs(last) + little)).astype(np.float32), np.float32(first - abs(first) - little)


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
