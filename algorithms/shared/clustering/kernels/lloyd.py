"""Inner loops of Lloyd's method, which spare rows the search.    n rows   d features   k centers   p parts of sums

Bounds of the distances are kept from pass to pass (Hamerly, Making k-means even faster, SDM 2010).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.clustering.kernels import BLOCK
from algoport.algorithms.shared.linalg.distances import near, pack, room, search, settle, square_distance
from algoport.algorithms.shared.linalg.fastmath import FAST

# Widening by this covers the rounding of a bound that is kept in float32 and of the step that updates it.
UP, DOWN = np.float32(1 + 2.0**-21), np.float32(1 - 2.0**-21)
# What `revise` does with bounds of the distances: nothing, find them, use them.
PLAIN, FIND, USE = 0, 1, 2


def revise(rows, weights, centers, mode, state, sums, counts) -> tuple[int, int]:
    """One assignment pass of Lloyd's method that remembers the one before.

    rows     in   (n, d) float32
    weights  in   (n,) float64, or empty: each row counts once
    centers  in   (k, d) float32
    mode     PLAIN, FIND or USE; USE needs the bounds that FIND or USE left, and `state.moved` since then
    state    sets labels and bounds, see `algoport.algorithms.shared.clustering.lloyd.State`
    sums     adds (p, k, d) float64  weighted rows that came, less those that went; set to zero before
    counts   adds (p, k)    float64  their weight

    Hamerly, Making k-means even faster, SDM 2010: an upper bound of the distance to the own center and a lower one
    of that to any other spare most rows the search. The bounds hold in spite of rounding: what a distance in
    float32 may be off by is added or taken, as shown in `algoport.algorithms.shared.linalg.distances`.
    Returns how many rows were searched, and how many changed their center.
    """
    labels, upper, lower, moved = state
    return _revise(const(rows), const(weights, np.float64), const(centers), mode, labels, upper, lower, moved,
                   sums, counts)  # fmt: skip


@numba.njit(parallel=True, nogil=True, cache=True)
def _revise(
    rows,  # in   (n, d) float32
    weights,  # in   (n,) float64, or (0,) where each row weighs 1
    centers,  # in   (k, d) float32
    mode,  # PLAIN, FIND or USE
    labels,  # sets (n,) int32  what each row's center is; -1 before the first pass
    upper,  # sets (n,) float32  at least the distance to it
    lower,  # sets (n,) float32  at most that to any other
    moved,  # in   (k,) float32  at least how far each center has gone
    sums,  # sets (p, k, d) float64  what came to each center, less what went
    counts,  # sets (p, k) float64  the weights of these
):
    n = len(rows)
    p, k = counts.shape
    packed = pack(centers)
    slope, base = packed[4], packed[5]
    half, others = np.zeros(k, np.float32), np.zeros(k, np.float32)
    if mode == USE:
        _center_gaps(centers, moved, n, half, others)
    tally = np.zeros((p, 2), np.int64)
    each = ((n + p - 1) // p + BLOCK - 1) // BLOCK * BLOCK
    for part in numba.prange(p):
        sums[part] = 0.0
        counts[part] = 0.0
        space, ids = room(rows.shape[1], BLOCK), np.empty(BLOCK, np.int64)
        _, squares, best, second, index = space
        for first in range(part * each, min(n, (part + 1) * each), BLOCK):
            last = min(n, (part + 1) * each, first + BLOCK)
            if mode == USE:
                count = _doubtful(rows, centers, first, last, labels, upper, lower, moved, half, others, ids)
            else:
                count = last - first
                for c in range(count):
                    ids[c] = first + c
            search(rows, ids, count, packed, space)
            tally[part, 0] += count
            for c in range(count):
                i = ids[c]
                j, most, least = settle(rows, i, centers, index[c], best[c], second[c], squares[c], slope, base)
                if mode != PLAIN:
                    upper[i] = np.float32(math.sqrt(most)) * UP
                    lower[i] = np.float32(math.sqrt(least)) * DOWN
                before = labels[i]
                if j != before:
                    tally[part, 1] += 1
                    weight = weights[i] if len(weights) > 0 else 1.0
                    labels[i] = j
                    _shift(sums[part, j], rows[i], weight)
                    counts[part, j] += weight
                    if before >= 0:
                        _shift(sums[part, before], rows[i], -weight)
                        counts[part, before] -= weight
    return tally[:, 0].sum(), tally[:, 1].sum()


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _shift(total, row, weight):
    for f in range(len(row)):
        total[f] += weight * np.float64(row[f])


@numba.njit(nogil=True, cache=True)
def _doubtful(
    rows,  # in   (n, d) float32
    centers,  # in   (k, d) float32
    first,  # int64  of the rows looked at
    last,  # int64  behind them
    labels,  # in   (n,) int32
    upper,  # sets (n,) float32
    lower,  # sets (n,) float32
    moved,  # in   (k,) float32
    half,  # in   (k,) float32  half the distance to the nearest other center
    others,  # in   (k,) float32  the farthest that any other center moved
    ids,  # sets (BLOCK,) int64
):
    """Sets `ids` to the rows that may have another center now; how many these are. Updates the bounds."""
    count = 0
    unit = (rows.shape[1] + 2) * 2.0**-24
    slack = 1 / (1 - 2 * unit) if unit < 0.25 else np.inf
    for i in range(first, last):
        own = labels[i]
        most = (upper[i] + moved[own]) * UP
        least = lower[i] * DOWN - others[own]
        upper[i], lower[i] = most, least
        least = max(least, half[own])
        if most < least:
            continue
        most = np.float32(math.sqrt(near(rows[i], centers[own]) * slack)) * UP
        upper[i] = most
        if most < least:
            continue
        ids[count] = i
        count += 1
    return count


@numba.njit(parallel=True, nogil=True, cache=True)
def _center_gaps(centers, moved, n, half, others):
    """Sets `half` (k,), half the distance to the nearest other center, and `others` (k,), the farthest that any
    other center moved; each rounded to the safe side."""
    k = len(centers)
    far, next_, who = np.float32(0), np.float32(0), 0
    for j in range(k):
        if moved[j] > far:
            far, next_, who = moved[j], far, j
        else:
            next_ = max(next_, moved[j])
    others[:] = far * UP
    others[who] = next_ * UP
    if 8 * k > n:
        return  # costs k^2 distances, where a search costs n k at most
    for j in numba.prange(k):
        least = np.inf
        for other in range(k):
            if other != j:
                least = min(least, square_distance(centers[j], centers[other]))
        half[j] = np.float32(0.5 * math.sqrt(least)) * DOWN


def gather(sums, counts, parts, part_counts) -> None:
    """Adds the parts (p, k, d) and (p, k) that `revise` set to `sums` (k, d) and `counts` (k,)."""
    _gather(sums, counts, parts, part_counts)


@numba.njit(nogil=True, cache=True)
def _gather(sums, counts, parts, part_counts):
    for part in range(len(parts)):
        sums += parts[part]
        counts += part_counts[part]


@numba.njit(nogil=True, cache=True)
def step(
    centers,  # sets (k, d) float32
    sums,  # in   (k, d) float64
    counts,  # in   (k,)   float64
    moved,  # sets (k,)   float32  how far each center went, or a little more
):
    """As `move`, and says how far."""
    for j in range(centers.shape[0]):
        square = 0.0
        if counts[j] > 0:
            for f in range(centers.shape[1]):
                new = np.float32(sums[j, f] / counts[j])
                gone = np.float64(new) - np.float64(centers[j, f])
                square += gone * gone
                centers[j, f] = new
        moved[j] = np.float32(math.sqrt(square)) * UP


def spread(rows, weights, labels, centers) -> float:
    """Weighted sum of the squared distances of rows to the centers of these numbers; measured directly."""
    return float(_spread(const(rows), const(weights, np.float64), labels, const(centers)))


@numba.njit(parallel=True, nogil=True, cache=True)
def _spread(rows, weights, labels, centers):
    n = len(rows)
    blocks = (n + BLOCK - 1) // BLOCK
    loss = np.zeros(blocks)
    for b in numba.prange(blocks):
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            loss[b] += square_distance(rows[i], centers[labels[i]]) * (weights[i] if len(weights) > 0 else 1.0)
    return loss.sum()
