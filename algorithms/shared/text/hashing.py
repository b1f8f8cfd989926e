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
from algoport.algorithms.shared.text.fnv import text_hash


def hashes(texts: Ragged) -> NDArray[np.uint64]:
    """The hash (n,) of each text's bytes."""
    out = np.empty(len(texts), np.uint64)
    _hash(const(texts.values, np.uint8), const(texts.offsets, np.int64), out)
    return out


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _hash(
    values: Any,  # in   (v,) uint8
    offsets: Any,  # in   (n + 1,) int64
    out: Any,  # sets (n,) uint64
) -> None:
    for i in range(len(out)):
        out[i] = text_hash(values, offsets[i], offsets[i + 1])
