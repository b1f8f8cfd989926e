"""What trees answer.    n rows   d features   t trees   m nodes   k outputs

Few rows, and trees too deep for anything else, are walked down one node after another; many rows are compared with
all splits of a tree at once, 512 rows at a time, as bits (`planes`). Both add the same float32 numbers in the order of
the trees, so that an answer depends neither on how it was found nor on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algorithms.xgboost.kernels import planes, walks

NO_TREE, UNREACHED = walks.NO_TREE, walks.UNREACHED
MOST_CATEGORIES = 1 << 24  # the library's own limit: what float32 can count
FEW = 192  # rows; below, comparing with all splits costs more than walking
SERIAL = 20_000  # rows times trees that one thread walks before others could begin
ROOM = 1 << 24  # numbers of sparse rows that are spread out at a time


@dataclass(frozen=True, eq=False)
class Packed:
    """Trees as the kernels read them; nodes are numbered anew through all trees, siblings side by side."""

    nodes: NDArray[np.int32]  # (m * 4,) threshold as bits, feature * 2 + default_left, left child, value as bits
    roots: NDArray[np.int64]  # (t + 1,) the first node of each tree
    depth: NDArray[np.int32]  # (t,) of the deepest leaf; negative where a node of the tree splits by category
    group: NDArray[np.int32]  # (t,) to which output the tree adds
    sets: NDArray[np.int32]  # where nodes split by category: how many words of bits, then the words
    number: NDArray[np.int32]  # (m,) of the node within its tree, as the library counts
    cover: NDArray[np.float32]  # (m,)
    width: int  # of rows: the highest feature and one

    @cached_property
    def floats(self) -> NDArray[np.float32]:
        """The nodes, their bits read as float32."""
        return self.nodes.view(np.float32)

    @cached_property
    def planes(self) -> planes.Planes:
        """The trees for many rows at once."""
        return planes.prepared(self.nodes, self.roots, self.depth)

    @cached_property
    def features(self) -> NDArray[np.int32]:
        """The features by which a node splits, rising."""
        nodes = self.nodes.reshape(-1, 4)
        split = nodes[:, 2] != np.arange(len(nodes))
        return np.unique(nodes[split, 1] >> 1).astype(np.int32)

    @cached_property
    def compact(self) -> Packed:
        """The same trees for rows that hold `features` only, in their order."""
        nodes = self.nodes.reshape(-1, 4).copy()
        split = nodes[:, 2] != np.arange(len(nodes))
        place = np.searchsorted(self.features, nodes[:, 1] >> 1)
        nodes[:, 1] = np.where(split, place * 2 + (nodes[:, 1] & 1), nodes[:, 1] & 1)
        return replace(self, nodes=_taken(nodes.reshape(-1), np.int32), width=max(len(self.features), 1))


def walked(offsets, left, right) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Of each node (m,) its depth and its parent within its tree. The depth is UNREACHED where no root leads to it,
    and NO_TREE at a root whose tree is none: a child that is not there, or is reached twice."""
    offsets, left, right = _taken(offsets, np.int64), _taken(left, np.int32), _taken(right, np.int32)
    depth, parent = np.empty(len(left), np.int32), np.empty(len(left), np.int32)
    walks.reach(offsets, left, right, depth, parent)
    return depth, parent


def packed(
    *,
    offsets,
    left,
    right,
    feature,
    threshold,
    default_left,
    cover,
    group,
    factor,
    categories: Sequence[Mapping[int, NDArray[np.int32]]],
) -> Packed:
    """From the flat arrays of a forest, whose trees are sound. `factor` (t,): by what the values are multiplied."""
    m, t = len(left), len(group)
    offsets = _taken(offsets, np.int64)
    factor = np.ones(t, np.float32) if factor is None else factor
    starts, sets = _sets(categories, offsets, m)
    nodes = np.empty(m * 4, np.int32)
    depth, number = np.zeros(t, np.int32), np.zeros(m, np.int32)
    walks.pack(
        offsets, _taken(left, np.int32), _taken(right, np.int32), _taken(feature, np.int32),
        _taken(threshold, np.float32).view(np.int32), _taken(default_left, np.uint8), starts, nodes, depth, number,
    )  # fmt: skip
    trees = np.repeat(np.arange(t), np.diff(offsets))
    order = number + offsets[trees] if m else number
    values = (np.asarray(threshold, np.float32) * np.asarray(factor, np.float32)[trees])[order]
    leaf = np.asarray(left)[order] < 0
    view = nodes.reshape(-1, 4)
    view[leaf, 3] = np.ascontiguousarray(values[leaf]).view(np.int32)
    depth[[i for i, some in enumerate(categories) if some]] *= -1
    split = np.asarray(left) >= 0
    return Packed(
        nodes=_taken(nodes, np.int32),
        roots=offsets,
        depth=_taken(depth, np.int32),
        group=_taken(group, np.int32),
        sets=_taken(sets, np.int32),
        number=_taken(number, np.int32),
        cover=_taken(np.asarray(cover, np.float32)[order], np.float32),
        width=int(np.asarray(feature)[split].max(initial=-1)) + 1,
    )


