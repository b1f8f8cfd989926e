"""Gradients and scores of dense rows.    n rows   d features   m candidates   k outputs of each   c = m k columns

Rows go in blocks of a size that depends on the problem and not on the threads. A block's rows are copied, shifted and
scaled, into a panel that stays in the cache for both products: with the weights, and with the losses' derivatives.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.linear_learner.kernels import layout
from algoport.algorithms.linear_learner.kernels.losses import HINGE, SOFTMAX, aligned, slopes, slopes_of_one
from algoport.algorithms.linear_learner.kernels.products import MOST_LINES, combine, move, multiply, project
from algoport.algorithms.linear_learner.kernels.writing import apart
from algoport.algorithms.shared.linalg.simd import LANES

# Rows of a panel, and numbers of one where a single column leaves them little use.
BLOCK, NARROW_BLOCK, NARROW = 96, 256, 8192
# Numbers that the partial sums of blocks may hold together.
PARTIAL = 1 << 24


@numba.njit(nogil=True, cache=True)
def prepare(d, positive, weights, bias, softmax):
    """What blocks need of the candidates, in the order of `layout`."""
    apart()
    m = len(positive)
    k = len(bias) // m
    across, inner = layout.arrangement(m, k)
    places = layout.outside(m, k)
    widths = layout.tiles(len(places))
    stride = layout.whole(d, LANES) if len(bias) == 1 else layout.room(d, widths)
    size = min(NARROW_BLOCK, max(layout.whole(NARROW // stride, LANES), LANES)) if len(bias) == 1 else BLOCK
    tiles = np.empty(d * len(places), np.float32)
    if len(bias) == 1:
        tiles[:d] = weights[:, 0]
    else:
        layout.pack(weights, places, m == 1 or k == 1, widths, 0, d, tiles)
    start = layout.initial_scores(bias, places, softmax)
    factors = layout.factors(positive, places, k)
    return places, widths, stride, size, tiles, start, factors, inner, k, across


@numba.njit(nogil=True, cache=True)
def fill(rows, first, some, shift, scale, panel, stride):
    """Sets the panel to some rows, shifted and scaled."""
    apart()
    d = rows.shape[1]
    flat = rows.reshape(rows.size)
    for r in range(some):
        move(flat, (first + r) * d, shift, scale, 0, d, panel, r * stride)


@numba.njit(nogil=True, cache=True)
def forward(
    panel,  # in   (lines * stride,) float32
    stride,  # in   int64  from a row to the next
    some,  # in   int64  how many rows
    d,  # in   int64  features
    weights,  # in   (d * columns,) float32  tile by tile
    start,  # in   (columns,) float32  the bias, inside
    widths,  # in   (tiles,) int64  of the tiles, in vectors
    scores,  # sets (some * columns,) float32
    columns,  # in   int64  inside, a multiple of LANES
):
    """Sets the scores (some, columns) of a panel's rows."""
    begin = 0
    for width in widths:
        multiply(width, some, panel, 0, stride, 1, weights, begin * d, width * LANES, d, start, begin, 0, scores, begin,
                 columns)  # fmt: skip
        begin += width * LANES


@numba.njit(nogil=True, cache=True)
def backward(
    panel,  # in   (lines * stride,) float32
    stride,  # in   int64  from a row to the next
    some,  # in   int64  how many rows
    d,  # in   int64  features
    scores,  # in   (some * columns,) float32  the derivatives
    columns,  # in   int64  inside, a multiple of LANES
    zeros,  # in   (columns,) float32
    widths,  # in   (tiles,) int64  of the tiles, in vectors
    partial,  # sets (stride * columns,) float32
):
    """Sets the partial gradient, tile by tile as the weights are, but with room for more features."""
    begin = 0
    for width in widths:
        multiply(width, d, panel, 0, 1, stride, scores, begin, columns, some, zeros, 0, 0, partial, begin * stride,
                 width * LANES)  # fmt: skip
        begin += width * LANES


@numba.njit(nogil=True, cache=True)
def block(
    rows,  # in   (n, d) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    targets,  # in   (n,) float32
    row_weights,  # in   (n,) float32
    parts,  # in   the tuple of `prepare`
    loss,  # in   int64  its number
    parameter,  # in   float64  of the loss
    partial,  # sets (stride * columns,) float32
    sums,  # sets (2, columns) float32  of the bias, and the losses
):
    """Sets the partial gradient of some rows, and `sums` (2, columns): of the bias, and the losses."""
    apart()
    _, widths, stride, _, tiles, start, factors, inner, k, across = parts
    d, columns = rows.shape[1], len(start)
    lines = layout.whole(some, MOST_LINES)
    panel, scores = np.zeros(lines * stride, np.float32), np.empty(lines * columns, np.float32)
    fill(rows, first, some, shift, scale, panel, stride)
    forward(panel, stride, some, d, tiles, start, widths, scores, columns)
    sums[:] = 0
    slopes(scores, columns, some, columns, targets, row_weights, first, factors, inner, k, across, loss, parameter,
           sums[0], sums[1])  # fmt: skip
    backward(panel, stride, some, d, scores, columns, np.zeros(columns, np.float32), widths, partial)


