"""Products of matrices in tiles of registers, on numba's threads: the same bits on any number of them.

A BLAS library's bits depend on how many threads it has, and its threads wait for those of our kernels. Here rows of the
left matrix are packed in panels of `HEIGHT`, columns of the right one in panels of `WIDTH`, and the sums of a tile of
both stay in registers for `DEPTH` steps (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
ACM TOMS 34, 2008). Every number of the result is added up in one order, whoever does it.

m rows   n columns   k depth
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.lanes import transposed
from algoport.algorithms.shared.linalg.simd import LANES
from algoport.algorithms.shared.threads import ALONE, share

# With 16 lanes there are 32 registers, of which 24 hold sums; with 8 there are 16, of which 12 do.
HEIGHT = 12 if LANES == 16 else 6
WIDTH = 2 * LANES
DEPTH = 256  # steps for which a panel of the right matrix stays in the nearest cache
ROWS = HEIGHT * 20  # rows of the left matrix that a task goes through with one panel of the right
THIRD = HEIGHT // 3
WORTH = 1 << 16  # multiplications with which threads begin to spare time

WORD, LANE, REAL = ir.IntType(64), ir.IntType(32), ir.FloatType()
REALS, INTS = ir.VectorType(REAL, LANES), ir.VectorType(LANE, LANES)


def _tile_of(height: int) -> Any:
    """An intrinsic that adds a product to a tile. `stride`, `over`: from a step to the next on both sides;
    `across`: from one row of the left to the next."""

    @intrinsic
    def tile(typing, a, at, stride, across, b, start, over, depth, out, place, line, fresh):
        signature = types.void(a, at, stride, across, b, start, over, depth, out, place, line, fresh)

        def generate(context, builder, signature, arguments):
            a, at, stride, across, b, start, over, depth, out, place, line, fresh = (
                context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, arguments, strict=True)
            )
            kind = ir.FunctionType(REALS, [REALS] * 3)
            fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
            zero = ir.Constant(REALS, [0.0] * LANES)
            left, right, to = builder.gep(a, [at]), builder.gep(b, [start]), builder.gep(out, [place])

            def vector(pointer, offset):
                return builder.bitcast(builder.gep(pointer, [offset]), REALS.as_pointer())

            before, loop = builder.block, builder.append_basic_block("steps")
            after = builder.append_basic_block("summed")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(WORD)
            k.add_incoming(WORD(0), before)
            sums = [[builder.phi(REALS) for _ in range(2)] for _ in range(height)]
            from_left, from_right = builder.mul(k, stride), builder.mul(k, over)
            values = [builder.load(vector(right, builder.add(from_right, WORD(v * LANES))), align=4) for v in range(2)]
            for r, pair in enumerate(sums):
                row = builder.gep(left, [builder.mul(across, WORD(r))])
                number = builder.load(builder.gep(row, [from_left]))
                one = builder.insert_element(ir.Constant(REALS, ir.Undefined), number, LANE(0))
                factor = builder.shuffle_vector(one, ir.Constant(REALS, ir.Undefined), ir.Constant(INTS, [0] * LANES))
                for v in range(2):
                    pair[v].add_incoming(zero, before)
                    pair[v].add_incoming(builder.call(fma, [factor, values[v], pair[v]]), loop)
            following = builder.add(k, WORD(1))
            k.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            is_fresh = builder.icmp_signed("!=", fresh, WORD(0))
            with builder.if_else(is_fresh) as (new, more):
                for branch, adds in ((new, False), (more, True)):
                    with branch:
                        for r, pair in enumerate(sums):
                            row = builder.mul(line, WORD(r))
                            for v in range(2):
                                address, total = vector(to, builder.add(row, WORD(v * LANES))), pair[v].incomings[1][0]
                                if adds:
                                    total = builder.fadd(builder.load(address, align=4), total)
                                builder.store(total, address, align=4)
            return context.get_dummy_value()

        return signature, generate

    return tile


high_tile, middle_tile, low_tile = (_tile_of(height) for height in (HEIGHT, 2 * THIRD, THIRD))


def _turn_of(rows: int) -> Any:
    """An intrinsic that copies a block of so many rows and `LANES` columns, with rows for columns."""

    @intrinsic
    def turn(typing, source, at, stride, out, place, line):
        signature = types.void(source, at, stride, out, place, line)

        def generate(context, builder, signature, arguments):
            source, at, stride, out, place, line = (
                context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, arguments, strict=True)
            )
            bits = ir.VectorType(ir.IntType(1), LANES)
            kind = ir.FunctionType(ir.VoidType(), [REALS, REALS.as_pointer(), LANE, bits])
            store = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}f32.p0")
            mask = ir.Constant(bits, [lane < rows for lane in range(LANES)])
            zero = ir.Constant(REALS, [0.0] * LANES)

            def vector(pointer, offset, number, step):
                where = builder.add(offset, builder.mul(WORD(number), step))
                return builder.bitcast(builder.gep(pointer, [where]), REALS.as_pointer())

            loaded = [builder.load(vector(source, at, r, stride), align=4) for r in range(rows)]
            for s, column in enumerate(transposed(builder, loaded + [zero] * (LANES - rows))):
                builder.call(store, [column, vector(out, place, s, line), LANE(4), mask])
            return context.get_dummy_value()

        return signature, generate

    return turn


def _copy_of(numbers: int) -> Any:
    """An intrinsic that copies the first `numbers` of each of some rows."""

    @intrinsic
    def copy(typing, source, at, stride, count, out, place, line):
        signature = types.void(source, at, stride, count, out, place, line)

        def generate(context, builder, signature, arguments):
            source, at, stride, count, out, place, line = (
                context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, arguments, strict=True)
            )
            bits, address = ir.VectorType(ir.IntType(1), LANES), REALS.as_pointer()
            declare, module, name = cgutils.get_or_insert_function, builder.module, f"v{LANES}f32.p0"
            load = declare(module, ir.FunctionType(REALS, [address, LANE, bits, REALS]), f"llvm.masked.load.{name}")
            kind = ir.FunctionType(ir.VoidType(), [REALS, address, LANE, bits])
            store = declare(module, kind, f"llvm.masked.store.{name}")
            zero = ir.Constant(REALS, [0.0] * LANES)
            with cgutils.for_range(builder, count) as loop:
                fro = builder.add(at, builder.mul(loop.index, stride))
                to = builder.add(place, builder.mul(loop.index, line))
                for first in range(0, numbers, LANES):
                    mask = ir.Constant(bits, [first + lane < numbers for lane in range(LANES)])
                    origin, goal = (
                        builder.bitcast(builder.gep(pointer, [builder.add(offset, WORD(first))]), address)
                        for pointer, offset in ((source, fro), (out, to))
                    )
                    builder.call(store, [builder.call(load, [origin, LANE(4), mask, zero]), goal, LANE(4), mask])
            return context.get_dummy_value()

        return signature, generate

    return copy


_turn_left, _turn_right = _turn_of(HEIGHT), _turn_of(LANES)
_copy_left, copy_panel = _copy_of(HEIGHT), _copy_of(WIDTH)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pack_left(panel, a, turned, m, k, packed):
    """Sets packed[panel] (k, HEIGHT) to rows of the left matrix, step by step; 0 behind the last."""
    first = panel * HEIGHT
    rows = min(HEIGHT, m - first)
    base = panel * HEIGHT * k
    if turned:
        if rows == HEIGHT:
            _copy_left(a.reshape(-1), first, m, k, packed, base, HEIGHT)
            return
        for s in range(k):
            for r in range(HEIGHT):
                packed[base + s * HEIGHT + r] = a[s, first + r] if r < rows else np.float32(0)
        return
    done = 0
    if rows == HEIGHT:
        flat = a.reshape(-1)
        while done + LANES <= k:
            _turn_left(flat, first * k + done, k, packed, base + done * HEIGHT, HEIGHT)
            done += LANES
    for r in range(HEIGHT):
        for s in range(done, k):
            packed[base + s * HEIGHT + r] = a[first + r, s] if r < rows else np.float32(0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pack_right(b, turned, first, columns, start, depth, panels):
    """Sets panels (WIDE / WIDTH, DEPTH, WIDTH) to columns of the right matrix; 0 behind the last."""
    if turned:
        flat, k = b.reshape(-1), b.shape[1]
        j = 0
        while j < columns:
            base, s = j // WIDTH * (DEPTH * WIDTH) + j % WIDTH, 0
            many = min(LANES, columns - j)
            if many == LANES:
                while s + LANES <= depth:
                    _turn_right(flat, (first + j) * k + start + s, k, panels, base + s * WIDTH, WIDTH)
                    s += LANES
            for i in range(many):
                for t in range(s, depth):
                    panels[base + t * WIDTH + i] = b[first + j + i, start + t]
            j += many
    else:
        flat, n, whole = b.reshape(-1), b.shape[1], columns // WIDTH
        for p in range(whole):
            at = start * n + first + p * WIDTH
            copy_panel(flat, at, n, depth, panels, p * (DEPTH * WIDTH), WIDTH)
        for s in range(depth):
            for j in range(columns - whole * WIDTH):
                panels[whole * (DEPTH * WIDTH) + s * WIDTH + j] = b[start + s, first + whole * WIDTH + j]
    if columns % WIDTH:
        base = columns // WIDTH * (DEPTH * WIDTH)
        for s in range(depth):
            for j in range(columns % WIDTH, WIDTH):
                panels[base + s * WIDTH + j] = 0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _tiles(
    packed,  # in   (q,) float32  rows of the left matrix in panels
    at,  # where the panel begins
    panel,  # in   (q,) float32  columns of the right matrix in panels
    begin,  # where that panel begins
    depth,  # how many steps
    rows,  # of the tile
    out,  # sets (q,) float32
    place,  # where the tile begins
    line,  # from a line of it to the next
    fresh,  # 1: out = , 0: out +=
):
    """A tile of so many rows, at most HEIGHT; at least as many lines lie behind `place`."""
    if rows > 2 * THIRD:
        high_tile(packed, at, HEIGHT, 1, panel, begin, WIDTH, depth, out, place, line, fresh)
    elif rows > THIRD:
        middle_tile(packed, at, HEIGHT, 1, panel, begin, WIDTH, depth, out, place, line, fresh)
    else:
        low_tile(packed, at, HEIGHT, 1, panel, begin, WIDTH, depth, out, place, line, fresh)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _task(
    task,  # its number
    wide,  # columns of a task
    packed,  # in   (q,) float32  the left matrix in panels
    m,  # its rows
    k,  # its columns
    b,  # in   (k, n) float32, or (n, k) where it is turned
    turned,  # whether it is
    out,  # sets (m, n) float32
    add,  # whether to add to it
):
    """Rows of a block times `wide` columns."""
    n = out.shape[1]
    across = (n + wide - 1) // wide
    top, first = task // across * ROWS, task % across * wide
    bottom, columns = min(m, top + ROWS), min(wide, n - first)
    panels, edge = np.empty(DEPTH * wide, np.float32), np.empty(HEIGHT * WIDTH, np.float32)
    flat = out.reshape(-1)
    for start in range(0, k, DEPTH):
        depth = min(DEPTH, k - start)
        _pack_right(b, turned, first, columns, start, depth, panels)
        fresh = 1 if start == 0 and not add else 0
        for left in range(0, columns, WIDTH):
            begin, width = left * DEPTH, min(WIDTH, columns - left)
            for row in range(top, bottom, HEIGHT):
                rows = min(HEIGHT, bottom - row)
                at = (row // HEIGHT * k + start) * HEIGHT
                if width == WIDTH and (rows == HEIGHT or rows == 2 * THIRD or rows == THIRD):
                    _tiles(packed, at, panels, begin, depth, rows, flat, row * n + first + left, n, fresh)
                    continue
                _tiles(packed, at, panels, begin, depth, rows, edge, 0, WIDTH, 1)
                for r in range(rows):
                    for j in range(width):
                        if fresh:
                            out[row + r, first + left + j] = edge[r * WIDTH + j]
                        else:
                            out[row + r, first + left + j] += edge[r * WIDTH + j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def multiply_(
    workers,  # in   threads
    a,  # in   (m, k) float32, or (k, m) where it is turned
    a_turned,  # whether it is
    b,  # in   (k, n) float32, or (n, k) where it is turned
    b_turned,  # whether it is
    out,  # sets (m, n) float32
    add,  # whether to add to it
    packed,  # sets (q,) float32  room for the left matrix in panels: at least m, rounded up to HEIGHT, times k
):
    """out = a @ b, or out += a @ b."""
    m, n = out.shape
    k = a.shape[0] if a_turned else a.shape[1]
    if k == 0 and not add:
        for i in range(m):
            for j in range(n):
                out[i, j] = 0
    if m == 0 or n == 0 or k == 0:
        return
    count = (m + HEIGHT - 1) // HEIGHT
    share(workers if m * k > WORTH << 1 else ALONE, _pack_left, count, (a, a_turned, m, k, packed))
    wide = WIDTH * 4 if n >= WIDTH * 32 else WIDTH
    blocks, across = (m + ROWS - 1) // ROWS, (n + wide - 1) // wide
    share(workers, _task, blocks * across, (wide, packed, m, k, b, b_turned, out, add))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pack_panel(number, b, turned, panels):
    n = b.shape[0] if turned else b.shape[1]
    k, first = panels.shape[1], number * WIDTH
    scratch = np.empty(DEPTH * WIDTH, np.float32)
    own = panels[number]
    for start in range(0, k, DEPTH):
        depth = min(DEPTH, k - start)
        _pack_right(b, turned, first, min(WIDTH, n - first), start, depth, scratch)
        for s in range(depth):
            for j in range(WIDTH):
                own[start + s, j] = scratch[s * WIDTH + j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def pack_panels_(
    workers,  # in   threads
    b,  # in   (k, n) float32, or (n, k) where it is turned
    turned,
    panels,  # sets (q, k, WIDTH) float32  q panels of columns, 0 behind the last
):
    """A right matrix that many products are with, in panels."""
    share(workers, _pack_panel, len(panels), (b, turned, panels))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def pack_rows_(
    a,  # in   (m, k) float32
    first,  # the first row
    rows,  # how many
    packed,  # sets (q,) float32  panels of HEIGHT rows, one after another
):
    """Some rows of a left matrix in panels."""
    k = a.shape[1]
    own = a[first : first + rows]
    for panel in range((rows + HEIGHT - 1) // HEIGHT):
        _pack_left(panel, own, False, rows, k, packed)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def panel_tiles_(
    packed,  # in   (q,) float32  as `pack_rows_` sets them
    rows,  # how many
    k,  # columns of the left matrix
    panels,  # in   (q, k, WIDTH) float32  as `pack_panels_` sets them
    out,  # sets (m, n) float32
    at,  # its first row that counts
    n,  # its columns
    fresh,  # 1: out = , 0: out +=
):
    """The product of some rows and a matrix, on the calling thread; a sum stays in one register from first to last."""
    some_panels_(packed, rows, k, panels, 0, len(panels), out, at, n, fresh)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def some_panels_(
    packed,  # in   (q,) float32
    rows,  # how many
    k,  # columns of the left matrix
    panels,  # in   (q, k, WIDTH) float32
    first,  # panel
    last,  # panel, which does not count
    out,  # sets (m, n) float32
    at,  # its first row that counts
    n,  # its columns
    fresh,  # 1: out = , 0: out +=
):
    """The same for some of the panels."""
    flat, edge = out.reshape(-1), np.empty(HEIGHT * WIDTH, np.float32)
    for p in range(first, last):
        panel, left = panels[p].reshape(-1), p * WIDTH
        width = min(WIDTH, n - left)
        for row in range(0, rows, HEIGHT):
            high = min(HEIGHT, rows - row)
            if width == WIDTH and (high == HEIGHT or high == 2 * THIRD or high == THIRD):
                _tiles(packed, row * k, panel, 0, k, high, flat, (at + row) * n + left, n, fresh)
                continue
            _tiles(packed, row * k, panel, 0, k, high, edge, 0, WIDTH, 1)
            for r in range(high):
                for j in range(width):
                    if fresh:
                        out[at + row + r, left + j] = edge[r * WIDTH + j]
                    else:
                        out[at + row + r, left + j] += edge[r * WIDTH + j]
