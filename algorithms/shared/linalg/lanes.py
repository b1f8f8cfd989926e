"""Scores of rows and centers in SIMD vectors whose lanes are rows: the tiles of processors with few registers.

A panel is `ROWS` rows, feature by feature, so that a vector holds one feature of `LANES` rows; a center's numbers are
spread from memory. Each lane keeps the least two scores of its own row, and nothing ever goes across lanes. With
eight lanes and 16 registers, two vectors of rows and six centers take 12 for sums, two for rows and one for a center.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.simd import LANES

VECTORS = 2
ROWS = VECTORS * LANES  # of a panel
HEIGHTS = (4, 5, 6)  # centers of a tile
WORD, LANE, REAL = ir.IntType(64), ir.IntType(32), ir.FloatType()
REALS, INTS = ir.VectorType(REAL, LANES), ir.VectorType(LANE, LANES)


def _shuffled(builder, one, other, order):
    return builder.shuffle_vector(one, other, ir.Constant(INTS, order))


def _spread(builder, value, kind):
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, LANE(0))
    return _shuffled(builder, one, one, [0] * LANES)


def _data(context, builder, signature, arguments):
    """The arguments, arrays as pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def _declared(builder, name, result, kinds):
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, kinds), name)


def _fma(builder):
    return _declared(builder, f"llvm.fmuladd.v{LANES}f32", REALS, [REALS] * 3)


def _vector_at(builder, pointer, offset, kind=REALS):
    return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())


def transposed(builder, vectors):
    """As many vectors as lanes, with rows for columns; step by step blocks of half the size change places."""
    vectors, step = list(vectors), LANES // 2
    while step:
        one = [lane if not lane & step else LANES + lane - step for lane in range(LANES)]
        other = [lane + step if not lane & step else LANES + lane for lane in range(LANES)]
        for i in (i for i in range(LANES) if not i & step):
            pair = vectors[i], vectors[i + step]
            vectors[i], vectors[i + step] = (_shuffled(builder, *pair, order) for order in (one, other))
        step //= 2
    return vectors


@intrinsic
def turn(typing, rows, d, ids, at, count, offset, panel, column, squares, place):
    """Copies the rows ids[at:at + LANES], less the offset, into a panel's lanes from `column` on, and sets
    squares[place:] to their squares. Rows behind `count` are the last one again. Meanwhile it calls for the rows of the
    next panel."""
    signature = types.void(rows, d, ids, at, count, offset, panel, column, squares, place)

    def generate(context, builder, signature, arguments):
        rows, d, ids, at, count, offset, panel, column, squares, place = _data(context, builder, signature, arguments)
        bits = ir.VectorType(ir.IntType(1), LANES)
        load = _declared(builder, f"llvm.masked.load.v{LANES}f32.p0", REALS, [REALS.as_pointer(), LANE, bits, REALS])
        byte = ir.IntType(8).as_pointer()
        fetch = _declared(builder, "llvm.prefetch.p0", ir.VoidType(), [byte, LANE, LANE, LANE])
        zero = ir.Constant(REALS, [0.0] * LANES)
        last = builder.sub(count, WORD(1))

        def row(number):
            number = builder.select(builder.icmp_signed("<", number, last), number, last)
            return builder.gep(rows, [builder.mul(builder.load(builder.gep(ids, [number])), d)])

        lines = [row(builder.add(at, WORD(r))) for r in range(LANES)]
        coming = [row(builder.add(at, WORD(r + ROWS))) for r in range(LANES)]
        before, loop, after = builder.block, builder.append_basic_block("turn"), builder.append_basic_block("turned")
        builder.branch(loop)
        builder.position_at_end(loop)
        f, sums = builder.phi(WORD), [builder.phi(REALS) for _ in range(4)]
        mask = builder.icmp_signed(
            "<",
            ir.Constant(INTS, list(range(LANES))),
            _spread(builder, builder.trunc(builder.sub(d, f), LANE), INTS),
        )

        def some(pointer):
            return builder.call(load, [_vector_at(builder, pointer, f), LANE(4), mask, zero])

        less = some(offset)
        gaps = transposed(builder, [builder.fsub(some(line), less) for line in lines])
        for line in coming:
            builder.call(fetch, [builder.bitcast(builder.gep(line, [f]), byte), LANE(0), LANE(3), LANE(1)])
        totals = list(sums)
        for i, gap in enumerate(gaps):
            to = builder.add(builder.mul(builder.add(f, WORD(i)), WORD(ROWS)), column)
            builder.store(gap, _vector_at(builder, panel, to), align=4)
            totals[i % 4] = builder.call(_fma(builder), [gap, gap, totals[i % 4]])
        following = builder.add(f, WORD(LANES))
        for phi, first, next_ in ((f, WORD(0), following), *((s, zero, t) for s, t in zip(sums, totals, strict=True))):
            phi.add_incoming(first, before)
            phi.add_incoming(next_, loop)
        builder.cbranch(builder.icmp_signed("<", following, d), loop, after)
        builder.position_at_end(after)
        square = builder.fadd(builder.fadd(totals[0], totals[1]), builder.fadd(totals[2], totals[3]))
        builder.store(square, _vector_at(builder, squares, place), align=4)
        return context.get_dummy_value()

    return signature, generate


