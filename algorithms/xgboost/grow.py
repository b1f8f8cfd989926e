"""Growing one tree on binned rows.    n rows   m rows in the tree   d features   k nodes

A level at a time (Chen and Guestrin, KDD 2016, algorithm 1 on histograms): rows go to the children, the histogram of
the smaller child is summed over the rows and over all members, its sibling's is what is left of the parent's, and
both are searched for their best split. Gradients are whole numbers there, so the tree is the same for any number of
threads and members. What leaves add is then computed from finer sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.group import Group
from algorithms.xgboost.binning import Bins
from algorithms.xgboost.constraints import Bounds, Interactions
from algorithms.xgboost.kernels import histograms, partition, splits
from algorithms.xgboost.sampling import Columns
from algorithms.xgboost.trees import NO_PARENT, Tree

Longs = NDArray[np.int64]
Gradients = NDArray[np.float32]  # (n, 2) gradient and Hessian

LEAST_GAIN = 1e-6  # below it a split is none (the library's kRtEps)
BATCH = 256  # nodes of a level that are split together, as the library does; it matters where leaves are limited


@dataclass(frozen=True)
class GrowSettings:
    """What shapes a tree; the names are the library's."""

    eta: float = 0.3
    gamma: float = 0.0
    lambda_: float = 1.0
    alpha: float = 0.0
    max_depth: int = 6  # 0: no limit
    max_leaves: int = 0  # 0: no limit
    grow_policy: str = "depthwise"  # or lossguide
    min_child_weight: float = 1.0
    max_delta_step: float = 0.0
    colsample_bytree: float = 1.0
    colsample_bylevel: float = 1.0
    colsample_bynode: float = 1.0
    monotone: Sequence[int] = ()  # of the first features: 1 rising, -1 falling, 0 free
    interactions: Sequence[Sequence[int]] = ()  # sets of features that may meet on a path

    @property
    def rules(self) -> NDArray[np.float64]:
        """The numbers that `kernels.splits` computes with; float32 as the library keeps them."""
        single = np.array([self.lambda_, self.alpha, self.max_delta_step, self.min_child_weight], np.float32)
        return single.astype(np.float64)


def grow(
    bins: Bins,
    gradients: Gradients,
    settings: GrowSettings,
    group: Group,
    key: Sequence[int],
    rows: NDArray[np.int32] | None = None,
) -> tuple[Tree, NDArray[np.int32]]:
    """A tree, and the leaf of every row.

    `rows`: those that the tree is grown on, rising; all where it is None. `key`: whole numbers, the same at every
    member, that the draws of features depend on and nothing else. One exchange a level, and three more.
    """
    growth = _Growth(bins, gradients, settings, group, key, rows)
    growth.run()
    return growth.tree(), growth.leaf()


@dataclass
class _Node:
    """A node while its tree is grown."""

    number: int
    depth: int
    begin: int  # its rows in `entries`
    end: int
    parent: int = NO_PARENT
    slot: int = -1  # its histogram in the pool
    gain: float = 0.0
    feature: int = 0
    bin: int = -2  # the last one that goes left
    default_left: bool = False
    left: int = -1
    right: int = -1
    sums: tuple[int, int] = (0, 0)  # of g and h, in whole numbers
    left_sums: tuple[int, int] = (0, 0)  # those of the rows that would go left


