"""Negative examples by count: each is a function of a key and of a record's number, and of nothing drawn before it.

So the same negatives belong to a record on any number of threads and members, and in a job that was resumed.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from algoport.algorithms.shared.randomness import draw

_ROUNDS = 4  # of a Feistel network with random functions: with four no observer tells it from a random permutation
_ONE, _HALF, _TWO, _WORD = (np.uint64(bits) for bits in (1, 32, 2, 64))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def random_address(
    key: Any,  # of the step, uint64
    place: Any,  # of the draw, uint64
) -> Any:
    """An IPv4 address whose four octets are each uniform in 0..255, as uint32."""
    return np.uint32(draw(key, place) >> _HALF)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def half_bits(count: Any) -> Any:
    """Bits of either half of the numbers that `permuted` goes through: twice as many hold every number below `count`,
    and at most four times as many numbers as there are."""
    bits = np.uint64(1)
    while (_ONE << (_TWO * bits)) < np.uint64(count):
        bits += _ONE
    return bits


@numba.njit(nogil=True, cache=True, error_model="numpy")
def permuted(
    place: Any,  # below count, uint64
    count: Any,  # at least 1, uint64
    key: Any,  # of the permutation, uint64
    bits: Any,  # half_bits(count)
) -> Any:
    """Where a random permutation of 0..count-1 has its entry `place`, as uint64: a Feistel network (Luby and Rackoff,
    SIAM J. Comput. 17, 1988) that is applied again to every number beyond `count` (Black and Rogaway, CT-RSA 2002)."""
    mask = (_ONE << bits) - _ONE
    while True:
        left, right = place >> bits, place & mask
        for turn in range(_ROUNDS):
            left, right = right, left ^ (draw(key + np.uint64(turn), right) >> (_WORD - bits))
        place = (left << bits) | right
        if place < count:
            return place
