"""Rounds of boosting that grow trees.    n rows   k margins of a row

One round: derivatives at the margins, a tree for each of the k (or several side by side), and what these add to the
margins of all rows that are watched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.threads import team
from algoport.algorithms.xgboost import binning, sampling
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.data import TRAIN, Part
from algoport.algorithms.xgboost.exact import centered, exact_cuts
from algoport.algorithms.xgboost.grow import grow
from algoport.algorithms.xgboost.kernels import update
from algoport.algorithms.xgboost.packed import PackedTrees
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.trees import Forest, Tree, nothing

Floats = NDArray[np.float32]


class Trees:
    """A booster that grows, and the margins of the rows that it is trained and watched on."""

    def __init__(self, plan: Plan, parts: Mapping[str, Part], booster: Booster) -> None:
        self.plan, self.parts, self.booster = plan, parts, booster
        self.objective = plan.objective
        self.whole = self.objective.whole(parts[TRAIN].targets, plan.group)
        self.gradients = np.empty((self.objective.outputs, len(parts[TRAIN]), 2), np.float32)
        self.margins = {name: booster.margin(part.rows, booster.rounds) for name, part in parts.items()}
        self._bins: binning.Bins | None = None

    @property
    def rounds(self) -> int:
        """How many rounds of boosting the booster has had."""
        return self.booster.rounds

    def advance(self) -> None:
        """One more round."""
        grown = self.grown(self.margins[TRAIN])
        for tree, leaf, k in grown:
            self._add(tree, leaf, k)
        forest = self.booster.forest.plus([tree for tree, _, _ in grown], [k for _, _, k in grown])
        self.booster = replace(self.booster, forest=forest)

    def grown(self, margins: Floats) -> list[tuple[Tree, NDArray[np.int32], int]]:
        """The trees of a round at these margins, the leaf of every row in each, and to which margin it adds."""
        self.objective.gradients(margins, self.parts[TRAIN].targets, self.whole, self.gradients)
        grown = []
        for k in range(self.objective.outputs):
            bins = self._binned(k)
            for p in range(self.plan.settings.num_parallel_tree):
                grown.append((*self._grown(bins, margins, k, p), k))
        return grown

    def _grown(self, bins: binning.Bins, margins: Floats, k: int, p: int) -> tuple[Tree, NDArray[np.int32]]:
        """A tree for margin k, and the leaf of every row."""
        s, group = self.plan.settings, self.plan.group
        key = self.plan.key(self.rounds, k, p)
        rows, gradients = sampling.sample_rows(self.gradients[k], s.subsample, s.sampling_method, key, group)
        tree, leaf = grow(bins, gradients, self.plan.growth, group, key, rows)
        if s.tree_method == "exact":
            tree = centered(tree, self.parts[TRAIN].rows.features, rows, group)
        if not self.objective.adaptive:
            return tree, leaf
        assert self.whole is not None
        used = leaf
        if rows is not None:
            used = np.full_like(leaf, -1)
            used[rows] = leaf[rows]
        leaf_values = self.objective.leaves(used, margins, k, self.whole)
        threshold = tree.threshold.copy()
        eta = np.float32(self.plan.growth.eta)
        for node, value in leaf_values.items():
            threshold[node] = np.float32(value) * eta
        return replace(tree, threshold=threshold), leaf

    def _add(self, tree: Tree, leaf: NDArray[np.int32], k: int) -> None:
        """Add what a tree answers to the margins."""
        update.add(team(len(leaf)), tree.threshold, leaf, self.margins[TRAIN], k)
        for name, part in self.parts.items():
            if name == TRAIN or not len(part):
                continue
            if part.rows.is_sparse:
                self.margins[name][:, k] += one_tree(tree).margins(part.rows.features, np.zeros(1, np.float32), 1)[:, 0]
            else:
                update.answer(
                    team(len(part)), part.rows.features, tree.left, tree.right, tree.feature, tree.threshold,
                    tree.default_left, self.margins[name], k,
                )  # fmt: skip

    def _binned(self, k: int) -> binning.Bins:
        """The codes of the rows: made once, or by approx anew with the Hessians as weights."""
        method, part = self.plan.settings.tree_method, self.parts[TRAIN]
        anew = method == "approx" and self.objective.name not in ("reg:squarederror", "reg:absoluteerror")
        if self._bins is None or anew:
            features, weight = part.rows.features, part.targets.weight
            if method == "exact":
                cuts = exact_cuts(features, self.plan.group)
            else:
                weights = self.gradients[k, :, 1].copy() if method == "approx" else (weight if len(weight) else None)
                cuts = binning.cuts(features, weights, self.plan.settings.max_bin, self.plan.group)
            self._bins = binning.bin_rows(features, cuts)
        return self._bins


def one_tree(tree: Tree) -> PackedTrees:
    """A tree alone, as the predictor reads it; it answers what its leaves say."""
    forest: Forest = nothing().plus([tree], [0])
    return Booster(objective="", num_feature=0, base_score=np.zeros(1, np.float32), forest=forest).packed
