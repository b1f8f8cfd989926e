"""Rounds that take the trees of a model anew on other rows.    n rows   m nodes"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.boosting import Trees, one_tree
from algoport.algorithms.xgboost.data import TRAIN, Part
from algoport.algorithms.xgboost.kernels import update, weights
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.trees import LEAF, NO_PARENT, Tree

_FREE = (np.float32(-np.finfo(np.float32).max), np.float32(np.finfo(np.float32).max))


class Updating(Trees):
    """The first rounds of a model again, one after another: `refresh` takes what nodes know and leaves answer from the
    rows at hand, `prune` takes back splits that gain too little or lie too deep."""

    def __init__(self, plan: Plan, parts: Mapping[str, Part], booster: Booster, old: Booster) -> None:
        super().__init__(plan, parts, booster)
        self.old = old

    def advance(self) -> None:
        """The next round of the old model."""
        train, forest = self.parts[TRAIN], self.old.forest
        self.objective.gradients(self.margins[TRAIN], train.targets, self.whole, self.gradients)
        first, last = (int(end) for end in forest.indptr[self.rounds : self.rounds + 2])
        fresh = []
        for tree, k in zip(forest.trees[first:last], forest.group[first:last], strict=True):
            for step in self.plan.settings.steps:
                tree = self._refreshed(tree, int(k)) if step == "refresh" else self._pruned(tree)  # noqa: PLW2901
            fresh.append((tree, int(k)))
        for tree, k in fresh:
            alone = one_tree(tree)
            for name, part in self.parts.items():
                if len(part):
                    added = alone.margins(part.rows.features, np.zeros(1, np.float32), 1)
                    self.margins[name][:, k] += added[:, 0]
        grown = self.booster.forest.plus([tree for tree, _ in fresh], [k for _, k in fresh])
        self.booster = replace(self.booster, forest=grown)

    def _refreshed(self, tree: Tree, k: int) -> Tree:
        """Sums, weights and gains from the rows that come to each node now."""
        rows, m = self.parts[TRAIN].rows, len(tree)
        sums = np.zeros((m, 2))
        if len(rows):
            leaf = one_tree(tree).leaves(rows.features, 1)[:, 0]
            for j in range(2):
                sums[:, j] = np.bincount(leaf, self.gradients[k, :, j].astype(np.float64), m)
        update.spread(tree.left, tree.right, sums)
        self.plan.group.sum_(sums)
        rules = self.plan.growth.rules
        light = sums[:, 1] < self.plan.settings.min_child_weight  # to which too few rows come now: they add nothing
        weight = np.array([weights.weight_of(g, h, rules, *_FREE) for g, h in sums], np.float32)
        score = np.array([weights.gain_of(g, h, rules, *_FREE, False) for g, h in sums], np.float32)
        weight[light], score[light] = 0, 0
        inner = ~tree.is_leaf
        gain = np.where(inner, score[tree.left] + score[tree.right] - score, np.float32(0)).astype(np.float32)
        threshold = tree.threshold
        if self.plan.settings.refresh_leaf:
            threshold = np.where(inner, threshold, weight * np.float32(self.plan.growth.eta)).astype(np.float32)
        return replace(tree, threshold=threshold, weight=weight, gain=gain, cover=sums[:, 1].astype(np.float32))

    def _pruned(self, tree: Tree) -> Tree:
        """Splits between two leaves become leaves, and so on upward."""
        s = self.plan.settings
        left, right, threshold = tree.left.copy(), tree.right.copy(), tree.threshold.copy()
        depth = _depths(tree)
        # From the deepest up, so that a node whose children have become leaves is looked at after them. The library
        # measures depth at the leaf.
        for node in np.argsort(-depth, kind="stable"):
            if left[node] == LEAF or left[left[node]] != LEAF or left[right[node]] != LEAF:
                continue
            if tree.gain[node] < s.gamma or 0 < s.max_depth < depth[node] + 1:
                left[node] = right[node] = LEAF
                threshold[node] = np.float32(self.plan.growth.eta) * tree.weight[node]
        return _compact(replace(tree, left=left, right=right, threshold=threshold))


def _depths(tree: Tree) -> NDArray[np.int32]:
    depth = np.zeros(len(tree), np.int32)
    waiting = [0]
    for node in waiting:
        if tree.left[node] != LEAF:
            children = [int(tree.left[node]), int(tree.right[node])]
            depth[children] = depth[node] + 1
            waiting.extend(children)
    return depth


def _compact(tree: Tree) -> Tree:
    """The tree without the nodes that no way leads to, in the order they had."""
    survivors = [0]
    for node in survivors:
        if tree.left[node] != LEAF:
            survivors.extend((int(tree.left[node]), int(tree.right[node])))
    order = np.sort(np.array(survivors))
    place = np.full(len(tree), LEAF, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    inner = tree.left[order] != LEAF
    parent = tree.parent[order]
    return Tree(
        left=np.where(inner, place[tree.left[order]], LEAF).astype(np.int32),
        right=np.where(inner, place[tree.right[order]], LEAF).astype(np.int32),
        parent=np.where(parent == NO_PARENT, NO_PARENT, place[np.minimum(parent, len(tree) - 1)]).astype(np.int32),
        feature=np.where(inner, tree.feature[order], 0).astype(np.int32),
        threshold=tree.threshold[order],
        default_left=np.where(inner, tree.default_left[order], 0).astype(np.uint8),
        gain=np.where(inner, tree.gain[order], np.float32(0)).astype(np.float32),
        cover=tree.cover[order],
        weight=tree.weight[order],
        categories={int(place[node]): own for node, own in tree.categories.items() if place[node] >= 0},
    )
