"""Scores of dense rows, and their losses.    n rows   d features   m candidates   k outputs   c = m k columns"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.linear_learner.kernels import layout
from algoport.algorithms.linear_learner.kernels.dense import fill, forward, prepare
from algoport.algorithms.linear_learner.kernels.losses import HINGE, SOFTMAX, aligned, slopes, slopes_of_one
from algoport.algorithms.linear_learner.kernels.products import MOST_LINES, project
from algoport.algorithms.linear_learner.kernels.writing import apart
from algoport.algorithms.shared.linalg.simd import LANES


@numba.njit(nogil=True, cache=True)
def _score_rows(rows, first, some, shift, scale, parts, out):
    """Sets the scores of some rows; returns them as they lie inside."""
    apart()
    places, widths, stride, _, tiles, start, _, _, k, _ = parts
    c, columns, d = out.shape[1], len(places), rows.shape[1]
    lines = layout.whole(some, MOST_LINES)
    panel, scores = np.zeros(lines * stride, np.float32), np.zeros(lines * columns, np.float32)
    if c == 1:
        project(rows, first, some, shift, scale, tiles, start[0], panel, stride, scores)
        out[first : first + some, 0] = scores[:some]
        return scores
    fill(rows, first, some, shift, scale, panel, stride)
    forward(panel, stride, some, d, tiles, start, widths, scores, columns)
    if k in (1, c):  # columns stand inside as outside
        for r in range(some):
            out[first + r] = scores[r * columns : r * columns + c]
        return scores
    for r in range(some):
        for j in range(columns):
            if places[j] >= 0:
                out[first + r, places[j]] = scores[r * columns + j]
    return scores


@numba.njit(nogil=True, cache=True)
def serial(rows, shift, scale, weights, bias, out):
    """As `parallel`, on one thread."""
    parts = prepare(rows.shape[1], np.ones(1), weights, bias, False)
    size = parts[3]
    for first in range(0, len(rows), size):
        _score_rows(rows, first, min(size, len(rows) - first), shift, scale, parts, out)


@numba.njit(parallel=True, nogil=True, cache=True)
def parallel(rows, shift, scale, weights, bias, out):
    """Sets `out` (n, c)."""
    parts = prepare(rows.shape[1], np.ones(1), weights, bias, False)
    size = parts[3]
    for b in numba.prange((len(rows) + size - 1) // size):
        _score_rows(rows, b * size, min(size, len(rows) - b * size), shift, scale, parts, out)


@numba.njit(nogil=True, cache=True)
def _score_and_sum(
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
    out,  # sets (n, c) float32
    sums,  # sets (2, columns) float32
):
    """Sets the scores of some rows, and `sums` (2, columns) as `dense.block` does."""
    apart()
    places, _, _, _, _, _, factors, inner, k, across = parts
    columns = len(places)
    scores = _score_rows(rows, first, some, shift, scale, parts, out)
    sums[:] = 0
    if out.shape[1] == 1:
        mine, heavy = aligned(first, some, targets, row_weights, factors[LANES] if loss <= HINGE else np.float32(1))
        total = np.zeros((2, LANES), np.float32)
        slopes_of_one(scores, some, mine, heavy, loss, parameter, total[0], total[1])
        sums[1, 0] = total[1].sum()
        return
    slopes(scores, columns, some, columns, targets, row_weights, first, factors, inner, k, across, loss, parameter,
           sums[0], sums[1])  # fmt: skip


@numba.njit(nogil=True, cache=True)
def serial_judging(
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
    out,  # sets (n, c) float32
    losses,  # adds (m,) float64
):
    """As `parallel_judging`, on one thread."""
    n = len(rows)
    parts = prepare(rows.shape[1], positive, weights, bias, loss == SOFTMAX)
    places, size, k = parts[0], parts[3], parts[8]
    sums = np.empty(((n + size - 1) // size, 2, len(places)), np.float32)
    for b in range(len(sums)):
        some = min(size, n - b * size)
        _score_and_sum(rows, b * size, some, shift, scale, targets, row_weights, parts, loss, parameter, out, sums[b])
    layout.gather(sums, places, k, np.empty(len(bias), np.float32), losses)


@numba.njit(parallel=True, nogil=True, cache=True)
def parallel_judging(
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
    out,  # sets (n, c) float32
    losses,  # adds (m,) float64
):
    """Sets `out` (n, c), and adds the weighted sums of the losses of all rows."""
    n = len(rows)
    parts = prepare(rows.shape[1], positive, weights, bias, loss == SOFTMAX)
    places, size, k = parts[0], parts[3], parts[8]
    sums = np.empty(((n + size - 1) // size, 2, len(places)), np.float32)
    for b in numba.prange(len(sums)):
        some = min(size, n - b * size)
        _score_and_sum(rows, b * size, some, shift, scale, targets, row_weights, parts, loss, parameter, out, sums[b])
    layout.gather(sums, places, k, np.empty(len(bias), np.float32), losses)
