"""What trees are held to: rising or falling in a feature, and which features may meet on a path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.xgboost.kernels import splits

Rules = NDArray[np.float64]

MOST = np.float32(np.finfo(np.float32).max)


class Bounds:
    """Between what each node's weight must lie, so that a tree rises or falls in the features that it should."""

    def __init__(self, d: int, monotone: Sequence[int]) -> None:
        self.any = any(monotone)
        self.directions = np.zeros(d if self.any else 0, np.int8)
        self.directions[: len(monotone)] = monotone if self.any else ()
        self._lower, self._upper = np.full(1, -MOST), np.full(1, MOST)

    def of(self, nodes: Sequence[int]) -> NDArray[np.float32]:
        """(k, 2) the bounds of some nodes."""
        if not self.any:
            free = np.empty((len(nodes), 2), np.float32)
            free[:] = (-MOST, MOST)
            return free
        return np.stack([self._lower[nodes], self._upper[nodes]], axis=1)

    def split(self, node: int, left: int, right: int, feature: int, sums: NDArray[np.float64], rules: Rules) -> None:
        """Give the children, whose sums of gradients and Hessians are `sums` (2, 2), their bounds."""
        if not self.any:
            return
        if right >= len(self._lower):
            more = np.full(right + 1, MOST)
            self._lower, self._upper = np.append(self._lower, -more), np.append(self._upper, more)
        low, high = self._lower[node], self._upper[node]
        weights = [splits.weight_of(float(g), float(h), rules, low, high) for g, h in sums]
        splits.share_bounds(
            self._lower, self._upper, node, left, right, int(self.directions[feature]), weights[0], weights[1]
        )


class Interactions:
    """Which features each node may split by: those that were used above it, and those of each set that has all of
    these."""

    def __init__(self, d: int, sets: Sequence[Sequence[int]]) -> None:
        self._d = d
        self._sets = [frozenset(one) for one in sets]
        self.any = len(self._sets) > 0
        self._used: dict[int, frozenset[int]] = {0: frozenset()}

    def split(self, node: int, left: int, right: int, feature: int) -> None:
        """The children have used what the node has, and its feature."""
        if self._sets:
            self._used[left] = self._used[right] = self._used[node] | {feature}

    def restrict_(self, allowed: NDArray[np.uint8], node: int) -> None:
        """Set what the node may not use to 0 in `allowed` (d,)."""
        if not self._sets or not self._used[node]:
            return
        used = self._used[node]
        may = set(used).union(*(one for one in self._sets if used <= one))
        mask = np.zeros(self._d, np.bool_)
        mask[[feature for feature in may if feature < self._d]] = True
        allowed[~mask] = 0
