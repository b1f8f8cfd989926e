"""Cuts between all distinct values, for the exact search of splits.    n rows   d features   m nodes"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Features
from algoport.algorithms.xgboost import binning
from algoport.algorithms.xgboost.binning import Cuts
from algoport.algorithms.xgboost.kernels import update
from algoport.algorithms.xgboost.trees import Tree

EDGE = np.float32(1e-6)  # how far beyond the last value a threshold lies, besides that value
MOST = 65_000  # distinct values of a feature; codes have two bytes
Floats = NDArray[np.float32]


def exact_cuts(features: Features, group: Group) -> Cuts:
    """A cut in the middle of each pair of neighboring values, as the library's exact method has it. Exchanges all
    distinct values. Where a feature has more than 65,000, bins of about equal size take their place."""
    mine = [np.unique(values[~np.isnan(values)]) for values in _columns(features)]
    sizes = np.array([len(values) for values in mine], np.int64)
    everyone = group.gather(np.concatenate([*mine, np.empty(0, np.float32)]).astype(np.float32))
    counts = group.gather(sizes[None])
    present = np.array(
        [int((~np.isnan(values)).sum()) for values in _columns(features)] + [features.shape[0]], np.int64
    )
    group.sum_(present)
    ends = [np.concatenate([[0], np.cumsum(count[0])]) for count in counts]
    parts: list[Floats] = []
    lowest = np.zeros(len(mine), np.float32)
    for f in range(len(mine)):
        pieces = [values[end[f] : end[f + 1]] for values, end in zip(everyone, ends, strict=True)]
        values = np.unique(np.concatenate(pieces))
        if len(values) > MOST:
            return binning.cuts(features, None, MOST, group)
        parts.append(_between(values))
        lowest[f] = _below(values[0]) if len(values) else 1e-5
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return Cuts(np.concatenate(parts), offsets, lowest, np.asarray(present[:-1] < present[-1]))


def centered(tree: Tree, features: Features, rows: NDArray[np.int32] | None, group: Group) -> Tree:
    """The same tree, whose thresholds are in the middle between the values that its own rows have there, as the
    library's exact method leaves them. Two exchanges. Rows that the tree was grown on go where they went."""
    dense = np.ascontiguousarray(_dense(features))
    low, high = np.empty(len(tree), np.float32), np.empty(len(tree), np.float32)
    own = np.arange(len(dense), dtype=np.int32) if rows is None else rows
    arrays = (tree.left, tree.right, tree.feature, tree.threshold, tree.default_left)
    update.sides(dense, own, *arrays, low, high)
    low = np.concatenate(group.gather(low[None])).max(axis=0)
    high = np.concatenate(group.gather(high[None])).min(axis=0)
    with np.errstate(invalid="ignore"):
        middle = (low + high) * np.float32(0.5)
        middle = np.where(middle > low, middle, high)
        middle = np.where(np.isinf(high), low + (np.abs(low) + EDGE), middle)
        middle = np.where(np.isinf(low), high - (np.abs(high) + EDGE), middle)
    moved = ~tree.is_leaf & (np.isfinite(low) | np.isfinite(high))
    return replace(tree, threshold=np.where(moved, middle, tree.threshold).astype(np.float32))


def _dense(features: Features) -> Floats:
    if not sparse.issparse(features):
        return np.asarray(features, np.float32)
    matrix = cast(Any, features)
    rows = np.full(matrix.shape, np.nan, np.float32)
    rows[np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices] = matrix.data
    return rows


def _columns(features: Features) -> list[Floats]:
    if not sparse.issparse(features):
        return list(np.asarray(features).T)
    columns = cast(Any, features).tocsc()
    return [columns.data[columns.indptr[f] : columns.indptr[f + 1]] for f in range(features.shape[1])]


def _between(values: Floats) -> Floats:
    """The middles, and one cut beyond the last value."""
    if not len(values):
        return np.array([2e-5], np.float32)
    middles = (values[:-1] + values[1:]) * np.float32(0.5)
    # Where no number lies between two, x < cut must still part them.
    middles = np.where(middles > values[:-1], middles, values[1:])
    return np.append(middles, values[-1] + (np.abs(values[-1]) + np.float32(1e-5))).astype(np.float32)


def _below(value: np.float32) -> np.float32:
    return np.float32(value - np.abs(value) - np.float32(1e-5))
