"""How the outputs of all candidates lie in memory while they are computed.

m candidates   k outputs of each   c = m k columns outside, column = candidate * k + output

Inside either candidates lie side by side or the outputs of one, filled up to whole SIMD vectors, whichever
is less to fill; and columns are cut into tiles of a few vectors.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.linear_learner.kernels.products import LINES, WIDEST
from algoport.algorithms.linear_learner.kernels.writing import apart
from algoport.algorithms.shared.linalg.simd import LANES

# The score of an output that is none: e to it is nothing, and it is finite.
NOTHING = np.float32(-1e30)


@numba.njit(nogil=True, cache=True)
def whole(number, of):
    """The least multiple of it that is not below the number."""
    return (number + of - 1) // of * of


@numba.njit(nogil=True, cache=True)
def arrangement(m, k):
    """(side by side, inner): whether candidates lie side by side, and from an output (or candidate) to the next."""
    across, along = whole(m, LANES), whole(k, LANES)
    if k * across <= m * along:
        return True, across
    return False, along


@numba.njit(nogil=True, cache=True)
def outside(m, k):
    """The column outside (columns,) of every column inside; -1 where there is none."""
    across, inner = arrangement(m, k)
    columns = (k if across else m) * inner
    places = np.full(columns, -1, np.int64)
    for candidate in range(m):
        for output in range(k):
            place = output * inner + candidate if across else candidate * inner + output
            places[place] = candidate * k + output
    return places


@numba.njit(nogil=True, cache=True)
def tiles(columns):
    """The widths in vectors of the tiles that these columns are cut into."""
    vectors = columns // LANES
    widths = np.full((vectors + WIDEST - 1) // WIDEST, WIDEST)
    if vectors % WIDEST:
        widths[-1] = vectors % WIDEST
    return widths


@numba.njit(nogil=True, cache=True)
def room(d, widths):
    """Features (at least d) that a row of a panel has room for: products work on some at a time."""
    most = whole(d, LANES)
    for width in widths:
        most = max(most, whole(d, LINES[width]))
    return most


@numba.njit(nogil=True, cache=True)
def pack(weights, places, plain, widths, first, last, out):
    """Sets `out` to the weights (d, c) of the features from first to last, tile by tile.

    `plain`: whether inside the columns stand as outside, but for those at the end that are none.
    """
    apart()
    d, c = weights.shape
    begin = 0
    for width in widths:
        some = width * LANES
        for f in range(first, last):
            at = begin * d + f * some
            if plain:
                there = min(some, c - begin)
                out[at : at + there] = weights[f, begin : begin + there]
                out[at + there : at + some] = 0
                continue
            for j in range(some):
                column = places[begin + j]
                out[at + j] = weights[f, column] if column >= 0 else np.float32(0)
        begin += some


@numba.njit(nogil=True, cache=True)
def initial_scores(bias, places, softmax):
    """The bias (columns,) inside."""
    start = np.zeros(len(places), np.float32)
    for j in range(len(places)):
        if places[j] >= 0:
            start[j] = bias[places[j]]
        elif softmax:
            start[j] = NOTHING
    return start


@numba.njit(nogil=True, cache=True)
def factors(positive, places, k):
    """(2 * columns,): what a negative row weighs, and what a positive one."""
    columns = len(places)
    result = np.zeros(2 * columns, np.float32)
    for j in range(columns):
        if places[j] >= 0:
            result[j] = 1
            result[columns + j] = positive[places[j] // k]
    return result


@numba.njit(nogil=True, cache=True)
def gather(sums, places, k, bias_gradient, losses):
    """Adds the blocks' sums of the bias and the losses."""
    apart()
    for j in range(len(places)):
        if places[j] >= 0:
            slope, value = 0.0, 0.0
            for b in range(len(sums)):
                slope += sums[b, 0, j]
                value += sums[b, 1, j]
            bias_gradient[places[j]] += np.float32(slope)
            losses[places[j] // k] += value
