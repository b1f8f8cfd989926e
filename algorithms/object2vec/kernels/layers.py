"""A layer of a perceptron for pairs in the lanes of vectors: its products, forward and backward, on the calling thread.

m pairs in q panels of WIDTH   k inputs and n outputs of a layer

A layer's inputs lie a panel (k, WIDTH) after another, and the gradients by its outputs likewise; so all three products
of a layer run over its weights as they are, and nothing is packed.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.linalg.gemm import HEIGHT, THIRD, WIDTH, high_tile, low_tile, middle_tile
from algoport.algorithms.shared.neural.kernels.recurrence import tanh

LINEAR, TANH, RELU = range(3)  # activations
# Columns of a layout, a row a layer: where its weights and its biases lie in all of them; inputs, outputs; tasks; where
# its inputs, the parts of its outputs, and their gradients by outputs and by pairs lie.
WEIGHTS, BIASES, INPUTS, OUTPUTS, TASKS, X, PARTS, SLOPES, PACKED = range(9)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def span(task, tasks, k):
    """The first of a task's inputs, and that behind its last: whole tiles."""
    units = (k + HEIGHT - 1) // HEIGHT
    return units * task // tasks * HEIGHT, min(k, units * (task + 1) // tasks * HEIGHT)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def forward(
    task,  # whose inputs these are
    q,  # panels of pairs
    weights,  # in   (p,) float32
    own,  # in   (9,) int64  the layer's row of the layout
    x,  # in   (all,) float32
    first,  # of some of the layer's inputs
    depth,  # how many they are
    parts,  # sets (all,) float32, or adds
    fresh,  # 1: sets
):
    """The part (n, WIDTH) of the outputs of each panel of pairs that comes of some inputs. A panel's inputs go through
    the same tile of weights as those of the panel before, which is then near."""
    n, at = own[OUTPUTS], own[WEIGHTS] + first * own[OUTPUTS]
    j = 0
    while j < n:
        high = _high(n - j)
        for p in range(q):
            begin, place = own[X] + (p * own[INPUTS] + first) * WIDTH, own[PARTS] + ((task * q + p) * n + j) * WIDTH
            if high == HEIGHT:
                high_tile(weights, at + j, n, 1, x, begin, WIDTH, depth, parts, place, WIDTH, fresh)
            elif high == 2 * THIRD:
                middle_tile(weights, at + j, n, 1, x, begin, WIDTH, depth, parts, place, WIDTH, fresh)
            elif high == THIRD:
                low_tile(weights, at + j, n, 1, x, begin, WIDTH, depth, parts, place, WIDTH, fresh)
            else:
                out = parts[place : place + WIDTH]
                if fresh:
                    out[:] = 0
                for c in range(depth):
                    weight, given = weights[at + c * n + j], x[begin + c * WIDTH : begin + (c + 1) * WIDTH]
                    for i in range(WIDTH):
                        out[i] += weight * given[i]
        j += high


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _high(rows):
    """How many of so many rows the next tile has: those of a whole one, of two thirds or of one, or a single row."""
    if rows >= HEIGHT:
        return HEIGHT
    if rows >= 2 * THIRD:
        return 2 * THIRD
    return THIRD if rows >= THIRD else 1


