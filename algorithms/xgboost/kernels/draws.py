"""Inner loops of drawing rows.    n rows   p members"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.randomness import draw, inner_share


@numba.njit(parallel=True, nogil=True, cache=True)
def draw_rows(
    counts,  # in   (p,) int64 how many rows each member has
    rank,  # which member this is
    seed,  # uint64
    chances,  # in   (n,) float32, or (1,) the same for all
    mask,  # sets (n,) bool
):
    """Which rows are taken, each by its chance: by a number that depends on its place among the rows of all members,
    which take turns, and on the seed alone."""
    same = len(chances) == 1
    for i in numba.prange(len(mask)):
        place = np.uint64(0)
        for j in range(len(counts)):
            place += np.uint64(min(counts[j], np.int64(i) + (j < rank)))
        mask[i] = inner_share(draw(seed, place)) < chances[np.int64(0) if same else np.int64(i)]
