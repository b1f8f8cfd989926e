"""Rounds that drop some of the earlier trees (Rashmi and Gilad-Bachrach, DART, AISTATS 2015)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.xgboost.boosting import Trees
from algoport.algorithms.xgboost.data import TRAIN

Floats = NDArray[np.float32]

# What a draw is for, beside the seed and the round: no tree of a round has so high a number.
DROP = 1 << 20


class Dart(Trees):
    """Trees of which each has a factor. A new tree learns what those that were not dropped leave, and shares its
    weight with those that were."""

    def advance(self) -> None:
        """One more round. Margins are added up anew, as factors of earlier trees change."""
        drop = self._factors()
        dropped = self._dropped(drop)
        without = drop.copy()
        without[dropped] = 0
        train = self.parts[TRAIN]
        margins = replace(self.booster, forest=replace(self.booster.forest, drop=without)).margin(
            train.rows, self.rounds
        )
        grown = self.grown(margins)
        factors = self._shared(drop, dropped, len(grown))
        forest = self.booster.forest.plus([tree for tree, _, _ in grown], [k for _, _, k in grown], factors)
        self.booster = replace(self.booster, forest=forest)
        self.margins = {name: self.booster.margin(part.rows, self.rounds) for name, part in self.parts.items()}

    def _factors(self) -> Floats:
        drop = self.booster.forest.drop
        return np.ones(len(self.booster.forest), np.float32) if drop is None else drop.copy()

    def _dropped(self, drop: Floats) -> NDArray[np.int64]:
        """The numbers of the trees that this round leaves out."""
        s = self.plan.settings
        random = np.random.default_rng(self.plan.key(self.rounds, DROP))
        t = len(drop)
        skipped, draws, one = random.random() < s.skip_drop, random.random(t), random.random()
        if skipped or not t:
            return np.empty(0, np.int64)
        chance = np.full(t, s.rate_drop)
        if s.sample_type == "weighted":
            chance *= t * drop.astype(np.float64) / drop.sum(dtype=np.float64)
        dropped = np.flatnonzero(draws < chance)
        if len(dropped) or not s.one_drop:
            return dropped
        shares = np.cumsum(drop.astype(np.float64)) if s.sample_type == "weighted" else np.arange(1.0, t + 1)
        return np.array([min(int(np.searchsorted(shares, one * shares[-1], side="right")), t - 1)])

    def _shared(self, drop: Floats, dropped: NDArray[np.int64], new: int) -> Floats:
        """The factors of all trees, with those of the new ones: as the library has them."""
        rate, count = np.float32(self.plan.eta / new), len(dropped)
        if not count:
            return np.append(drop, np.ones(new, np.float32)).astype(np.float32)
        if self.plan.settings.normalize_type == "forest":
            old = fresh = np.float32(1 / (1 + rate))
        else:
            old, fresh = np.float32(count / (count + rate)), np.float32(1 / (count + rate))
        drop = drop.copy()
        drop[dropped] *= old
        return np.append(drop, np.full(new, fresh, np.float32)).astype(np.float32)
