"""How the memory that arrays are made in is had from the system."""

from __future__ import annotations

import ctypes
import functools

_TRIM, _MAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_LARGE = 1 << 30


@functools.cache
def keep() -> bool:
    """Let this process keep what it frees for its next arrays; True where the C library can.

    Large arrays are otherwise given back each time, and their pages cleared anew by the kernel: 14 % of a step of a
    residual network at 224 x 224 in float32, 5 % at 28 x 28.
    """
    try:
        library = ctypes.CDLL(None)
        return bool(library.mallopt(_MAP, _LARGE) and library.mallopt(_TRIM, 2**31 - 1))
    except (OSError, AttributeError):
        return False
