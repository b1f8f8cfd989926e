"""The nearest centers of many rows, fast and without rounding's say.    n rows   d features   k centers

For compiled kernels: `pack` the centers, `search` a block of rows, `settle` each row. `search` forms
|c|^2 - 2 x.c in float32 in registers, a few rows times a few vectors of centers at once, and keeps the least two of
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
from algoport.algorithms.shared.linalg.simd import LANES, SHAPES, difference_of, tile_of

WIDTHS = np.array(sorted(SHAPES), np.int64)
W1, W2, W3, W4 = sorted(SHAPES)
R1, R2, R3, R4 = (SHAPES[width] for width in sorted(SHAPES))
# Rows of a panel: the copies, less the offset, that the tiles are applied to. A multiple of every number above.
PANEL = 24

_copy, _gap = difference_of(stored=True), difference_of(stored=False)
_tile_1, _tile_2 = tile_of(R1, W1), tile_of(R2, W2)
_tile_3, _tile_4 = tile_of(R3, W3), tile_of(R4, W4)


@numba.njit(nogil=True, cache=True)
def pack(centers):
    """Centers as `search` takes them: (tiles, norms, widths, offset, slope, base).

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
    widths = _widths(k)
    padded = widths.sum() * LANES
    tiles, norms = np.zeros(padded * d, np.float32), np.full(padded, np.inf, np.float32)
    longest, first = 0.0, 0
    for width in widths:
        for j in range(first, min(k, first + width * LANES)):
            square = 0.0
            for f in range(d):
                value = np.float32(centers[j, f] - offset[f])
                tiles[first * d + f * width * LANES + j - first] = np.float32(-2) * value
                square += np.float64(value) * np.float64(value)
            norms[j] = square
            longest = max(longest, square)
        first += width * LANES
    unit = (d + 16) * 2.0**-24
    slope = 2 * unit / (1 - 2 * unit)
    return tiles, norms, widths, offset, slope, slope * longest + d * 2.0**-140  # which is for what underflows


@numba.njit(nogil=True, cache=True)
def _widths(k):
    """The widths of the tiles that hold k centers: the widest while they are filled, then the least that does."""
    vectors = (k + LANES - 1) // LANES
    whole = vectors // WIDTHS[-1]
    rest = vectors - whole * WIDTHS[-1]
    widths = np.full(whole + (rest > 0), WIDTHS[-1])
    if rest > 0:
        for width in WIDTHS[::-1]:
            if width >= rest:
                widths[-1] = width
    return widths


@numba.njit(nogil=True, cache=True)
def room(d, most):
    """Where `search` works and leaves its answers for up to `most` rows: panel, squares, best, second, index."""
    return (
        np.empty(PANEL * d, np.float32),
        np.empty(most + PANEL, np.float32),
        np.empty(most + PANEL, np.float32),
        np.empty(most + PANEL, np.float32),
        np.empty(most + PANEL, np.int32),
        np.empty((2, PANEL), np.float32),
        np.empty(PANEL, np.int32),
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
    tiles, norms, widths, offset, _, _ = packed
    panel, squares, best, second, index, scores, labels = space
    d = rows.shape[1]
    size = PANEL
    if len(widths) == 1 and d > 256:
        size = _rows_of(widths[0])  # a panel that stays in the first cache
    for start in range(0, count, size):
        some = min(size, count - start)
        for r in range(some):
            squares[start + r] = _copy(rows[ids[start + r]], offset, panel[r * d :], d)
        ahead = panel
        if start + 2 * size <= count and ids[start + 2 * size - 1] - ids[start + some] == size - 1:
            ahead = rows[ids[start + some] : ids[start + some] + size].reshape(size * d)
        first = 0
        for width in widths:
            if first == 0:
                _apply(width, panel, some, tiles, first, norms, d, best, second, index, start, ahead)
            else:
                _apply(width, panel, some, tiles, first, norms, d, scores[0], scores[1], labels, 0, panel)
                for r in range(some):
                    i = start + r
                    if scores[0, r] < best[i]:
                        second[i] = min(best[i], scores[1, r])
                        best[i], index[i] = scores[0, r], first + labels[r]
                    else:
                        second[i] = min(second[i], scores[0, r])
            first += width * LANES


@numba.njit(nogil=True, cache=True)
def _rows_of(width):
    """How many rows go with a tile of this width."""
    if width == W1:
        return R1
    if width == W2:
        return R2
    return R3 if width == W3 else R4


@numba.njit(nogil=True, cache=True)
def _apply(
    width,  # int64  vectors of the tile
    panel,  # in   (PANEL * d,) float32  rows, less the offset
    some,  # int64  how many of these count
    tiles,  # in   (c * d,) float32  the centers, padded to c, tile by tile
    first,  # int64  of the tile's centers
    norms,  # in   (c,) float32  of the centers
    d,  # int64
    best,  # sets (m,) float32  the lowest score of each row
    second,  # sets (m,) float32  the second lowest
    index,  # sets (m,) int32  the center of the lowest
    at,  # int64  where the panel's rows begin in these three
    ahead,  # in   (PANEL * d,) float32  what is read next
):
    """One tile of centers on a panel; rows beyond `some` are what an earlier panel left, and of no matter."""
    start = first * d
    if width == W1:
        for r in range(0, some, R1):
            _tile_1(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])
    elif width == W2:
        for r in range(0, some, R2):
            _tile_2(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])
    elif width == W3:
        for r in range(0, some, R3):
            _tile_3(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])
    else:
        for r in range(0, some, R4):
            _tile_4(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])


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
    return _gap(row, center, row, len(row))


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
