"""The product of two float32 matrices, the same to the last bit on any number of threads.    m rows   n columns"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.gemm import HEIGHT, WIDTH, multiply_, pack_panels_
from algoport.algorithms.shared.linalg.panels import multiply_panels_
from algoport.algorithms.shared.threads import team


def product(a: Any, b: Any, out: NDArray[np.float32] | None = None, *, add: bool = False) -> NDArray[np.float32]:
    """a @ b (m, n), of float32 matrices that lie in C order or are transposed; into `out`, or added to it."""
    if out is None:
        out = np.empty((a.shape[0], b.shape[1]), np.float32)
    m, k = a.shape
    workers = team(m * k * b.shape[1])
    multiply_(workers, *_oriented(a), *_oriented(b), out, add, scratch(-(-m // HEIGHT) * HEIGHT * k))
    return out


class Panels:
    """A right matrix (k, n), packed once for many products with it: a small product would take longer to pack it than
    to multiply. A row of a product has the same bits whichever other rows there are."""

    def __init__(self, b: NDArray[np.float32]) -> None:
        k, self.columns = b.shape
        self._panels = np.empty((-(-self.columns // WIDTH), k, WIDTH), np.float32)
        own, turned = _oriented(b)
        pack_panels_(team(b.size), own, turned, self._panels)

    def product(
        self, a: NDArray[np.float32], out: NDArray[np.float32] | None = None, *, add: bool = False
    ) -> NDArray[np.float32]:
        """a @ b (m, n); into `out`, or added to it."""
        if out is None:
            out = np.empty((len(a), self.columns), np.float32)
        if a.shape[1] == 0:
            if not add:
                out[:] = 0
            return out
        multiply_panels_(team(len(a) * self._panels.size), const(a), const(self._panels), out, 0 if add else 1)
        return out


class _Room(threading.local):
    """Memory that a thread's products take again and again: new pages would cost as much as a small product."""

    numbers = np.empty(0, np.float32)


_room = _Room()


def scratch(size: int) -> NDArray[np.float32]:
    """At least so many numbers, which the calling thread's next product overwrites."""
    if len(_room.numbers) < size:
        _room.numbers = np.empty(size + (size >> 3), np.float32)
    return _room.numbers


def _oriented(x: Any) -> tuple[NDArray[np.float32], bool]:
    """The matrix as it lies in memory, and whether it is transposed."""
    if x.flags.c_contiguous or not x.T.flags.c_contiguous:
        return const(x), False
    return const(x.T), True
