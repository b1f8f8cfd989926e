"""Gradients and scores of rows in CSR.    n rows   d features   m candidates   k outputs of each   c = m k columns

A shift of the features would make every row dense, so it is taken out of the products:
S = X (scale W) + b - (shift scale) W, and dW = scale (X^T G - shift sum(G)).
"""

from __future__ import annotations

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from algoport.algorithms.linear_learner.kernels import layout
from algoport.algorithms.linear_learner.kernels.losses import SOFTMAX, slopes
from algoport.algorithms.linear_learner.kernels.writing import WORD, Writer, apart
from algoport.algorithms.shared.linalg.simd import LANES

BLOCK = 96  # rows of a partial sum
CHUNK = 256  # entries of a feature that are added in float32
PARTS = 64  # shares of the features; neighbors are in different ones, as the first are often the most frequent


def _weigh_of(width: int):
    """An intrinsic that adds rows of a table, each times its value, to some columns of `out`."""

    @intrinsic
    def weigh(typing, indices, values, first, last, table, columns, column, out, put):
        signature = types.void(indices, values, first, last, table, columns, column, out, put)

        def generate(context, builder, signature, arguments):
            write = Writer(context, builder, signature, arguments)
            indices, values, first, last, table, columns, column, out, put = write.arguments
            mask = write.below(builder.sub(builder.sub(columns, column), WORD((width - 1) * LANES)))
            table, out = write.place(table, column), write.place(out, put)

            def place(v):
                return WORD(v * LANES)

            def vectors(array, offset):
                start = write.place(array, offset)
                whole = [write.load(start, place(v)) for v in range(width - 1)]
                return [*whole, write.load_some(start, place(width - 1), mask)]

            def added(i, sums):
                index = builder.load(write.place(indices, i))
                if index.type != WORD:
                    index = builder.sext(index, WORD)
                value = write.vector(builder.load(write.place(values, i)))
                there = vectors(table, builder.mul(index, columns))
                return [total.plus(value, vector) for total, vector in zip(sums, there, strict=True)]

            sums = write.loop(first, last, 1, vectors(out, WORD(0)), added)
            for v in range(width - 1):
                write.store(sums[v], out, place(v))
            write.store_some(sums[-1], out, place(width - 1), mask)
            return write.nothing

        return signature, generate

    return weigh


_weigh_1, _weigh_2, _weigh_4 = (_weigh_of(width) for width in (1, 2, 4))


@numba.njit(nogil=True, cache=True)
def weigh(
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    first,  # in   int64  the first entry
    last,  # in   int64  behind the last entry
    table,  # in   (?, columns) float32, flat
    columns,  # in   int64  of the table
    out,  # adds float32, flat
    put,  # in   int64  where in `out`
):
    """Adds rows of a table (?, columns), flat, each times its value, to `out` from `put` on."""
    apart()
    if last <= first:
        return
    if columns == 1:
        total = out[put]
        for i in range(first, last):
            total += values[i] * table[indices[i]]
        out[put] = total
        return
    j = 0
    while j < columns:
        left = (columns - j + LANES - 1) // LANES
        if left >= 4:
            _weigh_4(indices, values, first, last, table, columns, j, out, put + j)
            j += 4 * LANES
        elif left >= 2:
            _weigh_2(indices, values, first, last, table, columns, j, out, put + j)
            j += 2 * LANES
        else:
            _weigh_1(indices, values, first, last, table, columns, j, out, put + j)
            j += LANES


@numba.njit(nogil=True, cache=True)
def zero_row_scores(shift, scale, weights, bias):
    """The scores (c,) of a row of zeros."""
    start = bias.astype(np.float64)
    for f in range(len(shift)):
        if shift[f] != 0:
            factor = np.float64(shift[f]) * scale[f]
            for j in range(len(bias)):
                start[j] -= factor * weights[f, j]
    return start.astype(np.float32)


@numba.njit(nogil=True, cache=True)
def scale_values(indices, values, scale, first, last):
    """The values from first to last in the unit of the models, and zeros before."""
    result = np.empty(last - first, np.float32)
    for i in range(first, last):
        result[i - first] = values[i] * scale[indices[i]]
    return result


@numba.njit(nogil=True, cache=True)
def forward(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    scale,  # in   (d,) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    weights,  # in   (d * c,) float32
    start,  # in   (c,) float32  the scores of a row of zeros
    out,  # sets (some * c,) float32
):
    """Sets `out` (some * c,) to the scores of some rows."""
    apart()
    c = len(start)
    begin = indptr[first]
    units = scale_values(indices, values, scale, begin, indptr[first + some])
    for r in range(some):
        for j in range(c):
            out[r * c + j] = start[j]
        left, right = indptr[first + r] - begin, indptr[first + r + 1] - begin
        weigh(indices[begin:], units, left, right, weights, c, out, r * c)