def scores_of(height: int):
    """An intrinsic that compares a panel with `height` centers, and lets each row keep its two least scores, and the
    number of the center of the least; the first of equals."""

    @intrinsic
    def scores(typing, panel, tiles, start, norms, first, d, best, second, index, at):
        signature = types.void(panel, tiles, start, norms, first, d, best, second, index, at)

        def generate(context, builder, signature, arguments):
            panel, tiles, start, norms, first, d, best, second, index, at = _data(
                context, builder, signature, arguments
            )
            centers = builder.gep(tiles, [start])
            begin = [
                _spread(builder, builder.load(builder.gep(norms, [builder.add(first, WORD(c))])), REALS)
                for c in range(height)
            ]
            before, loop = builder.block, builder.append_basic_block("features")
            after = builder.append_basic_block("compared")
            builder.branch(loop)
            builder.position_at_end(loop)
            f = builder.phi(WORD)
            f.add_incoming(WORD(0), before)
            sums = [[builder.phi(REALS) for _ in range(VECTORS)] for _ in range(height)]
            line, place = builder.mul(f, WORD(ROWS)), builder.mul(f, WORD(height))
            values = [
                builder.load(_vector_at(builder, panel, builder.add(line, WORD(v * LANES))), align=4)
                for v in range(VECTORS)
            ]
            for c, of_center in enumerate(sums):
                number = builder.load(builder.gep(centers, [builder.add(place, WORD(c))]))
                factor = _spread(builder, number, REALS)
                for v, sum_ in enumerate(of_center):
                    sum_.add_incoming(begin[c], before)
                    sum_.add_incoming(builder.call(_fma(builder), [factor, values[v], sum_]), loop)
            following = builder.add(f, WORD(1))
            f.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, d), loop, after)
            builder.position_at_end(after)
            number = builder.trunc(first, LANE)
            for v in range(VECTORS):
                to = builder.add(at, WORD(v * LANES))
                places = [_vector_at(builder, array, to) for array in (best, second)]
                places.append(_vector_at(builder, index, to, INTS))
                low, next_, who = (builder.load(address, align=4) for address in places)
                for c in range(height):
                    score = sums[c][v].incomings[1][0]
                    less = builder.fcmp_ordered("<", score, low)
                    more = builder.select(builder.fcmp_ordered(">", score, low), score, low)
                    next_ = builder.select(builder.fcmp_ordered("<", more, next_), more, next_)
                    low = builder.select(builder.fcmp_ordered("<", score, low), score, low)
                    who = builder.select(less, _spread(builder, builder.add(number, LANE(c)), INTS), who)
                for value, address in zip((low, next_, who), places, strict=True):
                    builder.store(value, address, align=4)
            return context.get_dummy_value()

        return signature, generate

    return scores
