"""Gradients of dense rows where the weights outgrow a core's cache.    n rows   d features   c columns

A block of rows of its own for each thread, as in `dense`, would write all the gradient again and again. So the
derivatives of many rows are kept, and after that each group of features has its gradient summed over all of them.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.linear_learner.kernels import layout
from algoport.algorithms.linear_learner.kernels.losses import SOFTMAX, slopes
from algoport.algorithms.linear_learner.kernels.products import move, multiply
from algoport.algorithms.linear_learner.kernels.writing import apart
from algoport.algorithms.shared.linalg.simd import LANES

# Numbers of a gradient from which on it is summed so: 130,000 are half of a megabyte.
WIDE = 1 << 17
ROWS = 1024  # whose derivatives are kept; those of a thousand classes of 32 models are 130 MB
BLOCK = 48  # rows of a panel
FEATURES = 768  # of a panel
GROUP = 48  # features that are summed together; the lines of every tile divide it
CHUNK = 256  # rows that are summed in float32
TASKS = 64  # to share among threads, at least, where there is enough to share


@numba.njit(nogil=True, cache=True)
def score_rows(
    rows,  # in   (n, d) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    at,  # in   int64  the line of the first in the scores
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    tiles,  # in   (d * columns,) float32  the weights, tile by tile
    start,  # in   (columns,) float32  the bias, inside
    widths,  # in   (tiles,) int64  of the tiles, in vectors
    scores,  # sets (lines, stride) float32, flat
    stride,  # in   int64  from a row to the next
):
    """Sets the scores (some, stride) of some rows, from the line `at` on."""
    apart()
    d = rows.shape[1]
    flat = rows.reshape(rows.size)
    panel = np.zeros(BLOCK * FEATURES, np.float32)
    for f in range(0, d, FEATURES):
        count = min(FEATURES, d - f)
        for r in range(some):
            move(flat, (first + r) * d + f, shift, scale, f, count, panel, r * FEATURES)
        begin = 0
        for width in widths:
            step, put = width * LANES, at * stride + begin
            weights = begin * d + f * step
            if f == 0:
                multiply(width, some, panel, 0, FEATURES, 1, tiles, weights, step, count, start, begin, 0, scores, put,
                         stride)  # fmt: skip
            else:
                multiply(width, some, panel, 0, FEATURES, 1, tiles, weights, step, count, scores, put, stride, scores,
                         put, stride)  # fmt: skip
            begin += step


@numba.njit(nogil=True, cache=True)
def add_gradient(
    rows,  # in   (n, d) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    group,  # in   int64  of features
    low,  # in   int64  the first tile
    high,  # in   int64  behind the last tile
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    plan,  # in   (columns,) int64  the column outside; -1 where there is none
    plain,  # in   bool  whether columns stand inside as outside
    widths,  # in   (tiles,) int64  of the tiles, in vectors
    scores,  # in   (some, stride) float32, flat  the derivatives
    stride,  # in   int64  from a row to the next
    gradient,  # adds (d, c) float32
):
    """Adds the gradient of a group of features, in the tiles from low to high."""
    apart()
    d, c = gradient.shape
    f = group * GROUP
    count = min(GROUP, d - f)
    flat = rows.reshape(rows.size)
    panel = np.zeros(some * GROUP, np.float32)
    for r in range(some):
        move(flat, (first + r) * d + f, shift, scale, f, count, panel, r * GROUP)
    widest = widths[0] * LANES
    zeros, part, total = np.zeros(widest, np.float32), np.empty(GROUP * widest, np.float32), np.empty(GROUP * widest)
    for tile in range(low, high):
        begin, width = tile * widest, widths[tile]  # all but the last are as wide as the first
        step = width * LANES
        total[:] = 0
        for k in range(0, some, CHUNK):
            multiply(width, count, panel, k * GROUP, 1, GROUP, scores, k * stride + begin, stride, min(CHUNK, some - k),
                     zeros, 0, 0, part, 0, step)  # fmt: skip
            for i in range(count * step):
                total[i] += part[i]
        for i in range(count):
            for j in range(step):
                column = begin + j if plain else plan[begin + j]
                if 0 <= column < c:
                    gradient[f + i, column] += np.float32(total[i * step + j])


@numba.njit(parallel=True, nogil=True, cache=True)
def gradients(
    rows,  # in   (n, d) float32
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    targets,  # in   (n,) float32
    row_weights,  # in   (n,) float32
    positive,  # in   (m,) float64  what a positive row weighs
    weights,  # in   (d, c) float32
    bias,  # in   (c,) float32
    loss,  # in   int64  its number
    parameter,  # in   float64  of the loss
    gradient,  # adds (d, c) float32
    bias_gradient,  # adds (c,) float32
    losses,  # adds (m,) float64
):
    """As those of `dense`."""
    n, d = rows.shape
    m = len(positive)
    k = len(bias) // m
    plain = m == 1 or k == 1
    across, inner = layout.arrangement(m, k)
    plan = layout.outside(m, k)
    columns, widths = len(plan), layout.tiles(len(plan))
    start = layout.initial_scores(bias, plan, loss == SOFTMAX)
    factors = layout.factors(positive, plan, k)
    tiles = np.empty(d * columns, np.float32)
    for part in numba.prange(TASKS):
        layout.pack(weights, plan, plain, widths, part * d // TASKS, (part + 1) * d // TASKS, tiles)
    groups = (d + GROUP - 1) // GROUP
    spans = min(len(widths), (TASKS + groups - 1) // groups)
    # An odd number of vectors: lines a power of two apart would share few places of the cache.
    stride = columns + LANES * (columns // LANES % 2 == 0)
    scores = np.empty(min(layout.whole(n, BLOCK), ROWS + BLOCK) * stride, np.float32)
    for first in range(0, n, ROWS):
        some = min(ROWS, n - first)
        blocks = (some + BLOCK - 1) // BLOCK
        sums = np.zeros((blocks, 2, columns), np.float32)
        for b in numba.prange(blocks):
            at = b * BLOCK
            lines = min(BLOCK, some - at)
            score_rows(rows, first + at, lines, at, shift, scale, tiles, start, widths, scores, stride)
            slopes(scores[at * stride :], stride, lines, columns, targets, row_weights, first + at, factors, inner, k,
                   across, loss, parameter, sums[b, 0], sums[b, 1])  # fmt: skip
        for task in numba.prange(groups * spans):
            group, span = task // spans, task % spans
            low, high = span * len(widths) // spans, (span + 1) * len(widths) // spans
            add_gradient(
                rows, first, some, group, low, high, shift, scale, plan, plain, widths, scores, stride, gradient
            )
        layout.gather(sums, plan, k, bias_gradient, losses)
