"""What trees are held to: rising or falling in a feature, and which features may meet on a path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def directions(d: int, monotone: Sequence[int]) -> NDArray[np.int8]:
    """(d,) 1 where a tree must rise in a feature, -1 where it must fall, else 0; (0,) where all are free."""
    signs = np.zeros(d if any(monotone) else 0, np.int8)
    signs[: len(monotone)] = monotone if any(monotone) else ()
    return signs


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
