"""Tables that every member has a replica of: between two exchanges each trains its own.    r rows   w columns"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext.state import State
from algoport.algorithms.contract.group import Group

Table = NDArray[np.float32]
_BLOCK = 1 << 14  # rows that are compared at a time
# How often a word comes until its row is exchanged. To exchange all rows after each million words took longer than to
# learn these, where the vocabulary is large.
_OFTEN = 16
_RARER = 4  # how many times as rare words are that are exchanged after so many times as many steps


class Replicas:
    """A row becomes what it was, and the sum of all members' changes, as if one had made them after the other.

    Their mean would be a smaller step for what all have met: on two hosts vectors of the BBC's news were as if half
    learned. Sums go too far where members learn long without each other (`train.STEPS`). Rows of words that come often
    are therefore exchanged after each step, and those of others as they come (Ji et al., 2016, section 4); of these
    only what some member has changed.
    """

    def __init__(self, state: State, group: Group, shares: NDArray[np.float64] | None, *, alike: bool) -> None:
        """`shares` (r,), falling: how often each row's word is expected in a step; None: all are exchanged. `alike`:
        all members learn the same, and have nothing to exchange."""
        tables = self._tables = state.inputs, state.outputs
        self._state, self._group, self._shares = state, group, shares
        others = 0 if alike else group.size - 1
        # What nobody shares needs no second copy, which would be as large as the tables.
        self._before = tuple(table.copy() for table in tables) if others else ()
        state.agree = self.exchange  # a checkpoint has what all have learned

    def step(self, number: int) -> None:
        """After the step of that number, from 0 on: rows that are due."""
        self.exchange(due(self._shares, number))

    def exchange(self, count: int | None = None) -> None:
        """The first rows of both tables, or all: the same at all members afterwards. Two exchanges a table."""
        if not self._before:
            return
        self._state.store()
        for table, before in zip(self._tables, self._before, strict=True):
            size = len(table) if count is None else min(count, len(table))
            changed = np.zeros(size, np.float32)
            for first in range(0, size, _BLOCK):
                part = slice(first, min(first + _BLOCK, size))
                changed[part] = (table[part] != before[part]).any(axis=1)
            self._group.sum_(changed)
            rows = np.flatnonzero(changed)
            change = table[rows] - before[rows]
            self._group.sum_(change)
            before[rows] += change
            table[rows] = before[rows]
        self._state.fetch()


def due(shares: NDArray[np.float64] | None, number: int) -> int | None:
    """How many rows are exchanged after a step: words that have come `_OFTEN` times since their last exchange, if they
    come as expected. None: all."""
    if shares is None:
        return None
    steps, number = 1, number + 1
    while number % _RARER == 0:
        steps, number = steps * _RARER, number // _RARER
    count = int(np.searchsorted(-shares * steps, -_OFTEN, side="right"))
    return None if count == len(shares) else count
