"""Products with a lot of a vocabulary's words in tiles of registers.

k numbers of a hidden row   l panels of a lot, each of `PANEL` words   b `ROWS` rows of a block   g `high(k)`

Whatever a tile of registers reads lies beside each other in the nearest cache: weights are copied panel by panel,
(l, g, `PANEL`), and logits are written so, (l, b, `PANEL`). Behind the k numbers of a hidden row stands a 1, and behind
a word's k weights its bias: so the product has the bias, and the gradient's product the gradient by it.
"""

from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from algoport.algorithms.shared.linalg.gemm import HEIGHT, WIDTH, copy_panel, high_tile
from algoport.algorithms.shared.linalg.simd import LANES
from algoport.algorithms.shared.neural.kernels.vectors import (
    BYTE,
    LANE,
    LINE,
    REALS,
    WORD,
    data_of,
    lanes_sum,
    loop,
    multiply_add,
)

PANEL = WIDTH  # words
ROWS = 24  # rows of a block: whole tiles of registers
FAR = np.float32(-1e30)  # the bias of what is no word: its exponential is as good as 0
LOT = 512 << 10  # bytes that a lot's weights and their gradients may take: they pass by once for each block of rows
TALL, BROAD = 4, 3  # rows and topics whose sums of products are in registers at once
VECTORS = PANEL // LANES


@numba.njit(nogil=True, cache=True, inline="always")
def high(k):
    """k and one more, up to whole tiles of registers."""
    return (k + HEIGHT) // HEIGHT * HEIGHT


