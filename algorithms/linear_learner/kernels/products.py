"""Products in registers.    n rows   d features   c columns

A tile is a few vectors of columns wide. What is summed is held in registers, some lines of one tile at a time.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from algoport.algorithms.linear_learner.kernels.writing import WORD, Writer, apart
from algoport.algorithms.shared.linalg.simd import LANES

# For every width of a tile, in vectors, how many lines of it the registers hold beside the operands.
_SHAPES = {16: {1: 24, 2: 12, 3: 8, 4: 6}, 8: {1: 12, 2: 6, 3: 4}}
SHAPES = _SHAPES.get(LANES, {1: 8, 2: 6, 3: 4})
WIDEST = max(SHAPES)
LINES = np.array([0] + [SHAPES[width] for width in sorted(SHAPES)], np.int64)
MOST_LINES = 24  # a multiple of each


def _product_of(lines: int, width: int):
    """An intrinsic that multiplies `lines` lines with a tile: out[i] = start[i] + sum over k of a[i, k] * b[k].

    For each of the four arrays: where it begins, and how far it is to the next line i or to the next k.
    """

    @intrinsic
    def product(
        typing, a, a_at, a_line, a_step, b, b_at, b_step, count, start, start_at, start_line, out, out_at, out_line
    ):
        signature = types.void(
            a, a_at, a_line, a_step, b, b_at, b_step, count, start, start_at, start_line, out, out_at, out_line
        )

        def generate(context, builder, signature, arguments):
            write = Writer(context, builder, signature, arguments)
            (a, a_at, a_line, a_step, b, b_at, b_step, count, start, start_at, start_line, out, out_at,
             out_line) = write.arguments  # fmt: skip
            tile = [(i, v) for i in range(lines) for v in range(width)]
            firsts = [write.place(a, a_at, builder.mul(a_line, WORD(i))) for i in range(lines)]
            initial_values = [
                write.load(start, start_at, builder.mul(start_line, WORD(i)), WORD(v * LANES)) for i, v in tile
            ]

            def added(k, sums):
                there = builder.mul(k, b_step)
                columns = [write.load(b, b_at, there, WORD(v * LANES)) for v in range(width)]
                step = builder.mul(k, a_step)
                result = []
                for i in range(lines):
                    value = write.vector(builder.load(write.place(firsts[i], step)))
                    result += [sums[i * width + v].plus(value, columns[v]) for v in range(width)]
                return result

            sums = write.loop(WORD(0), count, 1, initial_values, added)
            for (i, v), vector in zip(tile, sums, strict=True):
                write.store(vector, out, out_at, builder.mul(out_line, WORD(i)), WORD(v * LANES))
            return write.nothing

        return signature, generate

    return product


_product_1, _product_2, _product_3 = (_product_of(SHAPES[width], width) for width in (1, 2, 3))
_product_4 = _product_of(SHAPES.get(4, 1), 4)
_line_1, _line_2, _line_4, _line_8 = (_product_of(1, width) for width in (1, 2, 4, 8))


@numba.njit(nogil=True, cache=True)
def multiply(
    width,  # in   int64  of the tile, in vectors
    lines,  # in   int64  how many; those up to the next multiple of LINES[width] are written too, and may hold anything
    a,  # in   float32, flat
    a_at,  # in   int64  where it begins
    a_line,  # in   int64  from a line to the next
    a_step,  # in   int64  from a summand to the next
    b,  # in   float32, flat
    b_at,  # in   int64  where it begins
    b_step,  # in   int64  from a summand to the next
    count,  # in   int64  of summands, at least one
    start,  # in   float32, flat
    start_at,  # in   int64  where it begins
    start_line,  # in   int64  from a line to the next
    out,  # sets float32, flat
    out_at,  # in   int64  where it begins
    out_line,  # in   int64  from a line to the next
):
    """Sets `out` to `start` + a @ b."""
    apart()
    some = LINES[width]
    for i in range(0, lines, some):
        first, start_place, put = a_at + i * a_line, start_at + i * start_line, out_at + i * out_line
        if width == 1:
            _product_1(
                a, first, a_line, a_step, b, b_at, b_step, count, start, start_place, start_line, out, put, out_line
            )
        elif width == 2:
            _product_2(
                a, first, a_line, a_step, b, b_at, b_step, count, start, start_place, start_line, out, put, out_line
            )
        elif width == 3:
            _product_3(
                a, first, a_line, a_step, b, b_at, b_step, count, start, start_place, start_line, out, put, out_line
            )
        else:
            _product_4(
                a, first, a_line, a_step, b, b_at, b_step, count, start, start_place, start_line, out, put, out_line
            )


@numba.njit(nogil=True, cache=True)
def combine(shares, count, panel, stride, zeros, out):
    """Sets `out` (stride,) to the sum of the panel's first `count` rows, each times its share."""
    apart()
    f = 0
    while f < stride:
        left = (stride - f) // LANES
        if left >= 8:
            _line_8(shares, 0, 0, 1, panel, f, stride, count, zeros, 0, 0, out, f, 0)
            f += 8 * LANES
        elif left >= 4:
            _line_4(shares, 0, 0, 1, panel, f, stride, count, zeros, 0, 0, out, f, 0)
            f += 4 * LANES
        elif left >= 2:
            _line_2(shares, 0, 0, 1, panel, f, stride, count, zeros, 0, 0, out, f, 0)
            f += 2 * LANES
        else:
            _line_1(shares, 0, 0, 1, panel, f, stride, count, zeros, 0, 0, out, f, 0)
            f += LANES