class _Growth:
    """The nodes of a tree that grows, its rows in their order, and the histograms of the nodes that may be split."""

    def __init__(
        self,
        bins: Bins,
        gradients: Gradients,
        settings: GrowSettings,
        group: Group,
        key: Sequence[int],
        rows: NDArray[np.int32] | None,
    ) -> None:
        self.bins, self.settings, self.group, self.rows = bins, settings, group, rows
        self.gradients = np.require(gradients, np.float32, ["C"])
        self.columns = Columns(bins.width, settings, key)
        self.interactions = Interactions(bins.width, settings.interactions)
        self.bounds = Bounds(bins.width, settings.monotone)
        m = len(bins) if rows is None else len(rows)
        self.entries = _kept(bins, "entries", m)
        self.spare = _kept(bins, "spare", m)
        self.words = bins.codes.view(np.uint32)
        self.size = len(bins.codes) * bins.per * bins.cuts.stride
        self.pool = bins.space.get("pool", np.empty((0, 2, self.size), np.int64))
        self.free: list[int] = list(range(len(self.pool)))[::-1]
        self.nodes = [_Node(0, 0, 0, m)]
        self.leaves = 1
        self.most, self.total = self._most(m)
        self.unit_g, self.unit_h = self._rounded()

    def run(self) -> None:
        """Split nodes until none is left that should be."""
        root = self.nodes[0]
        self._histograms([root])
        sums = self.pool[root.slot, :, : self.bins.cuts.stride].sum(axis=1)  # of any feature, missing values included
        root.sums = (int(sums[0]), int(sums[1]))
        self._search([root])
        waiting = [root]
        while chosen := self._chosen(waiting):
            children = self._split(chosen)
            alive = [pair for node, pair in zip(chosen, children, strict=True) if self._child_may_split(node)]
            for node in chosen:
                if node.slot >= 0 and not self._child_may_split(node):
                    self.free.append(node.slot)
                    node.slot = -1
            if alive:
                self._histograms_of(alive)
                fresh = [node for pair in alive for node in pair]
                self._search(fresh)
                waiting.extend(node for node in fresh if node.gain > LEAST_GAIN)
                self.free.extend(node.slot for node in fresh if node.gain <= LEAST_GAIN)
        self.bins.space["pool"] = self.pool

    def tree(self) -> Tree:
        """The tree, its sums computed anew from the gradients themselves."""
        m = len(self.nodes)
        sums = self._fine_sums()
        weight, gain = np.zeros(m, np.float32), np.zeros(m, np.float32)
        self.bounds.restart()
        rules = self.settings.rules
        eta = np.float32(self.settings.eta)
        weight[0] = splits.weight_of(*sums[0], rules, *self.bounds[0])
        value = np.float32(weight[0] * eta)
        threshold = np.full(m, value, np.float32)
        cover = sums[:, 1].astype(np.float32)
        for node in self.nodes:
            if node.left < 0:
                continue
            low, high = self.bounds[node.number]
            pair = [splits.weight_of(*sums[child], rules, low, high) for child in (node.left, node.right)]
            pair = self.bounds.split(node.number, node.left, node.right, node.feature, pair[0], pair[1])
            bounded = self.bounds.any
            parts = [splits.gain_of(*sums[i], rules, low, high, bounded) for i in (node.left, node.right, node.number)]
            gain[node.number] = np.float32(np.float32(parts[0] + parts[1]) - parts[2])
            weight[node.number] = splits.weight_of(*sums[node.number], rules, low, high)
            for child, own in zip((node.left, node.right), pair, strict=True):
                threshold[child] = weight[child] = np.float32(own * eta)
            threshold[node.number] = self.bins.cuts.threshold(node.feature, node.bin)
        return Tree(
            left=np.array([node.left for node in self.nodes], np.int32),
            right=np.array([node.right for node in self.nodes], np.int32),
            parent=np.array([node.parent for node in self.nodes], np.int32),
            feature=np.array([node.feature if node.left >= 0 else 0 for node in self.nodes], np.int32),
            threshold=threshold,
            default_left=np.array([node.default_left and node.left >= 0 for node in self.nodes], np.uint8),
            gain=gain,
            cover=cover,
            weight=weight,
        )

    def leaf(self) -> NDArray[np.int32]:
        """The leaf of every row, those included that the tree was not grown on."""
        leaf = np.empty(len(self.bins), np.int32)
        if self.rows is None:
            leaves = [node for node in self.nodes if node.left < 0]
            begins, ends = self._places(leaves)
            partition.label(self.entries, begins, ends, np.array([node.number for node in leaves], np.int32), leaf)
            return leaf
        partition.descend(
            self.bins.columns,
            np.array([node.left for node in self.nodes], np.int32),
            np.array([node.right for node in self.nodes], np.int32),
            np.array([node.feature for node in self.nodes], np.int64),
            np.array([node.bin for node in self.nodes], np.int64),
            self.bins.missing,
            np.array([node.default_left for node in self.nodes], np.uint8),
            leaf,
        )
        return leaf

    def _most(self, m: int) -> tuple[NDArray[np.float64], int]:
        """The greatest gradient and Hessian, and the number of rows, over all members."""
        mine = np.array([*histograms.largest(self.gradients), m], np.float64)
        everyone = np.stack(self.group.gather(mine[None]))[:, 0]
        return everyone[:, :2].max(axis=0), int(everyone[:, 2].sum())

    def _rounded(self) -> tuple[float, float]:
        """Round the gradients; returns what 1 stands for. Powers of 2, so that what can be exact is."""
        scales = [_scale(self.most[0], 15), _scale(self.most[1], 16)]
        rows = np.empty(0, np.int32) if self.rows is None else self.rows
        histograms.enter(self.gradients, rows, scales[0], scales[1], self.entries)
        return 1 / scales[0], 1 / scales[1]

    def _chosen(self, waiting: list[_Node]) -> list[_Node]:
        """The nodes that are split next; takes them, and those that must not be split, from `waiting`."""
        if self.settings.grow_policy == "lossguide":
            while waiting:
                best = max(waiting, key=lambda node: (node.gain, -node.number))
                waiting.remove(best)
                if self._may_split(best):
                    self.leaves += 1
                    return [best]
                return []
            return []
        chosen: list[_Node] = []
        if not waiting:
            return chosen
        depth = waiting[0].depth
        while waiting and waiting[0].depth == depth and len(chosen) < BATCH:
            node = waiting.pop(0)
            if self._may_split(node):
                self.leaves += 1
                chosen.append(node)
        return chosen

    def _may_split(self, node: _Node) -> bool:
        s = self.settings
        return (
            node.gain > LEAST_GAIN
            and node.left_sums[1] != 0
            and node.left_sums[1] != node.sums[1]
            and node.gain >= s.gamma
            and not (s.max_depth > 0 and node.depth == s.max_depth)
            and not (s.max_leaves > 0 and self.leaves == s.max_leaves)
        )

    def _child_may_split(self, node: _Node) -> bool:
        s = self.settings
        return not (s.max_depth > 0 and node.depth + 1 >= s.max_depth) and not (
            s.max_leaves > 0 and self.leaves >= s.max_leaves
        )

    def _split(self, chosen: list[_Node]) -> list[tuple[_Node, _Node]]:
        """Give the nodes their children, and the children their rows."""
        begins, ends = self._places(chosen)
        features = np.array([node.feature for node in chosen], np.int64)
        lefts = np.empty(len(chosen), np.int64)
        partition.split(
            self.bins.columns, self.entries, self.spare, begins, ends, features,
            np.array([node.bin for node in chosen], np.int64), self.bins.missing[features],
            np.array([node.default_left for node in chosen], np.uint8), lefts,
        )  # fmt: skip
        pairs, rules = [], self.settings.rules
        for node, count in zip(chosen, lefts, strict=True):
            middle = node.begin + int(count)
            node.left, node.right = len(self.nodes), len(self.nodes) + 1
            left = _Node(node.left, node.depth + 1, node.begin, middle, node.number)
            right = _Node(node.right, node.depth + 1, middle, node.end, node.number)
            left.sums = node.left_sums
            right.sums = (node.sums[0] - left.sums[0], node.sums[1] - left.sums[1])
            self.interactions.split(node.number, node.left, node.right, node.feature)
            sides = [
                splits.weight_of(
                    child.sums[0] * self.unit_g, child.sums[1] * self.unit_h, rules, *self.bounds[node.number]
                )
                for child in (left, right)
            ]
            self.bounds.split(node.number, node.left, node.right, node.feature, sides[0], sides[1])
            self.nodes.extend((left, right))
            pairs.append((left, right))
        return pairs

    def _histograms_of(self, pairs: list[tuple[_Node, _Node]]) -> None:
        """The histograms of both children: one is summed, the other is what remains of the parent's."""
        counts = np.array([[left.end - left.begin, right.end - right.begin] for left, right in pairs], np.int64)
        self.group.sum_(counts)
        small = [pair[int(count[1] < count[0])] for pair, count in zip(pairs, counts, strict=True)]
        large = [pair[int(count[1] >= count[0])] for pair, count in zip(pairs, counts, strict=True)]
        for node in large:
            parent = self.nodes[node.parent]
            node.slot, parent.slot = parent.slot, -1
        self._histograms(small)
        slots = np.array([[node.slot for node in nodes] for nodes in (large, small)], np.int64)
        histograms.subtract(self.pool, slots[0], slots[1])

    def _histograms(self, nodes: list[_Node]) -> None:
        """Sum the histograms of some nodes over all members."""
        self._reserve(len(nodes))
        for node in nodes:
            node.slot = self.free.pop()
        slots = np.array([node.slot for node in nodes], np.int64)
        begins, ends = self._places(nodes)
        bins = self.bins
        per_word = 4 // bins.codes.itemsize
        histograms.build(
            self.words, bins.row // per_word, bins.per, bins.cuts.stride, per_word == 2, self.entries, begins, ends,
            slots, self.pool, _threads(),
        )  # fmt: skip
        self.group.sum_(*(self.pool[slot] for slot in slots))

    def _reserve(self, count: int) -> None:
        missing = count - len(self.free)
        if missing > 0:
            before = len(self.pool)
            after = max(before + missing, 2 * before)
            self.pool = np.concatenate([self.pool, np.empty((after - before, 2, self.size), np.int64)])
            self.free.extend(range(before, after))

    def _search(self, nodes: list[_Node]) -> None:
        """Find the best split of each node."""
        k, d = len(nodes), self.bins.width
        gains, features = np.empty(k, np.float32), np.empty(k, np.int64)
        cuts, defaults, left = np.empty(k, np.int64), np.empty(k, np.uint8), np.zeros((k, 2), np.int64)
        allowed = np.ones((k, d), np.uint8)
        for row, node in zip(allowed, nodes, strict=True):
            self.columns.restrict_(row, node.depth, node.number)
            self.interactions.restrict_(row, node.number)
        splits.evaluate(
            self.pool, self.bins.cuts.stride, np.array([node.slot for node in nodes], np.int64),
            np.array([node.sums for node in nodes], np.int64), self.bins.cuts.bins, allowed, self.unit_g,
            self.unit_h, self.settings.rules, np.array([self.bounds[node.number] for node in nodes], np.float32),
            self.bounds.directions, gains, features, cuts, defaults, left,
        )  # fmt: skip
        for j, node in enumerate(nodes):
            node.gain, node.feature, node.bin = float(gains[j]), int(features[j]), int(cuts[j])
            node.default_left = bool(defaults[j])
            node.left_sums = (int(left[j, 0]), int(left[j, 1]))

    def _places(self, nodes: list[_Node]) -> tuple[Longs, Longs]:
        return np.array([node.begin for node in nodes], np.int64), np.array([node.end for node in nodes], np.int64)

    def _fine_sums(self) -> NDArray[np.float64]:
        """The sums (nodes, 2) of gradients and Hessians over all members, from leaves up."""
        leaves = [node for node in self.nodes if node.left < 0]
        room = 62 - math.ceil(math.log2(max(self.total, 2)))
        scales = [_scale(most, room) for most in self.most]
        sums = np.zeros((len(self.nodes), 2), np.int64)
        own = np.empty((len(leaves), 2), np.int64)
        histograms.leaf_sums(self.gradients, self.entries, *self._places(leaves), scales[0], scales[1], own)
        self.group.sum_(own)
        sums[[node.number for node in leaves]] = own
        for node in reversed(self.nodes[1:]):
            sums[node.parent] += sums[node.number]
        return sums / np.array(scales)


def _scale(most: float, bits: int) -> float:
    """The greatest power of 2 by which numbers up to `most` stay below 2^bits."""
    if most <= 0:
        return 1.0
    return 2.0 ** min(bits - math.frexp(most)[1], 1000)


def _kept(bins: Bins, name: str, count: int) -> NDArray[np.uint64]:
    """An array that lives as long as the bins do."""
    have = bins.space.get(name)
    if have is None or len(have) < count:
        have = bins.space[name] = np.empty(count, np.uint64)
    return have[:count]


def _threads() -> int:
    import numba

    return int(numba.get_num_threads())
