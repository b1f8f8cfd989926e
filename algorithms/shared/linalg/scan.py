"""Scores of rows and queries in SIMD vectors whose lanes are rows, and which of them lie below each query's bound.

A panel of rows, feature by feature as `algoport.algorithms.shared.linalg.lanes.turn` makes it, meets a tile of a few
queries of another panel. Sums stay in registers; they are compared with the bounds there, and only where one lies
below are they written. So of millions of scores a few thousand reach the memory: those that may be among the best.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.lanes import (
    INTS,
    LANE,
    REAL,
    REALS,
    ROWS,
    VECTORS,
    WORD,
    _data,
    _fma,
    _spread,
    _vector_at,
)
from algoport.algorithms.shared.linalg.simd import LANES

# Queries of a tile: with 32 registers 8 of them and two vectors of rows, with 16 registers 4.
TILE = {16: 8, 8: 4}.get(LANES, 4)
STORED = 32  # rows of a stored panel, whatever the processor; it is read in parts of ROWS
SHORT = ir.IntType(16)


@intrinsic
def below(typing, panel, start, line, queries, column, width, norms, first, d, bounds, at, scores, masks):
    """Scores norm - x.q of the ROWS rows in panel[start:], a line of `line` numbers a feature, and of the TILE queries
    from `column` of a panel with lines of `width`. True where one lies below its query's bound (bounds[at:]); then
    scores (TILE, ROWS) holds all of them, and the bits of masks (TILE,) tell which lie below."""
    signature = types.boolean(panel, start, line, queries, column, width, norms, first, d, bounds, at, scores, masks)

    def generate(context, builder, signature, arguments):
        panel, start, line, queries, column, width, norms, first, d, bounds, at, scores, masks = _data(
            context, builder, signature, arguments
        )
        rows, others = builder.gep(panel, [start]), builder.gep(queries, [column])
        begin = [
            builder.load(_vector_at(builder, norms, builder.add(first, WORD(v * LANES))), align=4)
            for v in range(VECTORS)
        ]
        before, loop = builder.block, builder.append_basic_block("features")
        after = builder.append_basic_block("compared")
        builder.branch(loop)
        builder.position_at_end(loop)
        f = builder.phi(WORD)
        f.add_incoming(WORD(0), before)
        sums = [[builder.phi(REALS) for _ in range(VECTORS)] for _ in range(TILE)]
        place, other = builder.mul(f, line), builder.mul(f, width)
        values = [
            builder.fneg(builder.load(_vector_at(builder, rows, builder.add(place, WORD(v * LANES))), align=4))
            for v in range(VECTORS)
        ]
        totals = []
        for c, of_query in enumerate(sums):
            factor = _spread(builder, builder.load(builder.gep(others, [builder.add(other, WORD(c))])), REALS)
            for v, sum_ in enumerate(of_query):
                total = builder.call(_fma(builder), [factor, values[v], sum_])
                sum_.add_incoming(begin[v], before)
                sum_.add_incoming(total, loop)
                totals.append(total)
        following = builder.add(f, WORD(1))
        f.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, d), loop, after)
        builder.position_at_end(after)
        bits, some = [], None
        for c in range(TILE):
            bound = _spread(builder, builder.load(builder.gep(bounds, [builder.add(at, WORD(c))])), REALS)
            parts = [builder.fcmp_ordered("<", totals[c * VECTORS + v], bound) for v in range(VECTORS)]
            for part in parts:
                some = part if some is None else builder.or_(some, part)
            bits.append(parts)
        kind = ir.IntType(LANES)
        any_ = builder.icmp_unsigned("!=", builder.bitcast(some, kind), kind(0))
        with builder.if_then(any_, likely=False):
            for c in range(TILE):
                mask = ir.IntType(64)(0)
                for v in range(VECTORS):
                    part = builder.zext(builder.bitcast(bits[c][v], kind), WORD)
                    mask = builder.or_(mask, builder.shl(part, WORD(v * LANES)))
                    to = _vector_at(builder, scores, WORD((c * VECTORS + v) * LANES))
                    builder.store(totals[c * VECTORS + v], to, align=4)
                builder.store(mask, builder.gep(masks, [WORD(c)]))
        return any_

    return signature, generate


@intrinsic
def stored_scores(typing, panel, start, query, norms, first, m, out, at):
    """Sets out[at:at + STORED] to norm - x.q of the rows of a stored panel of bfloat16 numbers in panel[start:]."""
    signature = types.void(panel, start, query, norms, first, m, out, at)
    count = STORED // LANES

    def generate(context, builder, signature, arguments):
        panel, start, query, norms, first, m, out, at = _data(context, builder, signature, arguments)
        shorts = ir.VectorType(SHORT, LANES)
        rows = builder.gep(panel, [start])
        begin = [
            builder.load(_vector_at(builder, norms, builder.add(first, WORD(v * LANES))), align=4) for v in range(count)
        ]
        before, loop = builder.block, builder.append_basic_block("features")
        after = builder.append_basic_block("summed")
        builder.branch(loop)
        builder.position_at_end(loop)
        f = builder.phi(WORD)
        f.add_incoming(WORD(0), before)
        sums = [builder.phi(REALS) for _ in range(count)]
        factor = _spread(builder, builder.fneg(builder.load(builder.gep(query, [f]))), REALS)
        place = builder.mul(f, WORD(STORED))
        totals = []
        for v, sum_ in enumerate(sums):
            values = _widened(builder, rows, builder.add(place, WORD(v * LANES)), shorts)
            total = builder.call(_fma(builder), [factor, values, sum_])
            sum_.add_incoming(begin[v], before)
            sum_.add_incoming(total, loop)
            totals.append(total)
        following = builder.add(f, WORD(1))
        f.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, m), loop, after)
        builder.position_at_end(after)
        for v, total in enumerate(totals):
            builder.store(total, _vector_at(builder, out, builder.add(at, WORD(v * LANES))), align=4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def widen(typing, panel, start, count, out):
    """Sets out[:count], float32, to the bfloat16 numbers panel[start:start + count]; count is a multiple of STORED."""
    signature = types.void(panel, start, count, out)

    def generate(context, builder, signature, arguments):
        panel, start, count, out = _data(context, builder, signature, arguments)
        shorts = ir.VectorType(SHORT, LANES)
        rows = builder.gep(panel, [start])
        with cgutils.for_range_slice(builder, WORD(0), count, WORD(LANES), WORD) as (f, _):
            builder.store(_widened(builder, rows, f, shorts), _vector_at(builder, out, f), align=4)
        return context.get_dummy_value()

    return signature, generate


def _widened(builder, pointer, offset, shorts):
    """A vector of bfloat16 numbers as float32, of which they are the upper halves."""
    half = builder.load(builder.bitcast(builder.gep(pointer, [offset]), shorts.as_pointer()), align=2)
    sixteen = ir.Constant(INTS, [16] * LANES)
    return builder.bitcast(builder.shl(builder.zext(half, INTS), sixteen), REALS)


@intrinsic
def lowest_bit(typing, mask):
    """The number of the lowest bit that is set in a positive int64."""
    signature = types.int64(types.int64)

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate


__all__ = ["LANE", "REAL", "ROWS", "STORED", "TILE", "below", "lowest_bit", "stored_scores", "widen"]