@numba.njit(nogil=True, cache=True, error_model="numpy")
def summed(
    first,  # output
    last,  # output, which does not count
    p,  # panel of pairs
    q,  # panels
    biases,  # in   (n,) float32
    begin,  # where the layer's parts lie
    tasks,  # that have made parts
    parts,  # in   (all,) float32
    out,  # sets ((last - first) * WIDTH,) float32
):
    """Sets some outputs of a layer before its activation: their biases and the parts of all tasks, in their order."""
    n = len(biases)
    for c in range(first, last):
        own, bias = out[(c - first) * WIDTH : (c - first + 1) * WIDTH], biases[c]
        for i in range(WIDTH):
            own[i] = bias
    for task in range(tasks):
        place = begin + ((task * q + p) * n + first) * WIDTH
        part = parts[place : place + (last - first) * WIDTH]
        for i in range(len(part)):
            out[i] += part[i]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def activate(activation, own):
    """Sums become values."""
    if activation == TANH:
        for i in range(len(own)):
            own[i] = tanh(own[i])
    elif activation == RELU:
        for i in range(len(own)):
            own[i] = max(own[i], np.float32(0))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def put(
    values,  # in   (WIDTH,) float32
    p,  # panel of pairs
    q,  # panels
    j,  # output
    n,  # outputs of the layer
    own,  # in   (9,) int64  the layer's row of the layout
    slopes,  # sets (all,) float32
    packed,  # sets (all,) float32
):
    """An output's gradients (WIDTH,) of a panel of pairs, as both backward products take them."""
    place = own[SLOPES] + (p * n + j) * WIDTH
    to = own[PACKED] + (j // WIDTH * q + p) * WIDTH * WIDTH + j % WIDTH
    for i in range(WIDTH):
        slopes[place + i] = values[i]
        packed[to + i * WIDTH] = values[i]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def backward(
    q,
    weights,  # in   (p,) float32
    own,  # in   (9,) int64  the layer's row of the layout
    slopes,  # in   (all,) float32
    first,  # of some of the layer's inputs
    rows,  # how many they are
    out,  # sets (q, >= rows * WIDTH) float32
):
    """The gradients by some inputs, of each panel of pairs, from those by the layer's outputs."""
    n = own[OUTPUTS]
    flat, line, r = out.reshape(-1), out.shape[1], 0
    while r < rows:
        high, at = _high(rows - r), own[WEIGHTS] + (first + r) * n
        for p in range(q):
            begin, place = own[SLOPES] + p * n * WIDTH, p * line + r * WIDTH
            if high == HEIGHT:
                high_tile(weights, at, 1, n, slopes, begin, WIDTH, n, flat, place, WIDTH, 1)
            elif high == 2 * THIRD:
                middle_tile(weights, at, 1, n, slopes, begin, WIDTH, n, flat, place, WIDTH, 1)
            elif high == THIRD:
                low_tile(weights, at, 1, n, slopes, begin, WIDTH, n, flat, place, WIDTH, 1)
            else:
                to = flat[place : place + WIDTH]
                to[:] = 0
                for j in range(n):
                    weight, given = weights[at + j], slopes[begin + j * WIDTH : begin + (j + 1) * WIDTH]
                    for i in range(WIDTH):
                        to[i] += weight * given[i]
        r += high


@numba.njit(nogil=True, cache=True, error_model="numpy")
def outer(
    m,  # pairs
    x,  # in   (all,) float32
    begin,  # where the first of these inputs lies in the first panel
    k,  # inputs of the layer
    rows,  # how many of them
    packed,  # in   (all,) float32
    start,  # where the layer's gradients lie there
    n,  # outputs of the layer
    gradient,  # sets (p,) float32
    at,  # from here
):
    """The gradient of some rows (rows, n) of weights: the sum over the pairs of inputs times gradients by outputs."""
    q = (m + WIDTH - 1) // WIDTH
    edge = np.empty(HEIGHT * WIDTH, np.float32)
    for panel in range((n + WIDTH - 1) // WIDTH):
        columns, given = min(WIDTH, n - panel * WIDTH), start + panel * q * WIDTH * WIDTH
        for r in range(0, rows, HEIGHT):
            high, place = min(HEIGHT, rows - r), at + r * n + panel * WIDTH
            if columns == WIDTH and (high == HEIGHT or high == 2 * THIRD or high == THIRD):
                _outer_tile(m, q, x, begin + r * WIDTH, k, high, packed, given, gradient, place, n)
                continue
            _outer_tile(m, q, x, begin + r * WIDTH, k, high, packed, given, edge, 0, WIDTH)
            for c in range(high):
                for j in range(columns):
                    gradient[place + c * n + j] = edge[c * WIDTH + j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _outer_tile(
    m,  # pairs
    q,  # panels of them
    x,  # in   (all,) float32
    begin,  # where the tile's inputs lie in the first panel
    k,  # inputs of the layer
    high,  # rows of the tile
    packed,  # in   (all,) float32
    start,  # where its gradients lie there
    out,  # sets (all,) float32
    place,  # where the tile lies
    line,  # from one of its rows to the next
):
    for p in range(q):
        depth, fresh = min(WIDTH, m - p * WIDTH), 1 if p == 0 else 0
        at, to = begin + p * k * WIDTH, start + p * WIDTH * WIDTH
        if high > 2 * THIRD:
            high_tile(x, at, 1, WIDTH, packed, to, WIDTH, depth, out, place, line, fresh)
        elif high > THIRD:
            middle_tile(x, at, 1, WIDTH, packed, to, WIDTH, depth, out, place, line, fresh)
        else:
            low_tile(x, at, 1, WIDTH, packed, to, WIDTH, depth, out, place, line, fresh)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def by_activation(activation, values, slopes):
    """Gradients by an activation's values become those by what they are of."""
    if activation == TANH:
        for i in range(len(values)):
            slopes[i] *= np.float32(1) - values[i] * values[i]
    elif activation == RELU:
        for i in range(len(values)):
            slopes[i] *= np.float32(values[i] > 0)
