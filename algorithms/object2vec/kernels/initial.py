"""First weights: uniform draws by count, so that threads share them out and the bits are the same on any number."""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.randomness import draw
from algoport.algorithms.shared.threads import share, team

BLOCK = 1 << 14  # numbers of a task


def uniform_(
    out,  # sets (p,) float32
    key,  # in   uint64  of these draws
    bound,  # in   numbers are from -bound to bound
) -> None:
    """Independent uniform draws of 24 bits."""
    _uniform(team(len(out)), out, np.uint64(key), np.float32(bound))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _uniform_block(block, out, key, bound):
    first = block * BLOCK
    own, place = out[first : first + BLOCK], np.uint64(first)
    for i in range(len(own)):
        bits = np.int64(draw(key, place + np.uint64(i)) >> np.uint64(40))
        own[i] = (np.float32(bits) * np.float32(2.0**-23) - np.float32(1)) * bound


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _uniform(workers, out, key, bound):
    share(workers, _uniform_block, (len(out) + BLOCK - 1) // BLOCK, (out, key, bound))
