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

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.xgboost.constraints import Bounds, Interactions
from algoport.algorithms.xgboost.kernels import histograms, partition, splits
from algoport.algorithms.xgboost.layouts import Bins, Choice
from algoport.algorithms.xgboost.sampling import Columns
from algoport.algorithms.xgboost.trees import NO_PARENT, Tree

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Gradients = NDArray[np.float32]  # (n, 2) gradient and Hessian

LEAST_GAIN = 1e-6  # below it a split is none (the library's kRtEps)
FEW = 16384  # rows of which gradients always have two halves
ENOUGH = 64  # the mean absolute gradient, as a whole number, from which on 16 bits are enough
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
    return growth.result()


@dataclass(slots=True)
class _Node:
    """A node while its tree is grown."""

    number: int
    depth: int
    begin: int = -1  # its rows in `entries`; -1 where only `leaf` knows them
    end: int = -1
    parent: int = NO_PARENT
    slot: int = -1  # its histogram in the pool
    less: int = -1  # the one that must be taken off it before it is searched, else -1
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
        self.drawn = np.empty(0, np.int32) if rows is None else np.require(rows, np.int32, ["C"])
        self.gradients = np.require(gradients, np.float32, ["C"])
        self.columns = Columns(bins.width, settings, key)
        self.interactions = Interactions(bins.width, settings.interactions)
        self.bounds = Bounds(bins.width, settings.monotone)
        m = len(bins) if rows is None else len(rows)
        self.entries = _workspace(bins, "entries", m)
        self.spare = _workspace(bins, "spare", 2 * m).reshape(2, m)
        self.leaf = np.full(len(bins), -1, np.int32)
        self.pool = bins.space.get("pool", np.empty((0, 2, bins.size), np.int64))
        self.free: list[int] = list(range(len(self.pool)))[::-1]
        self.nodes = [_Node(0, 0, 0, m)]
        self.leaves = 1
        self.most, self.total = self._most(m)
        self.lower = np.empty(0, np.uint64)  # entries of lower halves, where gradients have two
        self.scales, sums = self._entered()
        self.unit_g, self.unit_h = 1 / self.scales[0], 1 / self.scales[1]
        self.nodes[0].sums = (int(sums[0]), int(sums[1]))

    def run(self) -> None:
        """Split nodes until none is left that should be."""
        root = self.nodes[0]
        self._histograms([root])
        self._search([root])
        waiting = [root]
        while chosen := self._chosen(waiting):
            # Whether children may be split is the same for all of a level; only its last leaves may be too many.
            may = [self._child_may_split(node) for node in chosen]
            pairs = self._split(chosen, last=not any(may))
            self.free.extend(node.slot for node, goes_on in zip(chosen, may, strict=True) if not goes_on)
            alive = [pair for pair, goes_on in zip(pairs, may, strict=True) if goes_on]
            if alive:
                self._histograms_of(alive)
                fresh = [node for pair in alive for node in pair]
                self._search(fresh)
                waiting.extend(node for node in fresh if node.gain > LEAST_GAIN)
                self.free.extend(node.slot for node in fresh if node.gain <= LEAST_GAIN)
        self.bins.space["pool"] = self.pool

    def result(self) -> tuple[Tree, NDArray[np.int32]]:
        """The tree, its sums computed anew from the gradients themselves, and every row's leaf."""
        m = len(self.nodes)
        left = np.array([node.left for node in self.nodes], np.int32)
        right = np.array([node.right for node in self.nodes], np.int32)
        parent = np.array([node.parent for node in self.nodes], np.int32)
        inner = left >= 0
        feature = np.array([node.feature for node in self.nodes], np.int32) * inner
        leaf = self._leaf(left, feature)
        sums = self._fine_sums(parent, leaf)
        threshold, weight, gain = np.empty(m, np.float32), np.empty(m, np.float32), np.zeros(m, np.float32)
        splits.finish(
            left, right, feature, sums, self.settings.rules, self.bounds.directions, np.float32(self.settings.eta),
            threshold, weight, gain,
        )  # fmt: skip
        last = np.array([node.bin for node in self.nodes if node.left >= 0], np.int64)
        threshold[inner] = self.bins.cuts.thresholds(feature[inner], last)
        tree = Tree(
            left=left,
            right=right,
            parent=parent,
            feature=feature,
            threshold=threshold,
            default_left=np.array([node.default_left for node in self.nodes], np.uint8) * inner,
            gain=gain,
            cover=sums[:, 1].astype(np.float32),
            weight=weight,
        )
        return tree, leaf

    def _leaf(self, left: Ints, feature: Ints) -> Ints:
        """The leaf of every row, those included that the tree was not grown on."""
        leaves = [node for node in self.nodes if node.left < 0 and node.begin >= 0]
        numbers = np.array([node.number for node in leaves], np.int32)
        partition.label(self.entries, *self._places(leaves), numbers, self.leaf)
        if self.rows is not None:
            cuts = np.array([node.bin for node in self.nodes], np.int64)
            also = np.array([self._also(node) for node in self.nodes], np.int64)
            steps = max(node.depth for node in self.nodes)
            self.bins.descend(left, feature.astype(np.int64), cuts, also, steps, self.leaf)
        return self.leaf

    def _most(self, m: int) -> tuple[NDArray[np.float64], int]:
        """The greatest gradient and Hessian, and the number of rows, over all members."""
        mine = np.array([*histograms.largest(self.gradients), m], np.float64)
        everyone = np.stack(self.group.gather(mine[None]))[:, 0]
        return everyone[:, :2].max(axis=0), int(everyone[:, 2].sum())

    def _entered(self) -> tuple[list[float], Longs]:
        """Round the gradients, by powers of 2, so that what can be exact is; returns these, and the sums of the root.

        A second half where rows are few, so that it costs nothing, or where 16 bits would leave most gradients
        little, as a few are far greater.
        """
        halves = self.total <= FEW
        while True:
            more = histograms.HALF if halves else 0
            scales = [_scale(self.most[0], 15 + more), _scale(self.most[1], 16 + more)]
            if halves:
                self.lower = _workspace(self.bins, "lower", len(self.bins))
            histograms.enter(
                self.gradients, self.rows is not None, self.drawn, scales[0], scales[1], self.entries, self.lower
            )
            sums = histograms.totals(self.entries)
            if halves:
                pairs = self.spare[0]
                everything = np.zeros(1, np.int64), np.array([len(self.entries)])
                histograms.compact(self.entries, *everything, self.lower, pairs)
                sums = (sums << histograms.HALF) + histograms.totals(pairs)
            self.group.sum_(sums)
            if halves or sums[2] >= ENOUGH * self.total:
                return scales, sums
            halves = True

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

    def _split(self, chosen: list[_Node], last: bool) -> list[tuple[_Node, _Node]]:
        """Give the nodes their children, and the children their rows; if they stay leaves, the rows their leaf."""
        pairs = [self._children(node) for node in chosen]
        begins, ends = self._places(chosen)
        choice = Choice(
            begins=begins,
            ends=ends,
            features=np.array([node.feature for node in chosen], np.int64),
            bins=np.array([node.bin for node in chosen], np.int64),
            also=np.array([self._also(node) for node in chosen], np.int64),
        )
        lefts = np.array([node.left for node in chosen], np.int64)
        if last:
            self.bins.label(self.entries, choice, lefts, self.leaf)
            return pairs
        self.bins.part(self.entries, self.spare, choice, lefts)
        for node, (left, right), count in zip(chosen, pairs, lefts.tolist(), strict=True):
            left.begin, right.end = node.begin, node.end
            left.end = right.begin = node.begin + count
        return pairs

    def _children(self, node: _Node) -> tuple[_Node, _Node]:
        """The two new nodes below one."""
        node.left, node.right = len(self.nodes), len(self.nodes) + 1
        (g, h), depth = node.left_sums, node.depth + 1
        left = _Node(node.left, depth, parent=node.number, sums=(g, h))
        right = _Node(node.right, depth, parent=node.number, sums=(node.sums[0] - g, node.sums[1] - h))
        self.nodes.extend((left, right))
        self.interactions.split(node.number, node.left, node.right, node.feature)
        if self.bounds.any:
            sums = np.array([left.sums, right.sums]) * (self.unit_g, self.unit_h)
            self.bounds.split(node.number, node.left, node.right, node.feature, sums, self.settings.rules)
        return left, right

    def _also(self, node: _Node) -> int:
        """The code of missing values where they go left, else -1."""
        return int(self.bins.missing[node.feature]) if node.default_left else -1

    def _histograms_of(self, pairs: list[tuple[_Node, _Node]]) -> None:
        """The histograms of both children: one is summed, the other will be what remains of the parent's."""
        counts = np.array([[left.end - left.begin, right.end - right.begin] for left, right in pairs], np.int64)
        self.group.sum_(counts)
        small = [pair[int(count[1] < count[0])] for pair, count in zip(pairs, counts, strict=True)]
        large = [pair[int(count[1] >= count[0])] for pair, count in zip(pairs, counts, strict=True)]
        for node in large:
            parent = self.nodes[node.parent]
            node.slot, parent.slot = parent.slot, -1
        self._histograms(small)
        for node, other in zip(large, small, strict=True):
            node.less = other.slot

    def _histograms(self, nodes: list[_Node]) -> None:
        """Sum the histograms of some nodes over all members."""
        self._reserve(len(nodes))
        for node in nodes:
            node.slot = self.free.pop()
        slots = np.array([node.slot for node in nodes], np.int64)
        begins, ends = self._places(nodes)
        self.bins.sum_up(self.entries, begins, ends, slots, self.pool, _threads())
        if len(self.lower):
            pairs, sums = self.spare[0], np.empty((len(nodes), 2, self.bins.size), np.int64)
            histograms.compact(self.entries, begins, ends, self.lower, pairs)
            self.bins.sum_up(pairs, begins, ends, np.arange(len(nodes)), sums, _threads())
            histograms.join(self.pool, slots, sums)
        self.group.sum_(*(self.pool[slot] for slot in slots))

    def _reserve(self, count: int) -> None:
        missing = count - len(self.free)
        if missing > 0:
            before = len(self.pool)
            after = max(before + missing, 2 * before)
            self.pool = np.concatenate([self.pool, np.empty((after - before, 2, self.bins.size), np.int64)])
            self.free.extend(range(before, after))

    def _search(self, nodes: list[_Node]) -> None:
        """Find the best split of each node."""
        k, d = len(nodes), self.bins.width
        gains, features = np.empty(k, np.float32), np.empty(k, np.int64)
        cuts, defaults, left = np.empty(k, np.int64), np.empty(k, np.uint8), np.zeros((k, 2), np.int64)
        drawn = self.columns.any or self.interactions.any
        allowed = np.ones((k if drawn else 0, d), np.uint8)
        if drawn:
            for row, node in zip(allowed, nodes, strict=True):
                self.columns.restrict_(row, node.depth, node.number)
                self.interactions.restrict_(row, node.number)
        splits.evaluate(
            self.pool, self.bins.starts, np.array([node.slot for node in nodes], np.int64),
            np.array([node.less for node in nodes], np.int64), np.array([node.sums for node in nodes], np.int64),
            self.bins.cuts.bins, allowed, self.unit_g, self.unit_h, self.settings.rules,
            self.bounds.of([node.number for node in nodes]), self.bounds.directions, gains, features, cuts, defaults,
            left,
        )  # fmt: skip
        best_splits = zip(
            nodes, gains.tolist(), features.tolist(), cuts.tolist(), defaults.tolist(), left.tolist(), strict=True
        )
        for node, gain, feature, cut, default, (g, h) in best_splits:
            node.gain, node.feature, node.bin, node.default_left = gain, feature, cut, bool(default)
            node.left_sums = (g, h)

    def _places(self, nodes: list[_Node]) -> tuple[Longs, Longs]:
        return np.array([node.begin for node in nodes], np.int64), np.array([node.end for node in nodes], np.int64)

    def _fine_sums(self, parent: Ints, leaf: Ints) -> NDArray[np.float64]:
        """The sums (nodes, 2) of gradients and Hessians over all members, from leaves up."""
        room = 62 - math.ceil(math.log2(max(self.total, 2)))
        scales = [_scale(most, room) for most in self.most]
        sums = np.empty((len(self.nodes), 2), np.int64)
        some = self.rows is not None
        histograms.leaf_sums(self.gradients, parent, leaf, some, self.drawn, scales[0], scales[1], sums)
        self.group.sum_(sums)
        return np.asarray(sums / np.array(scales), np.float64)


def _scale(most: float, bits: int) -> float:
    """The greatest power of 2 by which numbers up to `most` stay below 2^bits."""
    if most <= 0:
        return 1.0
    return 2.0 ** min(bits - math.frexp(most)[1], 1000)


def _workspace(bins: Bins, name: str, count: int) -> NDArray[np.uint64]:
    """An array that lives as long as the bins do."""
    have = bins.space.get(name)
    if have is None or len(have) < count:
        have = bins.space[name] = np.empty(count, np.uint64)
    return have[:count]


def _threads() -> int:
    import numba

    return int(numba.get_num_threads())
