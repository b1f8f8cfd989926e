"""Token vectors: looked up, averaged, and put side by side for convolutions.

v rows of a table   d numbers of a vector   p tokens of n sequences, one after another   w tokens of a window
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.threads import share, team

Array = NDArray[np.float32]
BLOCK = 32  # tokens or sequences that are worked on together


def look_up(
    table: Array,  # in   (v, d)
    ids: NDArray[np.int32],  # in   (p,)
) -> Array:
    """The vector of each token (p, d)."""
    out = np.empty((len(ids), table.shape[1]), np.float32)
    _look_up(team(out.size), const(table), const(ids, np.int32), out)
    return out


def means(
    table: Array,  # in   (v, d)
    ids: NDArray[np.int32],  # in   (p,)
    offsets: NDArray[np.int64],  # in   (n + 1,)
) -> Array:
    """The mean of the vectors of each sequence (n, d)."""
    out = np.empty((len(offsets) - 1, table.shape[1]), np.float32)
    _means(team(len(ids) * table.shape[1]), const(table), const(ids, np.int32), const(offsets, np.int64), out)
    return out


def windows(
    x: Array,  # in   (p, d)
    offsets: NDArray[np.int64],  # in   (n + 1,)
    width: int,  # w
) -> Array:
    """What a convolution sees at each token (p, w d): its vector and those around it in the sequence, 0 beyond."""
    if width == 1:
        return x
    out = np.empty((len(x), width * x.shape[1]), np.float32)
    _windows(team(out.size), const(x), const(offsets, np.int64), width, out)
    return out


def folded(
    wide: Array,  # in   (p, w d)  gradients of windows
    offsets: NDArray[np.int64],  # in   (n + 1,)
    width: int,  # w
) -> Array:
    """The gradient of each token's vector (p, d): the sum over the windows that it is in."""
    if width == 1:
        return wide
    out = np.empty((len(wide), wide.shape[1] // width), np.float32)
    _folded(team(wide.size), const(wide), const(offsets, np.int64), width, out)
    return out


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _look_up_block(block, table, ids, out):
    for i in range(block * BLOCK, min(len(ids), (block + 1) * BLOCK)):
        row, own = table[ids[i]], out[i]
        for j in range(len(own)):
            own[j] = row[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _look_up(workers, table, ids, out):
    share(workers, _look_up_block, (len(ids) + BLOCK - 1) // BLOCK, (table, ids, out))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _means_block(block, table, ids, offsets, out):
    for i in range(block * BLOCK, min(len(out), (block + 1) * BLOCK)):
        own, first, last = out[i], offsets[i], offsets[i + 1]
        for j in range(len(own)):
            own[j] = 0
        for p in range(first, last):
            row = table[ids[p]]
            for j in range(len(own)):
                own[j] += row[j]
        if last > first + 1:
            factor = np.float32(1) / np.float32(last - first)
            for j in range(len(own)):
                own[j] *= factor


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _means(workers, table, ids, offsets, out):
    share(workers, _means_block, (len(out) + BLOCK - 1) // BLOCK, (table, ids, offsets, out))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _windows_of(i, x, offsets, width, out):
    first, last, d = offsets[i], offsets[i + 1], x.shape[1]
    before = (width - 1) // 2
    for p in range(first, last):
        own = out[p]
        for k in range(width):
            place = p + k - before
            if first <= place < last:
                row = x[place]
                for j in range(d):
                    own[k * d + j] = row[j]
            else:
                for j in range(d):
                    own[k * d + j] = 0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _windows(workers, x, offsets, width, out):
    share(workers, _windows_of, len(offsets) - 1, (x, offsets, width, out))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _folded_of(i, wide, offsets, width, out):
    first, last, d = offsets[i], offsets[i + 1], out.shape[1]
    before = (width - 1) // 2
    for p in range(first, last):
        own = out[p]
        for j in range(d):
            own[j] = 0
        for k in range(width):
            place = p + before - k
            if first <= place < last:
                row = wide[place]
                for j in range(d):
                    own[j] += row[k * d + j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _folded(workers, wide, offsets, width, out):
    share(workers, _folded_of, len(offsets) - 1, (wide, offsets, width, out))
