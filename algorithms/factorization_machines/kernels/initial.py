"""Where features start: drawn by the feature's own number, so that it does not matter when and where it is first seen.

k factors   c features seen
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.factorization_machines.kernels import HEAD, WEIGHT
from algoport.algorithms.shared.randomness import draw, inner_share
from algoport.algorithms.shared.randomness import share as share_of
from algoport.algorithms.shared.threads import share

UNIFORM, NORMAL, CONSTANT = 0, 1, 2
METHODS = {"uniform": UNIFORM, "normal": NORMAL, "constant": CONSTANT}
RECORDS = 256  # that a thread takes at a time


@numba.njit(nogil=True, cache=True, error_model="numpy")
def number(key, place, method, size):
    """The number at a place of the stream of a key. Normal ones by pairs (Box and Muller 1958)."""
    if method == CONSTANT:
        return size
    if method == UNIFORM:
        return size * (2.0 * share_of(draw(key, np.uint64(place))) - 1.0)
    first = np.uint64(place) & ~np.uint64(1)
    length = math.sqrt(-2.0 * math.log(inner_share(draw(key, first))))
    angle = 2.0 * math.pi * share_of(draw(key, first + np.uint64(1)))
    return size * length * (math.sin(angle) if place & 1 else math.cos(angle))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _begin(
    block,  # int64  which RECORDS of the features
    known,  # in   (m,) int32  as `begin` has these and all below
    first,  # in   int64
    table,  # sets (c, width) float32
    k,  # in   int64
    seeds,  # in   (2,) uint64
    methods,  # in   (2,) int64
    sizes,  # in   (2,) float64
):
    for i in range(block * RECORDS, min(known.shape[0], (block + 1) * RECORDS)):
        feature, record = np.uint64(known[i]), first + i
        table[record, WEIGHT] = number(draw(seeds[0], feature), 0, methods[0], sizes[0])
        key = draw(seeds[1], feature)
        for f in range(k):
            table[record, HEAD + f] = number(key, f, methods[1], sizes[1])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def begin(
    team,  # in   (2,) int64  as `threads.team` gives it
    known,  # in   (m,) int32  features
    first,  # in   int64  the record of the first; the others follow
    table,  # sets (c, width) float32  zeros in these records
    k,  # in   int64
    seeds,  # in   (2,) uint64  of linear weights and of factors, as are both below
    methods,  # in   (2,) int64
    sizes,  # in   (2,) float64
):
    """Draw what features start with."""
    share(team, _begin, (known.shape[0] + RECORDS - 1) // RECORDS, (known, first, table, k, seeds, methods, sizes))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def one(seed, method, size):
    """A number of its own."""
    return number(np.uint64(seed), 0, method, size)
