"""Memory that grows without being copied, and that costs nothing before it is written."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.factorization_machines import kernels

SHIFT = kernels.LINE - kernels.HEAD  # numbers before the first record: factors then begin where a line of a cache does
_PRIVATE = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)


class Region:
    """Records of `width` float32 numbers, zeros at first; `records` (room, width) is another array after `grow`."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._map: Any = None
        self.records: NDArray[np.float32] = np.empty((0, width), np.float32)

    def grow(self, room: int) -> None:
        """Have room for at least so many records; those there are stay."""
        size = -(-(room * self._width + SHIFT) * 4 // mmap.PAGESIZE) * mmap.PAGESIZE
        before, self.records = self.records, np.empty((0, self._width), np.float32)
        moved = self._moved(size) if self._map is not None and len(before) == 0 else None
        if moved is None:
            moved = mmap.mmap(-1, size, flags=_PRIVATE) if _PRIVATE else mmap.mmap(-1, size)
            # Records are visited in no order: with pages of 2 MB each visit finds its page in the processor's table.
            if hasattr(mmap, "MADV_HUGEPAGE"):
                moved.madvise(mmap.MADV_HUGEPAGE)
        numbers = np.frombuffer(moved, np.float32, room * self._width, SHIFT * 4).reshape(room, self._width)
        numbers[: len(before)] = before
        self._map, self.records = moved, numbers

    def _moved(self, size: int) -> Any:
        """The same memory, longer; None where the system has no such call or somebody still looks at it."""
        try:
            self._map.resize(size)
        except (BufferError, SystemError, OSError, ValueError):
            return None
        return self._map
