"""Tables that every member has a replica of: between two exchanges each trains its own.    r rows   w columns"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext.state import State
from algoport.algorithms.contract.group import Group

Table = NDArray[np.float32]
_BLOCK = 1 << 14  # rows that are compared at a time


class Replicas:
    """A row becomes what it was, and the sum of all members' changes, as if one had made them after the other.

    Their mean would be a smaller step for what all have met: on two hosts vectors of the BBC's news were as if half
    learned. Sums go too far where members learn long without each other (`train.STEPS`). Only rows that some member has
    changed are exchanged.
    """

    def __init__(self, state: State, group: Group) -> None:
        tables = self._tables = state.inputs, state.outputs
        self._state, self._group = state, group
        others = group.size - 1
        # What nobody shares needs no second copy, which would be as large as the tables.
        self._before = tuple(table.copy() for table in tables) if others else ()

    def exchange(self) -> None:
        """Two exchanges a table; all members have the same afterwards."""
        if not self._before:
            return
        self._state.store()
        for table, before in zip(self._tables, self._before, strict=True):
            changed = np.zeros(len(table), np.float32)
            for first in range(0, len(table), _BLOCK):
                part = slice(first, first + _BLOCK)
                changed[part] = (table[part] != before[part]).any(axis=1)
            self._group.sum_(changed)
            rows = np.flatnonzero(changed)
            change = table[rows] - before[rows]
            self._group.sum_(change)
            before[rows] += change
            table[rows] = before[rows]
        self._state.fetch()
