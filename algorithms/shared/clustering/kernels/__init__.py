"""The nearest centers of rows, and the first centers.    n rows   d features   k centers

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

# Rows whose nearest centers are sought together. 128 was as fast and 2,048 no faster.
BLOCK = 512
# Up to so many rows, packing the centers costs more than it saves.
FEW = 8


def nearest(rows, centers) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Index (n,) int32 of the nearest center, and the Euclidean distance (n,) float32 to it; ties go to the lower
    index. A row's answer does not depend on the rows beside it."""
    rows, centers = const(rows), const(centers)
    parts = [_nearest(rows[part], centers) for part in spans(len(rows), centers.size)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([index for index, _ in parts]), np.concatenate([distance for _, distance in parts])


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
def label(rows, centers, packed, first, last, labels):
    """Sets labels[first:last]."""
    ids = np.arange(first, last)
    space = room(rows.shape[1], len(ids))
    search(rows, ids, len(ids), packed, space)
    _, squares, best, second, index = space
    slope, base = packed[4], packed[5]
    for c in range(len(ids)):
        labels[first + c] = settle(rows, first + c, centers, index[c], best[c], second[c], squares[c], slope, base)[0]


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
        label(rows, centers, packed, first, last, index)
        for i in range(first, last):
            distance[i] = math.sqrt(square_distance(rows[i], centers[index[i]]))
    return index, distance


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
