"""Filters at the points, and their gradients back from there.    c channels in   o channels out

Filters lie (o, 3, 3, c), as channels-last tensors have them. At the points they lie in panels of WIDTH columns, SKEW
numbers behind each point's.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.simd import LANES
from algoport.algorithms.shared.threads import share
from algoport.algorithms.shared.vision.kernels.winograd.layout import TAPS, WIDTH, square
from algoport.algorithms.shared.vision.kernels.winograd.transforms import filter_to_points, points_to_filter, turned

SQUARE = TAPS * TAPS


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _forward_panel(panel, w, c, o, u):
    """The filters of WIDTH channels out, as the output takes them: columns are channels out."""
    scratch, first = np.empty(LANES * SQUARE * WIDTH, np.float32), panel * WIDTH
    for f in range(0, c, LANES):
        for tap in range(SQUARE):
            for r in range(0, WIDTH, LANES):
                turned(w, ((first + r) * SQUARE + tap) * c + f, SQUARE * c, scratch, tap * WIDTH + r, SQUARE * WIDTH)
        for k in range(LANES):
            place = (panel * c + f + k) * WIDTH
            filter_to_points(scratch, k * SQUARE * WIDTH, TAPS * WIDTH, WIDTH, u, place, square(c, o))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _backward_panel(panel, w, c, o, u):
    """The filters of WIDTH channels in, as the input's gradient takes them: turned by half a circle, columns are
    channels in."""
    for k in range(o):
        start = ((k + 1) * SQUARE - 1) * c + panel * WIDTH
        filter_to_points(w, start, -TAPS * c, -c, u, (panel * o + k) * WIDTH, square(c, o))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _gradient_rows(k, groups, d, c, o, gradient):
    """The gradients of the filters of a channel out, from sums by groups."""
    gap, size = square(c, o), 36 * square(c, o)
    for group in range(1, groups):
        for p in range(36):
            to = p * gap + k * c
            for f in range(c):
                d[to + f] += d[group * size + to + f]
    points_to_filter(d, k * c, gap, c, gradient, k * SQUARE * c)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def forward(
    team,  # in   threads
    w,  # in   (o, 3, 3, c) float32
    u,  # sets (36, o c + SKEW) float32  of each point (o / WIDTH, c, WIDTH)
):
    """Filters as the output takes them."""
    o, c = w.shape[0], w.shape[3]
    share(team, _forward_panel, o // WIDTH, (w.reshape(-1), c, o, u.reshape(-1)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def backward(
    team,  # in   threads
    w,  # in   (o, 3, 3, c) float32
    u,  # sets (36, o c + SKEW) float32  of each point (c / WIDTH, o, WIDTH)
):
    """Filters as the gradient of the input takes them."""
    o, c = w.shape[0], w.shape[3]
    share(team, _backward_panel, c // WIDTH, (w.reshape(-1), c, o, u.reshape(-1)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def gradient(
    team,  # in   threads
    d,  # in   (groups, 36, o c + SKEW) float32  sums of products of each point (o, c), by groups; the first is changed
    out,  # sets (o, 3, 3, c) float32
):
    """The gradient of the filters."""
    o, c = out.shape[0], out.shape[3]
    share(team, _gradient_rows, o, (len(d), d.reshape(-1), c, o, out.reshape(-1)))