def margins(features, trees: Packed, base, count: int) -> NDArray[np.float32]:
    """(n, k): `base` (k,) and what the first `count` trees add. Values that are NaN, or absent of sparse rows, are
    missing, as are columns that the rows lack."""
    return _in_parts(features, trees, lambda rows, some: _margins(rows, some, base, count))


def leaves(features, trees: Packed, count: int) -> NDArray[np.int32]:
    """(n, count) which node of each of the first trees a row ends at, by the library's number."""

    def find(rows, some):
        found = np.empty((len(rows), count), np.int32)
        walks.leaves(rows.reshape(-1), rows.shape[1], *_walked(some), count, found)
        return found

    return _in_parts(features, trees, find)


def _margins(rows, trees: Packed, base, count: int) -> NDArray[np.float32]:
    n, d = rows.shape
    k = len(base)
    sums = np.empty((n, k), np.float32)
    sums[:] = base
    if not count or not n:
        return sums
    flat = rows.reshape(-1)
    if n < FEW or count < planes.WORTH or not trees.planes.any:
        one = n == 1 or n * count <= SERIAL or numba.get_num_threads() == 1
        walk = walks.add_alone if one else walks.add
        walk(flat, d, trees.nodes, trees.floats, trees.roots, trees.depth, trees.group, trees.sets, count, sums)
        return sums
    some = trees.planes
    planes.add(
        flat, d, trees.nodes, trees.floats, trees.roots, trees.depth, trees.group, trees.sets, count, some.features,
        some.tables, some.first_split, some.splits, some.places, some.first_value, some.values, sums,
    )  # fmt: skip
    return sums


def _walked(trees: Packed):
    return trees.nodes, trees.floats, trees.roots, trees.depth, trees.sets, trees.number


def _in_parts(features: Any, trees: Packed, find):
    """What `find` says of the rows, sparse ones spread out over the features that matter, some at a time."""
    if not sparse.issparse(features):
        rows = _taken(features, np.float32)
        if rows.shape[1] < trees.width:
            rows = _taken(np.pad(rows, ((0, 0), (0, trees.width - rows.shape[1])), constant_values=np.nan), np.float32)
        return find(rows, trees)
    (n, d), width = features.shape, trees.compact.width
    place = np.full(max(d, trees.width), -1, np.int32)
    place[trees.features] = np.arange(len(trees.features))
    indptr, indices = _taken(features.indptr, np.int64), _taken(features.indices, np.int32)
    data, step = _taken(features.data, np.float32), max(1, ROOM // width)
    parts = []
    for start in range(0, max(n, 1), step):
        block = np.full((min(step, n - start), width), np.nan, np.float32)
        walks.spread(indptr, indices, data, start, place, block)
        parts.append(find(_taken(block, np.float32), trees.compact))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _sets(categories, offsets, m: int):
    """Where the set of each node (m,) begins, or -1; and the sets, each a number of words and the words."""
    starts, sets = np.full(m, -1, np.int32), [np.zeros(0, np.int32)]
    at = 0
    for t, some in enumerate(categories):
        for node, held in some.items():
            words = np.zeros((int(held.max(initial=-1)) >> 5) + 1, np.uint32)
            np.bitwise_or.at(words, held >> 5, np.uint32(1) << (held & 31).astype(np.uint32))
            starts[offsets[t] + node] = at
            sets.append(np.concatenate([np.array([len(words)], np.int32), words.view(np.int32)]))
            at += len(words) + 1
    return starts, np.concatenate(sets)


def _taken(array, dtype):
    """As a compiled function takes it: contiguous, and read-only, so that a mapped file is no case of its own."""
    view = np.require(array, dtype, ["C", "A"]).view(np.ndarray)[:]
    view.flags.writeable = False
    return view
