"""FNV-1a (Fowler, Noll and Vo; RFC 9923) in compiled loops.

Of 32 bits it is in fastText's form, which takes bytes for signed numbers: one from 128 on also turns the upper 24 bits
over, so that hashes are those of plain FNV-1a for ASCII alone.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
BASIS_32, _PRIME_32 = np.uint32(0x811C9DC5), np.uint32(0x01000193)  # the hash of no bytes, and the factor


@numba.njit(nogil=True, cache=True, error_model="numpy")
def text_hash(
    values: Any,  # in (v,) uint8
    first: Any,  # of the bytes that count
    last: Any,  # behind them
) -> Any:
    """FNV-1a of a stretch of bytes, as uint64."""
    state = _BASIS
    for place in range(first, last):
        state = (state ^ np.uint64(values[place])) * _PRIME
    return state


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def hash_more_32(
    state: Any,  # uint32, at first BASIS_32
    byte: Any,  # uint8
) -> Any:
    """fastText's hash of 32 bits with one more byte, as uint32."""
    return np.uint32((state ^ np.uint32(np.int32(np.int8(byte)))) * _PRIME_32)
