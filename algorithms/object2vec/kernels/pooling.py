"""The maximum over the tokens of a sequence, channel by channel.

n sequences   p tokens   c channels   e all channels
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import share, team

Array = NDArray[np.float32]
NOWHERE = -1  # the place of a maximum that passes no gradient on


def maxima_(
    x: Array,  # sets (p, c)  becomes max(0, x + bias), where it is to be rectified
    bias: Array,  # in   (c,)
    offsets: NDArray[np.int64],  # in   (n + 1,)
    rectify: bool,
    out: Array,  # sets (n, e)  from column `first` on
    first: int,
) -> NDArray[np.int32]:
    """The places (n, c) of the maxima, the first of equals."""
    places = np.empty((len(offsets) - 1, x.shape[1]), np.int32)
    _maxima(team(x.size), x, const(bias), const(offsets, np.int64), rectify, out, first, places)
    return places


def spread_(
    by_out: Array,  # in   (n, e)  gradient of the maxima, from column `first` on
    first: int,
    places: NDArray[np.int32],  # in   (n, c)
    x: Array,  # in   (p, c)  what the maxima are of
    offsets: NDArray[np.int64],  # in   (n + 1,)
    rectify: bool,  # whether what is not above 0 passes no gradient on
    fresh: bool,  # whether nothing but the maxima uses x
    by_x: Array,  # sets (p, c), or adds where it is not fresh
) -> None:
    """The gradient of x."""
    given = const(by_out), first, const(places, np.int32), const(x), const(offsets, np.int64)
    _spread(team(x.size), *given, rectify, fresh, by_x)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _maxima_of(
    i,  # the sequence
    x,  # sets (p, c) float32
    bias,  # in   (c,) float32
    offsets,  # in   (n + 1,) int64
    rectify,  # whether to
    out,  # sets (n, e) float32
    first,  # column
    places,  # sets (n, c) int32
):
    own, c = places[i], x.shape[1]
    most = out[i, first : first + c]
    least = np.float32(0) if rectify else np.float32(-np.inf)
    for j in range(c):
        most[j], own[j] = least, NOWHERE
    for p in range(offsets[i], offsets[i + 1]):
        row = x[p]
        if rectify:
            for j in range(c):
                row[j] = max(row[j] + bias[j], np.float32(0))
        for j in range(c):
            is_more = row[j] > most[j]
            most[j] = row[j] if is_more else most[j]
            own[j] = np.int32(p) if is_more else own[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _maxima(
    workers,  # in   threads
    x,  # sets (p, c) float32
    bias,  # in   (c,) float32
    offsets,  # in   (n + 1,) int64
    rectify,  # whether to
    out,  # sets (n, e) float32
    first,  # column
    places,  # sets (n, c) int32
):
    share(workers, _maxima_of, len(offsets) - 1, (x, bias, offsets, rectify, out, first, places))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _spread_of(
    i,  # the sequence
    by_out,  # in   (n, e) float32
    first,  # column
    places,  # in   (n, c) int32
    x,  # in   (p, c) float32
    offsets,  # in   (n + 1,) int64
    rectify,  # whether x was
    fresh,  # whether to begin at 0
    by_x,  # sets (p, c) float32
):
    own, c = places[i], x.shape[1]
    given = by_out[i, first : first + c]
    if fresh:
        for p in range(offsets[i], offsets[i + 1]):
            for j in range(c):
                by_x[p, j] = 0
    for j in range(c):
        if own[j] != NOWHERE:
            by_x[own[j], j] += given[j]
    if rectify and not fresh:
        for p in range(offsets[i], offsets[i + 1]):
            row, to = x[p], by_x[p]
            for j in range(c):
                to[j] = to[j] if row[j] > 0 else np.float32(0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _spread(
    workers,  # in   threads
    by_out,  # in   (n, e) float32
    first,  # column
    places,  # in   (n, c) int32
    x,  # in   (p, c) float32
    offsets,  # in   (n + 1,) int64
    rectify,  # whether x was
    fresh,  # whether to begin at 0
    by_x,  # sets (p, c) float32
):
    share(workers, _spread_of, len(offsets) - 1, (by_out, first, places, x, offsets, rectify, fresh, by_x))
