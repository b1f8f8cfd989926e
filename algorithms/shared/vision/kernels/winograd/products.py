"""Products of what lies in blocks, in tiles of registers.    r rows (tiles)   c channels"""

from __future__ import annotations

from numba.core import types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.simd import LANES
from algoport.algorithms.shared.vision.kernels.winograd.layout import CHUNK, ROWS, WIDTH
from algoport.algorithms.shared.vision.kernels.winograd.vectors import (
    REALS,
    WORD,
    constant,
    data,
    fma,
    load,
    spread,
    store,
)

VECTORS = WIDTH // LANES
HIGH = ROWS if LANES == 16 else ROWS // 2  # rows of a tile of registers
FEW = 8 if LANES == 16 else 4  # channels of a tile of registers where sums are over rows


def _place(vector: int) -> int:
    """Where a vector of a panel's columns lies, beside the first, in a block."""
    return vector * LANES // CHUNK * (ROWS * CHUNK) + vector * LANES % CHUNK


@intrinsic
def product(typing, left, start, panel, begin, chunks, out, place):
    """Sets HIGH rows and WIDTH columns of a block to the product of so many rows of a block and a panel.

    left   in   [chunks][ROWS][CHUNK] from `start`, where the first row lies
    panel  in   [chunks CHUNK][WIDTH] from `begin`
    out    sets [columns / CHUNK][ROWS][CHUNK] from `place`, where the first row lies
    """
    signature = types.void(left, start, panel, begin, chunks, out, place)

    def generate(context, builder, signature, arguments):
        left, start, panel, begin, chunks, out, place = data(context, builder, signature, arguments)
        left, panel, out = (builder.gep(*pair) for pair in ((left, [start]), (panel, [begin]), (out, [place])))
        before, loop = builder.block, builder.append_basic_block("chunks")
        after = builder.append_basic_block("summed")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(WORD)
        k.add_incoming(WORD(0), before)
        phis = [[builder.phi(REALS) for _ in range(VECTORS)] for _ in range(HIGH)]
        sums = [list(row) for row in phis]
        from_left = builder.gep(left, [builder.mul(k, WORD(ROWS * CHUNK))])
        from_panel = builder.gep(panel, [builder.mul(k, WORD(CHUNK * WIDTH))])
        for step in range(CHUNK):
            values = [load(builder, from_panel, step * WIDTH + v * LANES) for v in range(VECTORS)]
            for r in range(HIGH):
                factor = spread(builder, builder.load(builder.gep(from_left, [WORD(r * CHUNK + step)])))
                for v in range(VECTORS):
                    sums[r][v] = fma(builder, factor, values[v], sums[r][v])
        for own, total in zip(phis, sums, strict=True):
            for phi, value in zip(own, total, strict=True):
                phi.add_incoming(constant(0), before)
                phi.add_incoming(value, loop)
        following = builder.add(k, WORD(1))
        k.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, chunks), loop, after)
        builder.position_at_end(after)
        for r in range(HIGH):
            for v in range(VECTORS):
                store(builder, sums[r][v], out, r * CHUNK + _place(v))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def product_over_rows(typing, left, start, apart, right, begin, wide, blocks, out, place, line, fresh):
    """Sums over all rows of some blocks: the product of FEW channels of the left ones and WIDTH of the right ones.

    left   in   the first block's [ROWS][CHUNK] from `start`, where the first channel lies; the next `apart` behind it
    right  in   the first block's [WIDTH / CHUNK][ROWS][CHUNK] from `begin`; the next `wide` behind it
    out    sets or adds (FEW, WIDTH), lines `line` apart; sets where `fresh` is not 0
    """
    signature = types.void(left, start, apart, right, begin, wide, blocks, out, place, line, fresh)

    def generate(context, builder, signature, arguments):
        left, start, apart, right, begin, wide, blocks, out, place, line, fresh = data(
            context, builder, signature, arguments
        )
        left, right, out = (builder.gep(*pair) for pair in ((left, [start]), (right, [begin]), (out, [place])))
        before, loop = builder.block, builder.append_basic_block("blocks")
        after = builder.append_basic_block("summed")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(WORD)
        k.add_incoming(WORD(0), before)
        phis = [[builder.phi(REALS) for _ in range(VECTORS)] for _ in range(FEW)]
        sums = [list(row) for row in phis]
        from_left = builder.gep(left, [builder.mul(k, apart)])
        from_right = builder.gep(right, [builder.mul(k, wide)])
        for step in range(ROWS):
            values = [load(builder, from_right, step * CHUNK + _place(v)) for v in range(VECTORS)]
            for r in range(FEW):
                factor = spread(builder, builder.load(builder.gep(from_left, [WORD(step * CHUNK + r)])))
                for v in range(VECTORS):
                    sums[r][v] = fma(builder, factor, values[v], sums[r][v])
        for own, total in zip(phis, sums, strict=True):
            for phi, value in zip(own, total, strict=True):
                phi.add_incoming(constant(0), before)
                phi.add_incoming(value, loop)
        following = builder.add(k, WORD(1))
        k.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, blocks), loop, after)
        builder.position_at_end(after)
        is_fresh = builder.icmp_signed("!=", fresh, WORD(0))
        with builder.if_else(is_fresh) as (new, more):
            for branch, adds in ((new, False), (more, True)):
                with branch:
                    for r in range(FEW):
                        row = builder.gep(out, [builder.mul(line, WORD(r))])
                        for v in range(VECTORS):
                            total = sums[r][v]
                            if adds:
                                total = builder.fadd(total, load(builder, row, v * LANES))
                            store(builder, total, row, v * LANES)
        return context.get_dummy_value()

    return signature, generate
