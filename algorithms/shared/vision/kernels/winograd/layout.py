"""Where numbers lie, and at which points polynomials are evaluated."""

from __future__ import annotations

import numba

from algoport.algorithms.shared.linalg.simd import LANES

TAPS, OUT, SIDE = 3, 4, 6  # taps of a filter, places of a tile's output and of its input, a side
POINTS = SIDE * SIDE
ROWS = 12  # tiles of a block: what registers hold sums of at once with 16 lanes, and twice that with fewer
CHUNK = 16  # channels that lie beside each other: a cache line
WIDTH = 2 * LANES if LANES > 4 else 4 * LANES  # columns of a panel: two chunks with 16 lanes, else one
SKEW = 16  # numbers behind each point's, so that those of 36 points do not share a set of the cache

# Beside 0 and infinity: A and -A, B and -B.
A, B = 1.0, 2.0


@numba.njit(cache=True, nogil=True, inline="always")
def span(channels):
    """Numbers from one point's to the next's in a block."""
    return ROWS * channels + SKEW


@numba.njit(cache=True, nogil=True, inline="always")
def square(before, after):
    """Numbers from one point's to the next's among filters."""
    return before * after + SKEW
