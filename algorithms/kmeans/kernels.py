"""Inner loops of k-means.    n rows   d features   k centers"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

# Rows per partial sum. Sums are kept per block and not per thread, so that the result is the same
# whatever the number of threads.
BLOCK = 4096

# Every liberty LLVM offers but nnan and ninf: a missing value must stay recognizable.
FAST = {"afn", "arcp", "contract", "nsz", "reassoc"}


def accumulate(rows, centers, sums, counts) -> float:
    """Give every row to its nearest center and add it to that center's sum; ties go to the lower index.

    Returns the sum of squared Euclidean distances to the nearest centers.
    """
    return float(_accumulate(_in(rows), _in(centers), sums, counts))


def nearest(rows, centers) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Index (n,) int32 of the nearest center, and the Euclidean distance (n,) float32 to it."""
    return _nearest(_in(rows), _in(centers))


def move(centers, sums, counts) -> None:
    """Put every center at the mean of its rows (PRML, eq. 9.4); one that has none stays. Sets `centers`."""
    has = counts > 0
    centers[has] = sums[has] / counts[has, None]


def streaming_update(centers, counts, sums, new_counts) -> None:
    """Let every center be the mean of old and new rows. Sets `centers`, adds to `counts`."""
    has = new_counts > 0
    share = (new_counts[has] / (counts[has] + new_counts[has]))[:, None]
    centers[has] = (1 - share) * centers[has] + share * (sums[has] / new_counts[has, None])
    counts += new_counts


def plus_plus(points, weights, k, uniforms) -> NDArray[np.int64]:
    """Indices of k points drawn with probability weight x squared distance to the nearest drawn before."""
    least = np.full(len(points), np.inf)
    chosen = np.empty(k, np.int64)
    mass = np.array(weights, np.float64)
    for step in range(k):
        reached = np.cumsum(mass)
        chosen[step] = min(np.searchsorted(reached, uniforms[step] * reached[-1], side="right"), len(points) - 1)
        difference = points.astype(np.float64) - points[chosen[step]]
        np.minimum(least, (difference**2).sum(axis=1), out=least)
        mass = weights * least
    return chosen


def finite(rows) -> bool:
    """True where no value is missing or infinite."""
    return bool(np.isfinite(rows).all())


def _in(array):
    """As a kernel takes it: contiguous float32, read-only, so that a mapped file is no case of its own."""
    view = np.require(array, np.float32, ["C", "A"]).view()
    view.flags.writeable = False
    return view


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST)
def _accumulate(rows, centers, sums, counts):
    n, d = rows.shape
    k = centers.shape[0]
    blocks = (n + BLOCK - 1) // BLOCK
    block_sums, block_counts = np.zeros((blocks, k, d)), np.zeros((blocks, k))
    loss = np.zeros(blocks)
    for b in numba.prange(blocks):
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            nearest, least = 0, np.inf
            for j in range(k):
                square = np.float32(0)
                for f in range(d):
                    square += (rows[i, f] - centers[j, f]) ** 2
                if square < least:
                    nearest, least = j, square
            block_sums[b, nearest] += rows[i]
            block_counts[b, nearest] += 1
            loss[b] += least
    sums += block_sums.sum(axis=0)
    counts += block_counts.sum(axis=0)
    return loss.sum()


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _nearest(rows, centers):
    n, d = rows.shape
    index, distance = np.zeros(n, np.int32), np.empty(n, np.float32)
    for i in range(n):
        least = np.inf
        for j in range(centers.shape[0]):
            square = np.float32(0)
            for f in range(d):
                square += (rows[i, f] - centers[j, f]) ** 2
            if square < least:
                index[i], least = j, square
        distance[i] = np.sqrt(least)
    return index, distance