def _dots_of(lines: int):
    """An intrinsic that moves some rows into a panel as `move` does, and multiplies them with one column."""

    @intrinsic
    def dots(typing, rows, at, d, shift, scale, weights, bias, panel, to, stride, out, put):
        signature = types.void(rows, at, d, shift, scale, weights, bias, panel, to, stride, out, put)

        def generate(context, builder, signature, arguments):
            write = Writer(context, builder, signature, arguments)
            rows, at, d, shift, scale, weights, bias, panel, to, stride, out, put = write.arguments
            froms = [write.place(rows, at, builder.mul(d, WORD(i))) for i in range(lines)]
            tos = [write.place(panel, to, builder.mul(stride, WORD(i))) for i in range(lines)]

            def moved(f, sums):
                left = write.below(builder.sub(d, f))
                middle, unit, weight = (write.load_some(array, f, left) for array in (shift, scale, weights))
                result = []
                for i in range(lines):
                    value = (write.load_some(froms[i], f, left) - middle) * unit
                    write.store(value, tos[i], f)
                    result.append(sums[i].plus(value, weight))
                return result

            sums = write.loop(WORD(0), d, LANES, [write.vector(0)] * lines, moved)
            for i, vector in enumerate(sums):
                builder.store(builder.fadd(vector.total().first(), bias), write.place(out, put, WORD(i)))
            return write.nothing

        return signature, generate

    return dots


_dots, _dot = _dots_of(4), _dots_of(1)


@numba.njit(nogil=True, cache=True)
def project(
    rows,  # in   (n, d) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    shift,  # in   (d,) float32  a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    weights,  # in   (d,) float32
    bias,  # in   float32
    panel,  # sets (some * stride,) float32
    stride,  # in   int64  from a row to the next
    out,  # sets (some,) float32
):
    """Sets the panel to some rows, shifted and scaled, and `out` (some,) to their products with one column."""
    apart()
    d = rows.shape[1]
    flat = rows.reshape(rows.size)
    whole = some // 4 * 4
    for r in range(0, whole, 4):
        _dots(flat, (first + r) * d, d, shift, scale, weights, bias, panel, r * stride, stride, out, r)
    for r in range(whole, some):
        _dot(flat, (first + r) * d, d, shift, scale, weights, bias, panel, r * stride, stride, out, r)


@intrinsic
def move(typing, rows, at, shift, scale, first, count, panel, to):
    """Sets `panel` to (row - shift) * scale, for the `count` features from the first; zeros up to a whole vector."""
    signature = types.void(rows, at, shift, scale, first, count, panel, to)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        rows, at, shift, scale, first, count, panel, to = write.arguments
        rows, panel = write.place(rows, at), write.place(panel, to)
        shift, scale = write.place(shift, first), write.place(scale, first)

        def moved(f, _):
            left = write.below(builder.sub(count, f))
            value = write.load_some(rows, f, left) - write.load_some(shift, f, left)
            write.store(value * write.load_some(scale, f, left), panel, f)
            return []

        write.loop(WORD(0), count, LANES, [], moved)
        return write.nothing

    return signature, generate
