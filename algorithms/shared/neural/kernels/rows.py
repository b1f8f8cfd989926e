"""Rows of embedding tables: pooled over sequences, and their gradients summed.

v rows of a table   d numbers of a row   p places (tokens of all sequences)   n sequences   u used rows

A used row's gradients are added in the order of the places and by one thread, in float64, so that the sum is the same
on any number of threads.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const

ROWS = 16  # used rows, or sequences, of a block


def pooled(
    table,  # in   (v, d) float32
    ids,  # in   (p,) int64  rows of the table, sequence by sequence
    begins,  # in   (n + 1,) int64  where each sequence begins, and where the last ends
    scales,  # in   (n,) float32  what a sequence's sum is multiplied by
) -> NDArray[np.float32]:
    """Scaled sums (n, d) of the rows of each sequence; 0 of one without tokens."""
    out = np.empty((len(begins) - 1, table.shape[1]), np.float32)
    _pooled(
        const(table, np.float32),
        const(ids, np.int64),
        const(begins, np.int64),
        const(scales, np.float32),
        out,
    )
    return out


def sum_rows(
    gradients,  # in   (m, d) float32
    places,  # in   (p,) int64  whose gradient each place has, the places of one row side by side
    begins,  # in   (u + 1,) int64  where the places of each used row begin, and where the last ends
    scales,  # in   (p,) float32  what it is multiplied by
) -> NDArray[np.float32]:
    """Sums (u, d) of the gradients of each used row."""
    out = np.empty((len(begins) - 1, gradients.shape[1]), np.float32)
    _sum_rows(
        const(gradients, np.float32),
        const(places, np.int64),
        const(begins, np.int64),
        const(scales, np.float32),
        out,
    )
    return out


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _pooled(table, ids, begins, scales, out):
    n, d = out.shape
    for block in numba.prange((n + ROWS - 1) // ROWS):
        total = np.empty(d)
        for i in range(block * ROWS, min(n, (block + 1) * ROWS)):
            total[:] = 0
            for place in range(begins[i], begins[i + 1]):
                row = ids[place]
                for j in range(d):
                    total[j] += table[row, j]
            for j in range(d):
                out[i, j] = total[j] * scales[i]


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _sum_rows(gradients, places, begins, scales, out):
    u, d = out.shape
    for block in numba.prange((u + ROWS - 1) // ROWS):
        total = np.empty(d)
        for i in range(block * ROWS, min(u, (block + 1) * ROWS)):
            total[:] = 0
            for k in range(begins[i], begins[i + 1]):
                place, scale = places[k], scales[k]
                for j in range(d):
                    total[j] += scale * gradients[place, j]
            for j in range(d):
                out[i, j] = total[j]
