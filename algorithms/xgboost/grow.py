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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.threads import ALONE, team
from algoport.algorithms.xgboost.constraints import Interactions, directions
from algoport.algorithms.xgboost.kernels import entries, growth, histograms, partition, weights
from algoport.algorithms.xgboost.layouts import Bins
from algoport.algorithms.xgboost.sampling import Columns
from algoport.algorithms.xgboost.trees import Tree

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Gradients = NDArray[np.float32]  # (n, 2) gradient and Hessian

FEW = 16384  # rows of which gradients always have two halves
SEVERAL = 1 << 20  # codes of all rows; with fewer, threads wait for each other longer than they spare
ENOUGH = 64  # the mean absolute gradient, as a whole number, from which on 16 bits are enough


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

    @cached_property
    def rules(self) -> NDArray[np.float64]:
        """The numbers that `kernels.weights` computes with; float32 as the library keeps them."""
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
        self.team = team() if bins.codes_in_all >= SEVERAL else ALONE
        self.drawn = np.empty(0, np.int32) if rows is None else np.require(rows, np.int32, ["C"])
        self.gradients = np.require(gradients, np.float32, ["C"])
        self.columns = Columns(bins.width, settings, key)
        self.interactions = Interactions(bins.width, settings.interactions)
        self.directions = directions(bins.width, settings.monotone)
        self.everything = np.empty((0, bins.width), np.uint8)
        m = len(bins) if rows is None else len(rows)
        self.entries = _workspace(bins, "entries", m)
        self.spare = _workspace(bins, "spare", 2 * m).reshape(2, m)
        self.leaf = np.full(len(bins), -1, np.int32)
        self.nodes = bins.space.get("nodes", np.empty((1, growth.FIELDS), np.int64))
        self.gains = bins.space.get("gains", np.empty(1, np.float32))
        self.bounds = bins.space.get("bounds", np.empty((1, 2), np.float32))
        self.waiting = bins.space.get("waiting", np.empty(1, np.int64))
        self.pool = bins.space.get("pool", np.empty((0, 2, bins.size), np.int64))
        self.free = np.arange(len(self.pool))[::-1].copy()
        self.tree = np.zeros(5, np.int64)
        self.tree[growth.FREE] = len(self.pool)
        self.most, self.total = self._most(m)
        self.lower = np.empty(0, np.uint64)  # entries of lower halves, where gradients have two
        self.scales, sums = self._entered()
        self.units = 1 / np.array(self.scales)
        growth.plant(self.nodes, self.tree, self.bounds, m, sums)

    def run(self) -> None:
        """Split nodes until none is left that should be."""
        self._reserve(1)
        self.tree[growth.FREE] -= 1
        slot = self.nodes[0, growth.SLOT] = self.free[self.tree[growth.FREE]]
        whole = np.array([0, len(self.entries)])
        self._histograms(whole[:1], whole[1:], np.array([slot]))
        self._search(0)
        numbers, choice = np.empty(growth.BATCH, np.int64), np.empty((5, growth.BATCH), np.int64)
        lefts, s = np.empty(growth.BATCH, np.int64), self.settings
        by_gain = s.grow_policy == "lossguide"
        while True:
            first = int(self.tree[growth.NODES])
            self._make_room(first + 2 * growth.BATCH)
            k, may = growth.choose(
                self.nodes, self.gains, self.bounds, self.tree, self.waiting, self.free, self.bins.missing,
                s.max_depth, s.max_leaves, s.gamma, by_gain, self.units, s.rules, self.directions, numbers, choice,
                lefts,
            )  # fmt: skip
            if k == 0:
                break
            self._split(numbers[:k], np.ascontiguousarray(choice[:, :k]), lefts[:k], first, may)
        for name in ("nodes", "gains", "bounds", "waiting", "pool"):
            self.bins.space[name] = getattr(self, name)

    def _split(self, numbers: Longs, choice: Longs, lefts: Longs, first: int, may: bool) -> None:
        """Give the children of some nodes their rows; if they stay leaves, the rows their leaf. Children are numbered
        from `first` on."""
        for node, left, feature in zip(numbers.tolist(), lefts.tolist(), choice[2].tolist(), strict=True):
            self.interactions.split(node, left, left + 1, feature)
        if not may:
            self.bins.label(self.entries, choice, lefts, self.leaf, self.team)
            return
        self.bins.part(self.entries, self.spare, choice, lefts, self.team)
        counts = np.stack([lefts, choice[1] - choice[0]], axis=1)
        self.group.sum_(counts)
        self._reserve(len(numbers))
        small = np.empty((3, len(numbers)), np.int64)
        growth.settle(self.nodes, self.tree, self.free, numbers, lefts, counts, *small)
        self._histograms(*small)
        self._search(first)

    def result(self) -> tuple[Tree, NDArray[np.int32]]:
        """The tree, its sums computed anew from the gradients themselves, and every row's leaf."""
        m = int(self.tree[growth.NODES])
        nodes = self.nodes[:m]
        left, parent = nodes[:, growth.LEFT].astype(np.int32), nodes[:, growth.PARENT].astype(np.int32)
        feature = nodes[:, growth.FEATURE].astype(np.int32)
        inner = left >= 0
        feature[~inner] = 0
        right = left + inner
        self._label(nodes, left, feature)
        sums = self._fine_sums(parent)
        threshold, weight, gain = np.empty(m, np.float32), np.empty(m, np.float32), np.zeros(m, np.float32)
        weights.finish(
            left, right, feature, sums, self.settings.rules, self.directions, np.float32(self.settings.eta),
            threshold, weight, gain,
        )  # fmt: skip
        threshold[inner] = self.bins.cuts.thresholds(feature[inner], nodes[inner, growth.BIN])
        tree = Tree(
            left=left,
            right=right,
            parent=parent,
            feature=feature,
            threshold=threshold,
            default_left=nodes[:, growth.DEFAULT].astype(np.uint8) * inner,
            gain=gain,
            cover=sums[:, 1].astype(np.float32),
            weight=weight,
        )
        return tree, self.leaf

    def _label(self, nodes: Longs, left: Ints, feature: Ints) -> None:
        """The leaf of every row that has none yet, those included that the tree was not grown on."""
        numbers = np.flatnonzero((left < 0) & (nodes[:, growth.BEGIN] >= 0))
        leaves = nodes[numbers]
        partition.label(
            self.team, self.entries, leaves[:, growth.BEGIN].copy(), leaves[:, growth.END].copy(), numbers, self.leaf
        )
        if self.rows is not None:
            features = feature.astype(np.int64)
            also = np.where(nodes[:, growth.DEFAULT] > 0, self.bins.missing[features], -1)
            steps = int(nodes[:, growth.DEPTH].max())
            cuts = nodes[:, growth.BIN].copy()
            self.bins.descend(left.astype(np.int64), features, cuts, also, steps, self.leaf, self.team)

    def _most(self, m: int) -> tuple[NDArray[np.float64], int]:
        """The greatest gradient and Hessian, and the number of rows, over all members."""
        most = np.empty(2, np.int32)
        entries.largest(self.team, self.gradients.view(np.int32), most)
        mine = np.array([*most.view(np.float32), m], np.float64)
        everyone = np.stack(self.group.gather(mine[None]))[:, 0]
        return everyone[:, :2].max(axis=0), int(everyone[:, 2].sum())

    def _entered(self) -> tuple[list[float], Longs]:
        """Round the gradients, by powers of 2, so that what can be exact is; returns these, and the sums of the root.

        A second half where rows are few, so that it costs nothing, or where 16 bits would leave most gradients
        little, as a few are far greater.
        """
        halves, sums = self.total <= FEW, np.empty(3, np.int64)
        while True:
            more = entries.HALF if halves else 0
            scales = [_scale(self.most[0], 15 + more), _scale(self.most[1], 16 + more)]
            if halves:
                self.lower = _workspace(self.bins, "lower", len(self.bins))
            entries.enter(
                self.team, self.gradients, self.rows is not None, self.drawn, scales[0], scales[1], self.entries,
                self.lower, sums,
            )  # fmt: skip
            if halves:
                pairs, below = self.spare[0], np.empty(3, np.int64)
                everything = np.zeros(1, np.int64), np.array([len(self.entries)])
                entries.compact(self.team, self.entries, *everything, self.lower, pairs)
                entries.total(pairs, 0, len(pairs), below)
                sums = (sums << entries.HALF) + below
            self.group.sum_(sums)
            if halves or sums[2] >= ENOUGH * self.total:
                return scales, sums
            halves = True

    def _histograms(self, begins: Longs, ends: Longs, slots: Longs) -> None:
        """Sum the histograms of some nodes over all members."""
        self.bins.sum_up(self.entries, begins, ends, slots, self.pool, self.team)
        if len(self.lower):
            pairs, sums = self.spare[0], np.empty((len(slots), 2, self.bins.size), np.int64)
            entries.compact(self.team, self.entries, begins, ends, self.lower, pairs)
            self.bins.sum_up(pairs, begins, ends, np.arange(len(slots)), sums, self.team)
            histograms.join(self.pool, slots, sums)
        self.group.sum_(*(self.pool[slot] for slot in slots.tolist()))

    def _reserve(self, count: int) -> None:
        """So many free histograms."""
        have = int(self.tree[growth.FREE])
        if count <= have:
            return
        before = len(self.pool)
        after = max(before + count - have, 2 * before)
        self.pool = np.concatenate([self.pool, np.empty((after - before, 2, self.bins.size), np.int64)])
        self.free = np.concatenate([self.free[:have], np.arange(before, after), np.empty(before - have, np.int64)])
        self.tree[growth.FREE] = have + after - before

    def _make_room(self, count: int) -> None:
        """Room for so many nodes."""
        have = len(self.nodes)
        if count <= have:
            return
        more = max(count, 2 * have) - have
        self.nodes = np.concatenate([self.nodes, np.empty((more, growth.FIELDS), np.int64)])
        self.gains = np.concatenate([self.gains, np.empty(more, np.float32)])
        self.bounds = np.concatenate([self.bounds, np.empty((more, 2), np.float32)])
        self.waiting = np.concatenate([self.waiting, np.empty(more, np.int64)])

    def _search(self, first: int) -> None:
        """Find the best split of the nodes from `first` on."""
        allowed = self.everything
        if self.columns.any or self.interactions.any:
            fresh = self.nodes[first : self.tree[growth.NODES], growth.DEPTH].tolist()
            allowed = np.ones((len(fresh), self.bins.width), np.uint8)
            for i, depth in enumerate(fresh):
                self.columns.restrict_(allowed[i], depth, first + i)
                self.interactions.restrict_(allowed[i], first + i)
        growth.search(
            self.team, self.nodes, self.gains, self.bounds, self.tree, self.waiting, self.free, self.pool,
            self.bins.starts, self.bins.cuts.bins, allowed, self.units, self.settings.rules, self.directions, first,
        )  # fmt: skip

    def _fine_sums(self, parent: Ints) -> NDArray[np.float64]:
        """The sums (nodes, 2) of gradients and Hessians over all members, from leaves up."""
        room = 62 - math.ceil(math.log2(max(self.total, 2)))
        scales = [_scale(most, room) for most in self.most]
        sums = np.empty((len(parent), 2), np.int64)
        some = self.rows is not None
        entries.leaf_sums(self.team, self.gradients, parent, self.leaf, some, self.drawn, scales[0], scales[1], sums)
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
