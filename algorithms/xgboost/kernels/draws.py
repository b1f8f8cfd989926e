"""Inner loops of drawing rows.    n rows   p members"""

from __future__ import annotations

import numba
import numpy as np

A, B, C = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
S30, S27, S31, S11, ONE = (np.uint64(x) for x in (30, 27, 31, 11, 1))


@numba.njit(parallel=True, nogil=True, cache=True)
def drawn(
    counts,  # in   (p,) int64 how many rows each member has
    rank,  # which member this is
    seed,  # uint64
    chances,  # in   (n,) float32, or (1,) the same for all
    taken,  # sets (n,) bool
):
    """Which rows are taken, each by its chance: by a number that depends on its place among the rows of all members,
    which take turns, and on the seed alone (splitmix64: Steele, Lea and Flood 2014)."""
    same = len(chances) == 1
    for i in numba.prange(len(taken)):
        place = np.uint64(0)
        for j in range(len(counts)):
            place += np.uint64(min(counts[j], np.int64(i) + (j < rank)))
        bits = (place + ONE) * A + seed
        bits = (bits ^ (bits >> S30)) * B
        bits = (bits ^ (bits >> S27)) * C
        bits ^= bits >> S31
        draw = (np.float64(bits >> S11) + 0.5) * 2.0**-53
        taken[i] = draw < chances[np.int64(0) if same else np.int64(i)]
