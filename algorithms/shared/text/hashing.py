"""Hashes of texts that are the same on every machine and in every release: models depend on them.    n texts

FNV-1a of 64 bits (Fowler, Noll and Vo; RFC 9923), byte by byte. Its upper bits know little of the last bytes: who takes
a part of the bits mixes them first, as `algoport.algorithms.shared.randomness.mix` does.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.arrays import const

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


def hashes(texts: Ragged) -> NDArray[np.uint64]:
    """The hash (n,) of each text's bytes."""
    out = np.empty(len(texts), np.uint64)
    _hash(const(texts.values, np.uint8), const(texts.offsets, np.int64), out)
    return out


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


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _hash(
    values: Any,  # in   (v,) uint8
    offsets: Any,  # in   (n + 1,) int64
    out: Any,  # sets (n,) uint64
) -> None:
    for i in range(len(out)):
        out[i] = text_hash(values, offsets[i], offsets[i + 1])
