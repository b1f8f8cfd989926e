"""Random numbers by count: each is a hash of a key and a place in that key's stream, and of nothing before it.

SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), whose n-th state is
known without the others. So a draw can belong to a record, whoever holds it, in whatever order records come. The same
lines serve NumPy's arrays and compiled loops.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

GAMMA = np.uint64(0x9E3779B97F4A7C15)  # from one state of a stream to the next: the golden ratio, made odd
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31, _ONE = (np.uint64(bits) for bits in (11, 27, 30, 31, 1))

Bits = NDArray[np.uint64]


def _mix(state: Any) -> Any:
    state = (state ^ (state >> _S30)) * _FIRST
    state = (state ^ (state >> _S27)) * _SECOND
    return state ^ (state >> _S31)


def _share(bits: Any) -> Any:
    return (bits >> _S11) * 2.0**-53


def _inner_share(bits: Any) -> Any:
    return ((bits >> _S11) + 0.5) * 2.0**-53


_inlined = numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
# In compiled loops, of one uint64 each: 64 bits, whose every bit depends on every bit of the state; a number from 0 to
# 1, 1 left out; and one from 0 to 1, both left out.
mix, share, inner_share = _inlined(_mix), _inlined(_share), _inlined(_inner_share)


def seed_of(seed: int, use: int) -> int:
    """A seed of its own for each use of randomness in a job."""
    return int(np.random.SeedSequence([seed, use]).generate_state(1)[0])


@_inlined
def draw(key: Any, place: Any) -> Any:
    """64 random bits: the number at a place, from 0, of the stream of a key; of uint64, in compiled loops."""
    return mix((place + _ONE) * GAMMA + key)


@_inlined
def first_draw(key: Any) -> Any:
    """The number at place 0: a hash of the key."""
    return mix(key + GAMMA)


def hashes(state: Any) -> Bits:
    """`mix` of arrays of uint64."""
    with np.errstate(over="ignore"):
        return np.asarray(_mix(np.asarray(state, np.uint64)))


def draws(key: Any, places: Any) -> Bits:
    """`draw` of arrays of uint64, which are broadcast against each other."""
    with np.errstate(over="ignore"):
        return hashes((np.asarray(places, np.uint64) + _ONE) * GAMMA + np.asarray(key, np.uint64))


def shares(bits: Bits) -> NDArray[np.float64]:
    """`share` of an array: from 0 to 1, 1 left out."""
    return np.asarray(_share(bits), np.float64)


def inner_shares(bits: Bits) -> NDArray[np.float64]:
    """`inner_share` of an array: from 0 to 1, both left out."""
    return np.asarray(_inner_share(bits), np.float64)