@numba.njit(nogil=True, cache=True)
def block_of_one(
    rows,  # in   (n, d) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    targets,  # in   (n,) float32
    row_weights,  # in   (n,) float32
    parts,  # in   the tuple of `prepare`
    loss,  # in   int64  its number
    parameter,  # in   float64  of the loss
    partial,  # sets (stride * columns,) float32
    sums,  # sets (2, columns) float32  of the bias, and the losses
):
    """As `block`, of a single column: features fill the vectors, and rows where there are no features."""
    apart()
    _, _, stride, _, weights, start, factors, _, _, _ = parts
    lines = layout.whole(some, LANES)
    panel, scores = np.empty(lines * stride, np.float32), np.zeros(lines, np.float32)
    project(rows, first, some, shift, scale, weights, start[0], panel, stride, scores)
    mine, heavy = aligned(first, some, targets, row_weights, factors[LANES] if loss <= HINGE else np.float32(1))
    total = np.zeros((2, LANES), np.float32)
    slopes_of_one(scores, some, mine, heavy, loss, parameter, total[0], total[1])
    sums[0, 0], sums[1, 0] = total[0].sum(), total[1].sum()
    combine(scores, some, panel, stride, np.zeros(8 * LANES, np.float32), partial)


@numba.njit(nogil=True, cache=True)
def gather(partial, sums, first, last, parts, gradient):
    """Adds the blocks' sums of the features from first to last, in float64 and in the blocks' order."""
    apart()
    places, widths, stride, _, _, _, _, _, k, _ = parts
    columns, c = len(places), gradient.shape[1]
    plain = k in (1, c)
    total = np.empty(columns)
    for f in range(first, last):
        total[:] = 0
        for b in range(len(partial)):
            if c == 1:
                total[0] += partial[b, f]
                continue
            begin = 0
            for width in widths:
                at = begin * stride + f * width * LANES
                for j in range(width * LANES):
                    total[begin + j] += partial[b, at + j]
                begin += width * LANES
        if plain:
            for j in range(c):
                gradient[f, j] += np.float32(total[j])
        else:
            for j in range(columns):
                if places[j] >= 0:
                    gradient[f, places[j]] += np.float32(total[j])


@numba.njit(nogil=True, cache=True)
def serial(
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
    """As `parallel`, on one thread."""
    n, d = rows.shape
    parts = prepare(d, positive, weights, bias, loss == SOFTMAX)
    places, stride, size, k = parts[0], parts[2], parts[3], parts[8]
    each = stride * (len(places) if len(bias) > 1 else 1)
    together = max(1, PARTIAL // each)
    for begin in range(0, n, together * size):
        blocks = min(together, (n - begin + size - 1) // size)
        partial, sums = np.empty((blocks, each), np.float32), np.empty((blocks, 2, len(places)), np.float32)
        for b in range(blocks):
            first = begin + b * size
            some = min(size, n - first)
            if len(bias) == 1:
                block_of_one(rows, first, some, shift, scale, targets, row_weights, parts, loss, parameter, partial[b],
                             sums[b])  # fmt: skip
            else:
                block(rows, first, some, shift, scale, targets, row_weights, parts, loss, parameter, partial[b],
                      sums[b])  # fmt: skip
        gather(partial, sums, 0, d, parts, gradient)
        layout.gather(sums, places, k, bias_gradient, losses)


@numba.njit(parallel=True, nogil=True, cache=True)
def parallel(
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
    """Adds the sums over all rows of the gradient, of that of the bias, and of the losses."""
    n, d = rows.shape
    parts = prepare(d, positive, weights, bias, loss == SOFTMAX)
    places, stride, size, k = parts[0], parts[2], parts[3], parts[8]
    each = stride * (len(places) if len(bias) > 1 else 1)
    together = max(1, PARTIAL // each)
    for begin in range(0, n, together * size):
        blocks = min(together, (n - begin + size - 1) // size)
        partial, sums = np.empty((blocks, each), np.float32), np.empty((blocks, 2, len(places)), np.float32)
        for b in numba.prange(blocks):
            first = begin + b * size
            some = min(size, n - first)
            if len(bias) == 1:
                block_of_one(rows, first, some, shift, scale, targets, row_weights, parts, loss, parameter, partial[b],
                             sums[b])  # fmt: skip
            else:
                block(rows, first, some, shift, scale, targets, row_weights, parts, loss, parameter, partial[b],
                      sums[b])  # fmt: skip
        for part in numba.prange(64):
            gather(partial, sums, part * d // 64, (part + 1) * d // 64, parts, gradient)
        layout.gather(sums, places, k, bias_gradient, losses)
