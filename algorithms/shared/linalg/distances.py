"""The nearest centers of many rows, fast and without rounding's say.    n rows   d features   k centers

For compiled kernels: `pack` the centers, `search` a block of rows, `settle` each row. `search` forms
|c|^2 - 2 x.c in float32 in registers, a few centers times a few vectors of rows at once, and keeps the least two of
each row; a matrix of scores is never written. `settle` compares these two with a bound on what rounding may have
done, and where they are too near it measures again in float64. So the answer is the same on every processor.

The bound. Let o be the offset that `pack` takes from rows and centers alike, so that it cancels; x' and c' what is
left, rounded to float32; u = 2^-24 the unit of rounding; g(m) = m u / (1 - m u) (Higham, Accuracy and Stability of
Numerical Algorithms, section 3.1). Rounding x' and c' moves each by at most u times its length, hence the squared
distance by at most 3 u (|x'| + |c'|)^2. The score is a chain of d fused or 2 d plain operations that starts at
|c'|^2, itself rounded once: its error is at most g(d + 2) (|c'|^2 + 2 |x'| |c'|) (Higham, 3.5, and Cauchy's
inequality). |x'|^2 in float32 is off by g(d + 1) |x'|^2 at most. Together: no more than
g(d + 16) (|x'| + C)^2 <= 2 g(d + 16) (|x'|^2 + C^2), where C is the longest |c'|; the margin in 16 pays for the
roundings of the bound itself. `pack` returns it as a slope and a base: slope |x'|^2 + base.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.linalg.lanes import HEIGHTS, ROWS, VECTORS, scores_of, turn
from algoport.algorithms.shared.linalg.simd import LANES, square_gap

LOW, MIDDLE, HIGH = HEIGHTS
_scores_low, _scores_middle, _scores_high = scores_of(LOW), scores_of(MIDDLE), scores_of(HIGH)


@numba.njit(nogil=True, cache=True)
def pack(centers):
    """Centers as `search` takes them: (tiles, norms, height, offset, slope, base).

    The offset is a common point near the middle of the centers, coarse on purpose: a multiple of a power of two no
    less than their spread, so that whole numbers stay whole, and zero where the spread is wide.
    """
    k, d = centers.shape
    offset = np.empty(d, np.float32)
    for f in range(d):
        low, high, total = np.inf, -np.inf, 0.0
        for j in range(k):
            value = np.float64(centers[j, f])
            low, high, total = min(low, value), max(high, value), total + value
        offset[f] = low
        if high > low:
            unit = 2.0 ** math.ceil(math.log2(high - low))
            offset[f] = unit * np.rint(total / k / unit)
    height = _height(k)
    padded = (k + height - 1) // height * height
    tiles, norms = np.zeros(padded * d, np.float32), np.full(padded, np.inf, np.float32)
    longest = 0.0
    for j in range(k):
        square, place = 0.0, j // height * height * d + j % height
        for f in range(d):
            value = np.float32(centers[j, f] - offset[f])
            tiles[place + f * height] = np.float32(-2) * value
            square += np.float64(value) * np.float64(value)
        norms[j] = square
        longest = max(longest, square)
    unit = (d + 16) * 2.0**-24
    slope = 2 * unit / (1 - 2 * unit)
    return tiles, norms, height, offset, slope, slope * longest + d * 2.0**-140  # which is for what underflows


@numba.njit(nogil=True, cache=True)
def _height(k):
    """Of the tiles that hold k centers: as few of them as can be, and no higher than that needs."""
    return max(LOW, (k + (k + HIGH - 1) // HIGH - 1) // ((k + HIGH - 1) // HIGH)) if k > 0 else LOW


@numba.njit(nogil=True, cache=True)
def room(d, most):
    """Where `search` works and leaves its answers for up to `most` rows: panel, squares, best, second, index."""
    return (
        np.empty(ROWS * (d + LANES), np.float32),
        np.empty(most + ROWS, np.float32),
        np.empty(most + ROWS, np.float32),
        np.empty(most + ROWS, np.float32),
        np.empty(most + ROWS, np.int32),
    )


@numba.njit(nogil=True, cache=True)
def search(
    rows,  # in   (n, d) float32
    ids,  # in   which rows, the first `count`
    count,
    packed,  # in   of `pack`
    space,  # sets of `room`: squares |x'|^2, the two least scores |x - c|^2 - |x'|^2, the index of the least
):
    """The nearest centers of some rows, as float32 has it."""
    tiles, norms, height, offset, _, _ = packed
    panel, squares, best, second, index = space
    d = rows.shape[1]
    for start in range(0, count, ROWS):
        for v in range(VECTORS):
            turn(rows, d, ids, start + v * LANES, count, offset, panel, v * LANES, squares, start + v * LANES)
        for r in range(start, start + ROWS):
            best[r], second[r], index[r] = np.inf, np.inf, 0
        if height == LOW:
            for first in range(0, len(norms), LOW):
                _scores_low(panel, tiles, first * d, norms, first, d, best, second, index, start)
        elif height == MIDDLE:
            for first in range(0, len(norms), MIDDLE):
                _scores_middle(panel, tiles, first * d, norms, first, d, best, second, index, start)
        else:
            for first in range(0, len(norms), HIGH):
                _scores_high(panel, tiles, first * d, norms, first, d, best, second, index, start)


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def square_distance(row, center):
    """Of two float32 vectors, in float64."""
    square = 0.0
    for f in range(len(row)):
        difference = np.float64(row[f]) - np.float64(center[f])
        square += difference * difference
    return square


@numba.njit(nogil=True, cache=True, forceinline=True)
def near(row, center):
    """The squared distance of two float32 vectors, measured in float32: off by g(d + 2) of itself at most."""
    return square_gap(row, center, len(row))


@numba.njit(nogil=True, cache=True, forceinline=True)
def settle(
    rows,  # in   (n, d) float32
    i,  # int64  which row
    centers,  # in   (k, d) float32
    index,  # int32  of the center that `search` names for the row
    low,  # float32  its score
    next_,  # float32  the second lowest
    square,  # float32  |x'|^2
    slope,  # float64  of `pack`, as is `base`
    base,  # float64
):
    """(index, at most, at least): the nearest center, an upper bound of the squared distance to it, and a lower bound
    of that to the second nearest. Ties go to the lower index.

    Takes numbers, as the reference counts of a tuple of arrays cost 30 ns a row.
    """
    near = np.float64(square)
    low, next_ = np.float64(low), np.float64(next_)
    slack = slope * near + base
    if next_ - low > 2 * slack:
        return np.int64(index), max(0.0, near + low) + slack, max(0.0, near + next_ - slack)
    return directly(rows, i, centers)


@numba.njit(nogil=True, cache=True)
def directly(rows, i, centers):
    """As `settle`, measured in float64; the bounds are equal to the squares but for float64's rounding."""
    nearest, least, next_ = 0, np.inf, np.inf
    for j in range(len(centers)):
        square = square_distance(rows[i], centers[j])
        if square < least:
            nearest, least, next_ = j, square, least
        else:
            next_ = min(next_, square)
    return nearest, least, next_
