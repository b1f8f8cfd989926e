"""Entities: hashed to rows of the table, and remembered as seen.    n entities   v rows of the table"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.ipinsights.kernels import entities as kernels
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.text.hashing import hashes

# Bits of the filter for each row of the table. With half as many entities as rows, as is advised, one in two million
# that were never seen passes for seen; with as many one in sixty thousand, with four times as many one in thirty.
BITS = 32
_BLOCK = 64 * kernels.WORDS
_LEAST = 64  # blocks: a small table may be shared by many entities

Seen = NDArray[np.uint64]


def hashed(texts: Ragged) -> NDArray[np.uint64]:
    """A hash (n,) of each entity."""
    return hashes(texts)


def rows(entities: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """The row (n,) of each hash in a table of `count`; some share one."""
    out = np.empty(len(entities), np.int64)
    kernels.rows_of_hashes(const(entities, np.uint64), count, out)
    return out


def nobody(count: int) -> Seen:
    """A filter that has seen no entity, for a table of so many rows."""
    return np.zeros(size(count), np.uint64)


def size(count: int) -> int:
    """Words of the filter of a table of so many rows."""
    return max(_LEAST, -(-BITS * count // _BLOCK)) * kernels.WORDS


def add(entities: NDArray[np.uint64], seen: Seen) -> None:
    """Mark hashes as seen."""
    kernels.add_seen(const(entities, np.uint64), seen)


def look(entities: NDArray[np.uint64], seen: Seen) -> NDArray[np.int64]:
    """1 where a hash was seen, 0 where it was not (n,); some were not and pass for seen, see `BITS`."""
    out = np.empty(len(entities), np.int64)
    kernels.look_seen(const(entities, np.uint64), const(seen, np.uint64), out)
    return out
