"""Trees in the form in which they answer.    n rows   d features   t trees   m nodes   k outputs

Few rows, and trees too deep for anything else, are walked down one node after another; many rows are compared with
all splits of a tree at once, 512 rows at a time, as bits (`planes`). Both add the same float32 numbers in the order of
the trees, so that an answer depends neither on how it was found nor on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Features
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.xgboost.kernels import planes, walks

MOST_CATEGORIES = 1 << 24  # the library's own limit: what float32 can count
FEW = 24  # rows; below, comparing a whole block with all splits costs more than walking
SERIAL = 20_000  # rows times trees that one thread walks before others could begin
ROOM = 1 << 24  # numbers of sparse rows that are spread out at a time
WIDE = 1 << 20  # features up to which a table says where each stands among those that trees split by
NAMED = 1 << 27  # from this feature on nodes do not name features themselves, as twice a feature must fit int32


Answer = TypeVar("Answer", bound="NDArray[Any]")


@dataclass(frozen=True, eq=False)
class PackedTrees:
    """Trees as the kernels read them; nodes are numbered anew through all trees, siblings side by side."""

    nodes: NDArray[np.int32]  # (m * 4,) threshold as bits, feature * 2 + default_left, left child, value as bits
    roots: NDArray[np.int64]  # (t + 1,) the first node of each tree
    depth: NDArray[np.int32]  # (t,) of the deepest leaf; negative where a node of the tree splits by category
    group: NDArray[np.int32]  # (t,) to which output the tree adds
    sets: NDArray[np.int32]  # where nodes split by category: how many words of bits, then the words
    number: NDArray[np.int32]  # (m,) of the node within its tree, as the library counts
    cover: NDArray[np.float32]  # (m,)
    width: int  # of rows: the highest feature and one
    names: NDArray[np.int32] | None = None  # the features that nodes count; where None, they name features themselves

    @cached_property
    def floats(self) -> NDArray[np.float32]:
        """The nodes, their bits read as float32."""
        return self.nodes.view(np.float32)

    @cached_property
    def planes(self) -> tuple[NDArray[Any], ...] | None:
        """The trees for many rows at once, as `planes.prepared` describes; None where none of them is found so."""
        some = (self.depth >= 0).any()
        arrays = planes.prepare(self.nodes, self.roots, self.depth) if some else None
        return arrays if arrays and len(arrays[0]) <= planes.MOST_COLUMNS else None

    @cached_property
    def features(self) -> NDArray[np.int32]:
        """The features by which a node splits, rising."""
        if self.names is not None:
            return self.names
        nodes = self.nodes.reshape(-1, 4)
        split = nodes[:, 2] != np.arange(len(nodes))
        return np.unique(nodes[split, 1] >> 1).astype(np.int32)

    @cached_property
    def place(self) -> NDArray[np.int32]:
        """(width,) where each feature stands among `features`, or -1; of wide trees that of those features alone."""
        if self.width > WIDE:
            return const(np.arange(len(self.features)), np.int32)
        place = np.full(self.width, -1, np.int32)
        place[self.features] = np.arange(len(self.features))
        return const(place, np.int32)

    @cached_property
    def compact(self) -> PackedTrees:
        """The same trees for rows that hold `features` only, in their order."""
        if self.names is not None:
            return replace(self, width=max(len(self.names), 1), names=None)
        nodes = self.nodes.reshape(-1, 4).copy()
        split = nodes[:, 2] != np.arange(len(nodes))
        place = np.searchsorted(self.features, nodes[:, 1] >> 1)
        nodes[:, 1] = np.where(split, place * 2 + (nodes[:, 1] & 1), nodes[:, 1] & 1)
        return replace(self, nodes=const(nodes.reshape(-1), np.int32), width=max(len(self.features), 1))

    def margins(self, features: Features, base: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """(n, k): `base` (k,) and what the first `count` trees add. Values that are NaN, or absent of sparse rows,
        are missing, as are columns that the rows lack."""
        return self._in_parts(features, lambda rows, trees: trees._margins(rows, base, count))

    def leaves(self, features: Features, count: int) -> NDArray[np.int32]:
        """(n, count) which node of each of the first trees a row ends at, by the library's number."""

        def find(rows: NDArray[np.float32], trees: PackedTrees) -> NDArray[np.int32]:
            numbers = np.empty((len(rows), count), np.int32)
            walked = trees.nodes, trees.floats, trees.roots, trees.depth, trees.sets, trees.number
            walks.leaves(rows.reshape(-1), rows.shape[1], *walked, count, numbers)
            return numbers

        return self._in_parts(features, find)

    def _margins(self, rows: NDArray[np.float32], base: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        n, d = rows.shape
        sums = np.empty((n, len(base)), np.float32)
        sums[:] = base
        if not count or not n:
            return sums
        trees = rows.reshape(-1), d, self.nodes, self.floats, self.roots, self.depth, self.group, self.sets, count
        if n >= FEW and count >= planes.WORTH and self.planes is not None:
            arguments: tuple[Any, ...] = (*trees, *self.planes, sums)
            planes.add(*arguments)
        elif n == 1 or n * count <= SERIAL or (threads := numba.get_num_threads()) == 1:
            walks.add_alone(*trees, sums)
        else:  # asked for inside of the kernel, the number of threads would keep it from being cached
            walks.add(*trees, threads, sums)
        return sums

    def _in_parts(self, features: Features, find: Callable[[NDArray[np.float32], PackedTrees], Answer]) -> Answer:
        """What `find` says of the rows, sparse ones spread out over the features that matter, some at a time."""
        if not sparse.issparse(features):
            rows = const(features, np.float32)
            if rows.shape[1] >= self.width and self.names is None:
                return find(rows, self)
            some = np.full((len(rows), self.compact.width), np.nan, np.float32)
            there = int(np.searchsorted(self.features, rows.shape[1]))
            some[:, :there] = rows[:, self.features[:there]]
            return find(const(some, np.float32), self.compact)
        matrix: Any = features if self.width <= WIDE else self._mentioned(features)
        entries = const(matrix.indptr, np.int64), const(matrix.indices, np.int32), const(matrix.data, np.float32)
        n, width = matrix.shape[0], self.compact.width
        parts, step = [], max(1, ROOM // width)
        for start in range(0, max(n, 1), step):
            block = np.full((min(step, n - start), width), np.nan, np.float32)
            walks.spread(*entries, start, self.place, block)
            parts.append(find(const(block, np.float32), self.compact))
        return parts[0] if len(parts) == 1 else cast(Answer, np.concatenate(parts))

    def _mentioned(self, matrix: Any) -> Any:
        """Sparse rows of the features by which a node splits alone, numbered in their order."""
        place = np.searchsorted(self.features, matrix.indices)
        there = np.append(self.features, -1)[place] == matrix.indices
        ends = np.concatenate([[0], np.cumsum(there)])[matrix.indptr]
        shape = (matrix.shape[0], max(len(self.features), 1))
        return sparse.csr_array((matrix.data[there], place[there], ends), shape=shape)


def depths_and_parents(
    offsets: NDArray[np.int64], left: NDArray[np.int32], right: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Of each node (m,) its depth and its parent within its tree. The depth is UNREACHED where no root leads to it,
    and NO_TREE at a root whose tree is none: a child that is not there, or is reached twice."""
    offsets, left, right = const(offsets, np.int64), const(left, np.int32), const(right, np.int32)
    depth, parent = np.empty(len(left), np.int32), np.empty(len(left), np.int32)
    walks.reach(offsets, left, right, depth, parent)
    return depth, parent


def pack(
    *,
    offsets: NDArray[np.int64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    feature: NDArray[np.int32],
    threshold: NDArray[np.float32],
    default_left: NDArray[np.uint8],
    cover: NDArray[np.float32],
    group: NDArray[np.int32],
    factor: NDArray[np.float32] | None,
    categories: Sequence[Mapping[int, NDArray[np.int32]]],
) -> PackedTrees:
    """From the flat arrays of a forest, whose trees are sound. `factor` (t,): by what the values are multiplied."""
    m, t = len(left), len(group)
    offsets = const(offsets, np.int64)
    factors = np.ones(t, np.float32) if factor is None else factor
    starts, sets = _sets(categories, offsets, m)
    split = left >= 0
    width, names = int(feature[split].max(initial=-1)) + 1, None
    if width > NAMED:
        names = np.unique(feature[split])
        feature = np.where(split, np.searchsorted(names, feature), 0).astype(np.int32)
    nodes = np.empty(m * 4, np.int32)
    depth, number = np.zeros(t, np.int32), np.zeros(m, np.int32)
    walks.pack(
        offsets, const(left, np.int32), const(right, np.int32), const(feature, np.int32),
        const(threshold, np.float32).view(np.int32), const(default_left, np.uint8), starts, nodes, depth, number,
    )  # fmt: skip
    trees = np.repeat(np.arange(t), np.diff(offsets))
    order = number + offsets[trees] if m else number
    values = (threshold * factors[trees])[order]
    leaf = left[order] < 0
    view = nodes.reshape(-1, 4)
    view[leaf, 3] = values[leaf].view(np.int32)
    depth[[i for i, some in enumerate(categories) if some]] *= -1
    return PackedTrees(
        nodes=const(nodes, np.int32),
        roots=offsets,
        depth=const(depth, np.int32),
        group=const(group, np.int32),
        sets=const(sets, np.int32),
        number=const(number, np.int32),
        cover=const(cover[order], np.float32),
        width=width,
        names=None if names is None else const(names, np.int32),
    )


def _sets(
    categories: Sequence[Mapping[int, NDArray[np.int32]]], offsets: NDArray[np.int64], m: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Where the set of each node (m,) begins, or -1; and the sets, each a number of words and the words."""
    starts, sets = np.full(m, -1, np.int32), [np.zeros(0, np.int32)]
    at = 0
    for t, some in enumerate(categories):
        for node, members in some.items():
            words = np.zeros((int(members.max(initial=-1)) >> 5) + 1, np.uint32)
            np.bitwise_or.at(words, members >> 5, np.uint32(1) << (members & 31).astype(np.uint32))
            starts[offsets[t] + node] = at
            sets.append(np.concatenate([np.array([len(words)], np.int32), words.view(np.int32)]))
            at += len(words) + 1
    return starts, np.concatenate(sets)
