"""Inner loops of k-means.    n rows   d features   k centers   p parts that rows are summed in

Arrays may be read-only or of another type; they are made what the compiled functions take, so that each of these is
compiled once. The nearest center is that of exact distances, see `algoport.algorithms.shared.linalg.distances`.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.clustering.kernels import BLOCK, FEW, finite, label, nearest, plus_plus, spans
from algoport.algorithms.shared.linalg.distances import pack
from algoport.algorithms.shared.linalg.fastmath import FAST

__all__ = ["BLOCK", "FEW", "accumulate", "finite", "move", "nearest", "plus_plus", "streaming_update"]


def accumulate(rows, centers, sums, counts) -> float:
    """Give every row to its nearest center: the first half of Lloyd's iteration (Bishop, PRML, eq. 9.2).

    Adds to `sums` (k, d) and `counts` (k,), both float64. Ties go to the lower index. The result does not depend
    on the number of threads. Returns the sum of squared Euclidean distances to the nearest centers.
    """
    rows, centers = const(rows), const(centers)
    return sum(float(_accumulate(rows[part], centers, sums, counts)) for part in spans(len(rows), centers.size))


def move(centers, sums, counts) -> None:
    """Put every center at the mean of its rows (PRML, eq. 9.4); one that has none stays. Sets `centers`."""
    _move(centers, sums, counts)


def streaming_update(centers, counts, sums, new_counts) -> None:
    """Let every center be the mean of the rows it stood for and of the new ones. Sets `centers`, adds to `counts`.

    With p = new / (old + new) a center becomes (1 - p) center + p mean of the new rows; without new rows it stays.
    """
    _update(centers, counts, sums, new_counts)


@numba.njit(parallel=True, nogil=True, cache=True)
def _accumulate(rows, centers, sums, counts):
    n, k = len(rows), len(centers)
    packed = pack(centers)
    labels = np.empty(n, np.int32)
    size = 96  # small, as a batch has but a few thousand rows to share among the threads
    for b in numba.prange((n + size - 1) // size):
        label(rows, centers, packed, b * size, min(n, (b + 1) * size), labels)
    # The rows in the order of their centers: then each sum has one writer, and one order of additions.
    begins = np.zeros(k + 1, np.int64)
    for i in range(n):
        begins[labels[i] + 1] += 1
    begins = np.cumsum(begins)
    order, free = np.empty(n, np.int64), begins[:-1].copy()
    for i in range(n):
        order[free[labels[i]]] = i
        free[labels[i]] += 1
    loss = np.zeros(k)
    for j in numba.prange(k):
        for c in range(begins[j], begins[j + 1]):
            loss[j] += _add(sums[j], rows[order[c]], centers[j])
        counts[j] += begins[j + 1] - begins[j]
    return loss.sum()


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _add(total, row, center):
    """Adds the row; its squared distance to the center."""
    square = 0.0
    for f in range(len(row)):
        value = np.float64(row[f])
        total[f] += value
        difference = value - np.float64(center[f])
        square += difference * difference
    return square


@numba.njit(nogil=True, cache=True)
def _move(centers, sums, counts):
    for j in range(centers.shape[0]):
        if counts[j] > 0:
            for f in range(centers.shape[1]):
                centers[j, f] = sums[j, f] / counts[j]


@numba.njit(nogil=True, cache=True)
def _update(centers, counts, sums, new_counts):
    for j in range(centers.shape[0]):
        if new_counts[j] > 0:
            share = new_counts[j] / (counts[j] + new_counts[j])
            for f in range(centers.shape[1]):
                centers[j, f] = (1 - share) * centers[j, f] + share * (sums[j, f] / new_counts[j])
            counts[j] += new_counts[j]