@numba.njit(nogil=True, cache=True)
def block(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    scale,  # in   (d,) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    targets,  # in   (n,) float32
    row_weights,  # in   (n,) float32
    weights,  # in   (d * c,) float32
    start,  # in   (c,) float32  the scores of a row of zeros
    parts,  # in   the tuple of `prepare`
    loss,  # in   int64  its number
    parameter,  # in   float64  of the loss
    out,  # sets (some * c,) float32  the derivatives
    sums,  # sets (2, columns) float32  of the bias, and the losses
):
    """Sets `out` (some * c,) to the losses' derivatives of some rows, and `sums` (2, columns)."""
    apart()
    places, factors, inner, k, across = parts
    c, columns = len(start), len(places)
    forward(indptr, indices, values, scale, first, some, weights, start, out)
    scores = np.empty(some * columns, np.float32)
    for r in range(some):
        for j in range(columns):
            empty = layout.NOTHING if loss == SOFTMAX else np.float32(0)
            scores[r * columns + j] = out[r * c + places[j]] if places[j] >= 0 else empty
    sums[:] = 0
    slopes(scores, columns, some, columns, targets, row_weights, first, factors, inner, k, across, loss, parameter,
           sums[0], sums[1])  # fmt: skip
    for r in range(some):
        for j in range(columns):
            if places[j] >= 0:
                out[r * c + places[j]] = scores[r * columns + j]


@numba.njit(nogil=True, cache=True)
def transpose(indptr, indices, values, d):
    """The same entries by features: (indptr (d + 1,), rows, values)."""
    apart()
    begins = np.zeros(d + 1, np.int64)
    low, high = indptr[0], indptr[-1]
    for i in range(low, high):
        begins[indices[i] + 1] += 1
    for f in range(d):
        begins[f + 1] += begins[f]
    free = begins[:-1].copy()
    rows, turned_values = np.empty(high - low, np.int32), np.empty(high - low, np.float32)
    for r in range(len(indptr) - 1):
        for i in range(indptr[r], indptr[r + 1]):
            f = indices[i]
            rows[free[f]], turned_values[free[f]] = r, values[i]
            free[f] += 1
    return begins, rows, turned_values


@numba.njit(nogil=True, cache=True)
def backward(
    part,  # in   int64  which share of the features
    begins,  # in   (d + 1,) int64
    rows,  # in   (z,) int32
    values,  # in   (z,) float32
    slopes_,  # in   (n * c,) float32  the derivatives
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    total,  # in   (c,) float64  their sums over the rows
    gradient,  # adds (d, c) float32
):
    """Adds the gradient of a share of the features; `total` (c,) is the sum of the derivatives over the rows."""
    apart()
    c = len(total)
    sums, some = np.empty(c), np.empty(c, np.float32)
    for f in range(part, len(shift), PARTS):
        first, last = begins[f], begins[f + 1]
        if first == last and shift[f] == 0:
            continue
        for j in range(c):
            sums[j] = -np.float64(shift[f]) * total[j]
        for begin in range(first, last, CHUNK):
            some[:] = 0
            weigh(rows, values, begin, min(last, begin + CHUNK), slopes_, c, some, 0)
            for j in range(c):
                sums[j] += some[j]
        for j in range(c):
            gradient[f, j] += np.float32(scale[f] * sums[j])


@numba.njit(nogil=True, cache=True)
def prepare(shift, scale, positive, weights, bias):
    """Scores of a row of zeros, and what the losses need, in the order of `layout`."""
    apart()
    m = len(positive)
    k = len(bias) // m
    across, inner = layout.arrangement(m, k)
    places = layout.outside(m, k)
    factors = layout.factors(positive, places, k)
    return zero_row_scores(shift, scale, weights, bias), (places, factors, inner, k, across)


@numba.njit(nogil=True, cache=True)
def gather(sums, parts, bias_gradient, losses):
    """Adds the blocks' sums, in their order; returns those of the derivatives (c,)."""
    apart()
    places, _, _, k, _ = parts
    total = np.zeros(len(bias_gradient))
    for j in range(len(places)):
        if places[j] >= 0:
            value = 0.0
            for b in range(len(sums)):
                total[places[j]] += sums[b, 0, j]
                value += sums[b, 1, j]
            losses[places[j] // k] += value
    for j in range(len(total)):
        bias_gradient[j] += np.float32(total[j])
    return total


@numba.njit(parallel=True, nogil=True, cache=True)
def gradients(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
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
    n, c = len(indptr) - 1, len(bias)
    start, parts = prepare(shift, scale, positive, weights, bias)
    flat = weights.reshape(weights.size)
    out = np.empty(n * c, np.float32)
    blocks = (n + BLOCK - 1) // BLOCK
    sums = np.empty((blocks, 2, len(parts[0])), np.float32)
    for b in numba.prange(blocks):
        first = b * BLOCK
        some = min(BLOCK, n - first)
        block(indptr, indices, values, scale, first, some, targets, row_weights, flat, start, parts, loss, parameter,
              out[first * c : (first + some) * c], sums[b])  # fmt: skip
    total = gather(sums, parts, bias_gradient, losses)
    begins, rows, turned_values = transpose(indptr, indices, values, len(shift))
    for part in numba.prange(PARTS):
        backward(part, begins, rows, turned_values, out, shift, scale, total, gradient)


@numba.njit(parallel=True, nogil=True, cache=True)
def scores(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    weights,  # in   (d, c) float32
    bias,  # in   (c,) float32
    out,  # sets (n, c) float32
):
    """Sets `out` (n, c)."""
    n, c = out.shape
    start = zero_row_scores(shift, scale, weights, bias)
    flat = weights.reshape(weights.size)
    for b in numba.prange((n + BLOCK - 1) // BLOCK):
        first = b * BLOCK
        some = min(BLOCK, n - first)
        forward(indptr, indices, values, scale, first, some, flat, start, out[first : first + some].reshape(some * c))