@numba.njit(nogil=True, cache=True, inline="always")
def lot(k, t):
    """How many panels of a tile of t words are taken at once."""
    return max(4, min(t // PANEL, LOT // (8 * PANEL * high(k))))


def blocks(hidden: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hidden rows (n, k) block by block, zero behind the last: as they lie (blocks, b, g), and with rows for columns
    (blocks, g, b)."""
    n, k = hidden.shape
    count = -(-n // ROWS)
    padded = np.zeros((count * ROWS, (k + HEIGHT) // HEIGHT * HEIGHT), np.float32)
    padded[:n, :k], padded[:n, k] = hidden, 1
    whole = padded.reshape(count, ROWS, padded.shape[1])
    return whole, np.ascontiguousarray(whole.swapaxes(1, 2))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def pack_(
    weights,  # in   (k, t) float32  of a tile's words
    bias,  # in   (t,) float32
    first,  # in   the lot's first word
    width,  # in   how many of the tile are words
    panels,  # in   of the lot
    packed,  # sets (l g PANEL,) float32
):
    """Copies a lot's weights."""
    k, t = weights.shape
    for p in range(panels):
        begin, place = first + p * PANEL, p * high(k) * PANEL
        copy_panel(weights.reshape(-1), begin, t, k, packed, place, PANEL)
        for j in range(PANEL):
            packed[place + k * PANEL + j] = bias[begin + j] if begin + j < width else FAR


@numba.njit(nogil=True, cache=True, error_model="numpy")
def unpack_(
    sums,  # in   (l g PANEL,) float32
    first,  # in   the lot's first word
    width,  # in   how many of the tile are words
    panels,  # in   of the lot
    weights,  # sets (k, t) float32  of the lot's words
    bias,  # sets (t,) float32
):
    """Copies what is there of each weight back; 0 for what is no word."""
    k, t = weights.shape
    for p in range(panels):
        begin, place = first + p * PANEL, p * high(k) * PANEL
        copy_panel(sums, place, PANEL, k, weights.reshape(-1), begin, t)
        for j in range(PANEL):
            bias[begin + j] = sums[place + k * PANEL + j]
    for j in range(width, first + panels * PANEL):
        bias[j] = 0
        for i in range(k):
            weights[i, j] = 0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def logits_(
    rows,  # in   how many count
    k,  # in   numbers of a row, without the 1
    hidden,  # in   (b g,) float32  a block
    packed,  # in   (l g PANEL,) float32
    panels,  # in   of the lot
    out,  # sets (l b PANEL,) float32
):
    """Rows times weights, with their bias. 2 rows k words flops."""
    g = high(k)
    for p in range(panels):
        for r in range(0, rows, HEIGHT):
            begin, place = p * g * PANEL, (p * ROWS + r) * PANEL
            high_tile(hidden, r * g, 1, g, packed, begin, PANEL, k + 1, out, place, PANEL, 1)


@intrinsic
def largest_(typing, logits, count, panels, most):
    """Sets most[i] to the largest of the numbers i, of `count` each, of all panels' blocks: a compiler stores them
    where they change, one by one. A NaN may be lost here."""
    signature = types.void(logits, count, panels, most)

    def generate(context, builder, signature, arguments):
        logits, count, panels, most = data_of(context, builder, signature, arguments)

        def step(i):
            def vector(p):
                place = builder.add(builder.mul(p, WORD(ROWS * PANEL)), i)
                return builder.load(builder.bitcast(builder.gep(logits, [place]), REALS.as_pointer()), align=4)

            largest = cgutils.alloca_once_value(builder, vector(WORD(0)))

            def compare(p):
                value, best = vector(p), builder.load(largest)
                builder.store(builder.select(builder.fcmp_ordered(">", value, best), value, best), largest)

            loop(builder, panels, 1, compare)
            builder.store(builder.load(largest), builder.bitcast(builder.gep(most, [i]), REALS.as_pointer()), align=4)

        loop(builder, count, LANES, step)
        return context.get_dummy_value()

    return signature, generate


@numba.njit(nogil=True, cache=True, error_model="numpy")
def add_outer_(
    rows,  # in   how many count
    k,  # in   numbers of a row, without the 1
    turned,  # in   (g b,) float32  a block, with rows for columns
    slopes,  # in   (l b PANEL,) float32
    panels,  # in   of the lot
    sums,  # sets (l g PANEL,) float32
    fresh,  # in   1: sums = , 0: sums +=
):
    """The gradient by weights and bias. 2 rows k words flops."""
    g = high(k)
    for p in range(panels):
        for i in range(0, k + 1, HEIGHT):
            begin, place = p * ROWS * PANEL, (p * g + i) * PANEL
            high_tile(turned, i * ROWS, 1, ROWS, slopes, begin, PANEL, rows, sums, place, PANEL, fresh)


@intrinsic
def _dots(typing, slopes, start, weights, begin, apart, panels, out, place, line):
    """Adds to out (TALL, BROAD), lines `line` apart, the products over a lot of TALL rows of slopes and BROAD of
    weights, of which each panel's are `apart` behind the last one's."""
    signature = types.void(slopes, start, weights, begin, apart, panels, out, place, line)

    def generate(context, builder, signature, arguments):
        slopes, start, weights, begin, apart, panels, out, place, line = data_of(context, builder, signature, arguments)
        left, right, out = (builder.gep(*pair) for pair in ((slopes, [start]), (weights, [begin]), (out, [place])))

        def vector(pointer, offset):
            return builder.load(builder.bitcast(builder.gep(pointer, [WORD(offset)]), REALS.as_pointer()), align=4)

        before, again = builder.block, builder.append_basic_block("panels")
        after = builder.append_basic_block("summed")
        builder.branch(again)
        builder.position_at_end(again)
        p = builder.phi(WORD)
        p.add_incoming(WORD(0), before)
        phis = [[builder.phi(REALS) for _ in range(BROAD)] for _ in range(TALL)]
        sums = [list(row) for row in phis]
        one = builder.gep(left, [builder.mul(p, WORD(ROWS * PANEL))])
        other = builder.gep(right, [builder.mul(p, apart)])
        kind = ir.FunctionType(ir.VoidType(), [BYTE.as_pointer(), LANE, LANE, LANE])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for ahead in range(BROAD * PANEL, 2 * BROAD * PANEL, LINE):  # the next topics'
            address = builder.bitcast(builder.gep(other, [WORD(ahead)]), BYTE.as_pointer())
            builder.call(fetch, [address, LANE(0), LANE(3), LANE(1)])
        for v in range(VECTORS):
            values = [vector(other, i * PANEL + v * LANES) for i in range(BROAD)]
            for r in range(TALL):
                slope = vector(one, r * PANEL + v * LANES)
                sums[r] = [multiply_add(builder, slope, *pair) for pair in zip(values, sums[r], strict=True)]
        zero = ir.Constant(REALS, [0.0] * LANES)
        for own, total in zip(phis, sums, strict=True):
            for phi, value in zip(own, total, strict=True):
                phi.add_incoming(zero, before)
                phi.add_incoming(value, again)
        following = builder.add(p, WORD(1))
        p.add_incoming(following, again)
        builder.cbranch(builder.icmp_signed("<", following, panels), again, after)
        builder.position_at_end(after)
        for r in range(TALL):
            row = builder.gep(out, [builder.mul(line, WORD(r))])
            for i in range(BROAD):
                goal = builder.gep(row, [WORD(i)])
                builder.store(builder.fadd(builder.load(goal), lanes_sum(builder, sums[r][i])), goal)
        return context.get_dummy_value()

    return signature, generate


@numba.njit(nogil=True, cache=True, error_model="numpy")
def add_dots_(
    rows,  # in   how many count
    k,  # in   numbers of a row, without the 1
    slopes,  # in   (l b PANEL,) float32
    packed,  # in   (l g PANEL,) float32
    panels,  # in   of the lot
    out,  # adds (.. g,) float32  from `place` on
    place,  # in   where the block begins
):
    """The gradient by hidden rows; what stands behind the k numbers is of no meaning. 2 rows k words flops."""
    g = high(k)
    for r in range(0, rows, TALL):
        for i in range(0, k, BROAD):
            start, begin, at = r * PANEL, i * PANEL, place + r * g + i
            _dots(slopes, start, packed, begin, g * PANEL, panels, out, at, g)
