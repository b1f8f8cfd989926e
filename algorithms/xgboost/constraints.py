"""What trees are held to: rising or falling in a feature, and which features may meet on a path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST = np.float32(np.finfo(np.float32).max)
Pair = tuple[np.float32, np.float32]


class Bounds:
    """Between what each node's weight must lie, so that a tree rises or falls in the features that it should.

    A split in such a feature sets the middle of its children's weights as the bound of both their subtrees, as the
    library does.
    """

    def __init__(self, d: int, monotone: Sequence[int]) -> None:
        self.any = len(monotone) > 0
        self.directions = np.zeros(d if self.any else 0, np.int8)
        self.directions[: len(monotone)] = monotone
        self.restart()

    def restart(self) -> None:
        """Forget all nodes but the root, which is free."""
        self._bounds: dict[int, Pair] = {0: (-MOST, MOST)}

    def __getitem__(self, node: int) -> Pair:
        return self._bounds[node] if self.any else (-MOST, MOST)

    def split(self, node: int, left: int, right: int, feature: int, low: np.float32, high: np.float32) -> Pair:
        """Give the children their bounds. `low` and `high`: their weights, left and right.

        Returns the weights. Where rounding has put them in the wrong order, both are the middle.
        """
        if not self.any:
            return low, high
        lower, upper = self._bounds[node]
        self._bounds[left], self._bounds[right] = (lower, upper), (lower, upper)
        direction, middle = self.directions[feature], np.float32((low + high) / np.float32(2))
        if direction == 0:
            return low, high
        if direction > 0:
            self._bounds[left], self._bounds[right] = (lower, middle), (middle, upper)
        else:
            self._bounds[left], self._bounds[right] = (middle, upper), (lower, middle)
        return (low, high) if (high - low) * direction >= 0 else (middle, middle)


class Interactions:
    """Which features each node may split by: those that were used above it, and those of each set that has all of
    these."""

    def __init__(self, d: int, sets: Sequence[Sequence[int]]) -> None:
        self._d = d
        self._sets = [frozenset(one) for one in sets]
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
