"""Tables of rows as compiled loops read them.    r rows   d numbers of a row   w numbers that it takes"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.linalg.simd import LANES

_LINE = 64  # bytes of a cache line
_ROWS = 1 << 12  # that are looked at at a time


def width(d: int) -> int:
    """Numbers that a row of d takes: whole SIMD vectors, whatever the processor."""
    return -(-d // max(LANES, 16)) * max(LANES, 16)


def aligned(r: int, d: int) -> NDArray[np.float32]:
    """A table (r, w) of zeros, of which rows begin with a cache line. `UserError` where there is no memory for it."""
    w = width(d)
    try:
        whole = np.zeros(r * w + _LINE // 4, np.float32)
    except (MemoryError, ValueError):
        raise too_large(r, d) from None
    first = -(whole.ctypes.data // 4) % (_LINE // 4)
    return whole[first : first + r * w].reshape(r, w)


def is_finite(table: NDArray[np.float32]) -> bool:
    """Whether all numbers are, some rows at a time."""
    return all(bool(np.isfinite(table[first : first + _ROWS]).all()) for first in range(0, len(table), _ROWS))


def check_memory(rows: int, d: int) -> None:
    """`UserError` where tables of so many rows together take more memory than there is."""
    memory = machine.memory_limit()
    if memory is not None and 4 * rows * width(d) > memory:
        raise too_large(rows, d, memory)


def too_large(rows: int, d: int, memory: int | None = None) -> UserError:
    """The error of tables that do not fit."""
    gigabytes = 4 * rows * width(d) / 1e9
    there = f"; there are {memory / 1e9:.1f} GB" if memory is not None else ""
    return UserError(
        f"buckets, vector_dim: {rows:,} rows of {d:,} numbers would take {gigabytes:.1f} GB{there}. Lower buckets or "
        f"vector_dim, or raise min_count."
    )
