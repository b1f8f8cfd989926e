"""A small product of two packed panels, kept in the processor's registers: what all of PCA's kernels stand on."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.simd import LANES

# Rows of a tile, by the lanes of a vector; a tile is three vectors wide, and so are the strips of a panel. 8 x 3 sums
# take 24 of the 32 registers that vectors of 16 lanes have; 4 x 3 take 12 of the 16 of narrower ones.
HEIGHT = {16: 8}.get(LANES, 4)
VECTORS = 3
STRIP = VECTORS * LANES


def product_of(width: int):
    """An intrinsic that adds a product to a tile of `HEIGHT` rows and `width` vectors of float64.

    `left` and `right` are float32, read from `at` and `start` on, `terms` times, `left_step` and `right_step` numbers
    apart: out[i, j] += sum over t of left[at + t left_step + i] * right[start + t right_step + j]. The terms are
    added in float32 in their order, and only their sum meets the tile, which lies in `out` from `place` on with `lead`
    numbers a row.
    """

    @intrinsic
    def product(typing, left, at, left_step, right, start, right_step, terms, out, place, lead):
        signature = types.void(left, at, left_step, right, start, right_step, terms, out, place, lead)

        def generate(context, builder, signature, arguments):
            word, lane = ir.IntType(64), ir.IntType(32)
            reals = ir.VectorType(ir.FloatType(), LANES)
            doubles, ints = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(lane, LANES)
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(reals, [reals] * 3), f"llvm.fmuladd.v{LANES}f32"
            )
            data = [
                context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            left, at, left_step, right, start, right_step, terms, out, place, lead = data

            def spread(value):
                one = builder.insert_element(ir.Constant(reals, ir.Undefined), value, lane(0))
                return builder.shuffle_vector(one, ir.Constant(reals, ir.Undefined), ir.Constant(ints, [0] * LANES))

            begin, beside = builder.gep(left, [at]), builder.gep(right, [start])
            before, loop = builder.block, builder.append_basic_block("terms")
            after = builder.append_basic_block("added")
            builder.branch(loop)
            builder.position_at_end(loop)
            t = builder.phi(word)
            t.add_incoming(word(0), before)
            sums = [[builder.phi(reals) for _ in range(width)] for _ in range(HEIGHT)]
            row, line = builder.mul(t, left_step), builder.mul(t, right_step)

            def vector(v):
                place = builder.gep(beside, [builder.add(line, word(v * LANES))])
                return builder.load(builder.bitcast(place, reals.as_pointer()), align=4)

            columns = [vector(v) for v in range(width)]
            for i, sum_ in enumerate(sums):
                value = spread(builder.load(builder.gep(begin, [builder.add(row, word(i))])))
                for v in range(width):
                    sum_[v].add_incoming(ir.Constant(reals, [0.0] * LANES), before)
                    sum_[v].add_incoming(builder.call(fma, [value, columns[v], sum_[v]]), loop)
            following = builder.add(t, word(1))
            t.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, terms), loop, after)
            builder.position_at_end(after)
            for i, sum_ in enumerate(sums):
                for v in range(width):
                    offset = builder.add(place, builder.add(builder.mul(lead, word(i)), word(v * LANES)))
                    cell = builder.bitcast(builder.gep(out, [offset]), doubles.as_pointer())
                    wide = builder.fpext(sum_[v].incomings[1][0], doubles)
                    builder.store(builder.fadd(builder.load(cell, align=8), wide), cell, align=8)
            return context.get_dummy_value()

        return signature, generate

    return product
