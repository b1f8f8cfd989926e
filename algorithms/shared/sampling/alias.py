"""Draws from a fixed distribution in constant time: the alias method (Walker 1977; Vose, "A linear algorithm for
generating random numbers with a given distribution", 1991).    n outcomes

A draw is a function of 64 random bits, which come from a counter (`algoport.algorithms.shared.randomness.draw`).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def alias_table(weights: Any) -> NDArray[np.uint32]:
    """The table (n, 2) of outcomes with probabilities proportional to the weights: a threshold, and who has what lies
    above it. Weights (n,) are finite, not negative, and not all zero."""
    weights = np.ascontiguousarray(weights, np.float64)
    table = np.empty((len(weights), 2), np.uint32)
    _fill(weights * (len(weights) / weights.sum()), table)
    return table


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def draw_outcome(
    table: Any,  # in (n, 2) uint32
    bits: Any,  # uint64: the lower half says which entry, the upper whether it or its alias
) -> Any:
    """The outcome that 64 random bits stand for, as int64."""
    entry = np.int64(((bits & _LOW) * np.uint64(len(table))) >> _HALF)
    return entry if (bits >> _HALF) <= np.uint64(table[entry, 0]) else np.int64(table[entry, 1])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _fill(
    shares: Any,  # in/out (n,) float64 of mean 1
    table: Any,  # sets   (n, 2) uint32
) -> None:
    n = len(shares)
    small, large = np.empty(n, np.int64), np.empty(n, np.int64)
    less = more = 0
    for i in range(n):
        if shares[i] < 1.0:
            small[less] = i
            less += 1
        else:
            large[more] = i
            more += 1
    while less and more:
        less -= 1
        one, other = small[less], large[more - 1]
        table[one, 0] = np.uint32(shares[one] * 4294967295.0)
        table[one, 1] = other
        shares[other] -= 1.0 - shares[one]
        if shares[other] < 1.0:
            more -= 1
            small[less] = other
            less += 1
    for i in range(less):  # what rounding has left
        table[small[i], 0] = 0xFFFFFFFF
        table[small[i], 1] = small[i]
    for i in range(more):
        table[large[i], 0] = 0xFFFFFFFF
        table[large[i], 1] = large[i]
