"""Inner loops of k-means.    n rows   d features   k centers   p parts that rows are summed in

Arrays may be read-only or of another type; they are made what the compiled functions take, so that each of these is
compiled once. The nearest center is that of exact distances, see `algoport.algorithms.shared.linalg.distances`.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.distances import directly, pack, room, search, settle, square_distance
from algoport.algorithms.shared.linalg.fastmath import FAST

# Rows whose nearest centers are sought together. 128 was as fast and 2,048 no faster.
BLOCK = 512
# Up to so many rows, packing the centers costs more than it saves.
FEW = 8


def accumulate(rows, centers, sums, counts) -> float:
    """Give every row to its nearest center: the first half of Lloyd's iteration (Bishop, PRML, eq. 9.2).

    Adds to `sums` (k, d) and `counts` (k,), both float64. Ties go to the lower index. The result does not depend
    on the number of threads. Returns the sum of squared Euclidean distances to the nearest centers.
    """
    rows, centers = const(rows), const(centers)
    return sum(float(_accumulate(rows[part], centers, sums, counts)) for part in spans(len(rows), centers.size))


def nearest(rows, centers) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Index (n,) int32 of the nearest center, and the Euclidean distance (n,) float32 to it; ties go to the lower
    index. A row's answer does not depend on the rows beside it."""
    rows, centers = const(rows), const(centers)
    parts = [_nearest(rows[part], centers) for part in spans(len(rows), centers.size)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([index for index, _ in parts]), np.concatenate([distance for _, distance in parts])


def move(centers, sums, counts) -> None:
    """Put every center at the mean of its rows (PRML, eq. 9.4); one that has none stays. Sets `centers`."""
    _move(centers, sums, counts)


def streaming_update(centers, counts, sums, new_counts) -> None:
    """Let every center be the mean of the rows it stood for and of the new ones. Sets `centers`, adds to `counts`.

    With p = new / (old + new) a center becomes (1 - p) center + p mean of the new rows; without new rows it stays.
    """
    _update(centers, counts, sums, new_counts)


def plus_plus(points, weights, k, uniforms) -> NDArray[np.int64]:
    """Indices (k,) of points drawn one after another, each with a probability proportional to its weight times its
    squared distance to the nearest drawn before (Arthur and Vassilvitskii, k-means++, SODA 2007, section 2.2).

    `uniforms` (k,) in [0, 1) are all its randomness. Where every point left has weight or distance zero, the first
    not yet drawn is taken.
    """
    points, weights = const(points), const(weights, np.float64)
    least, chosen = np.full(len(points), np.inf), np.full(k, -1, np.int64)
    for step in range(k):
        # A call for each, so that a signal need not wait for all of them.
        _draw(points, weights, least, chosen, step, float(uniforms[step]))
    return chosen


def finite(rows) -> bool:
    """True where no value is missing or infinite."""
    return bool(_finite(const(rows).reshape(-1).view(np.uint32)))


def spans(n: int, size: int) -> list[slice]:
    """Rows in spans that a kernel has done with in about half a second, as signals wait for its end; at least one.

    `size`: multiplications a row.
    """
    length = max(BLOCK, int(3e10) // max(size, 1) // BLOCK * BLOCK)
    return [slice(first, min(n, first + length)) for first in range(0, max(n, 1), length)]


@numba.njit(nogil=True, cache=True)
def _label(rows, centers, packed, first, last, labels):
    """Sets labels[first:last]."""
    ids = np.arange(first, last)
    space = room(rows.shape[1], len(ids))
    search(rows, ids, len(ids), packed, space)
    _, squares, best, second, index = space
    slope, base = packed[4], packed[5]
    for c in range(len(ids)):
        labels[first + c] = settle(rows, first + c, centers, index[c], best[c], second[c], squares[c], slope, base)[0]


@numba.njit(parallel=True, nogil=True, cache=True)
def _accumulate(rows, centers, sums, counts):
    n, k = len(rows), len(centers)
    packed = pack(centers)
    labels = np.empty(n, np.int32)
    size = 96  # small, as a batch has but a few thousand rows to share among the threads
    for b in numba.prange((n + size - 1) // size):
        _label(rows, centers, packed, b * size, min(n, (b + 1) * size), labels)
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


@numba.njit(parallel=True, nogil=True, cache=True)
def _nearest(rows, centers):
    n = len(rows)
    index, distance = np.empty(n, np.int32), np.empty(n, np.float32)
    if n <= FEW:
        for i in range(n):
            j, square, _ = directly(rows, i, centers)
            index[i], distance[i] = j, math.sqrt(square)
        return index, distance
    packed = pack(centers)
    for b in numba.prange((n + BLOCK - 1) // BLOCK):
        first, last = b * BLOCK, min(n, (b + 1) * BLOCK)
        _label(rows, centers, packed, first, last, index)
        for i in range(first, last):
            distance[i] = math.sqrt(square_distance(rows[i], centers[index[i]]))
    return index, distance


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


@numba.njit(parallel=True, nogil=True, cache=True)
def _draw(points, weights, least, chosen, step, uniform):
    """Sets chosen[step], and lowers `least` (n,) to the squared distance to the point drawn before."""
    n = len(points)
    blocks = (n + BLOCK - 1) // BLOCK
    mass = np.zeros(blocks)
    for b in numba.prange(blocks):
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            if step > 0:
                least[i] = min(least[i], square_distance(points[i], points[chosen[step - 1]]))
            mass[b] += weights[i] * (least[i] if step > 0 else 1.0)
    target = uniform * mass.sum()
    last = -1  # where rounding carries the target beyond the end
    for b in range(blocks):
        if target >= mass[b] and b < blocks - 1:
            target -= mass[b]
            continue
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            share = weights[i] * (least[i] if step > 0 else 1.0)
            if share > 0:
                last = i
                if target < share:
                    chosen[step] = i
                    return
            target -= share
    if last < 0:
        last = 0
        for i in range(n - 1, -1, -1):
            drawn = False
            for earlier in range(step):
                drawn = drawn or chosen[earlier] == i
            if not drawn:
                last = i
    chosen[step] = last


@numba.njit(nogil=True, cache=True)
def _finite(bits):
    """Of float32 values as their bits: exponents of ones are infinite or missing. No fast mathematics can err here."""
    most = np.uint32(0)
    for i in range(len(bits)):
        most = max(most, bits[i] & np.uint32(0x7FFFFFFF))
    return most < np.uint32(0x7F800000)
