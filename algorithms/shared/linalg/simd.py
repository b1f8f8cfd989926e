"""Inner loops in SIMD vectors as wide as the processor's, written in LLVM's language: what no compiler finds by itself.

Chosen by the processor that numba compiles for; `algoport.algorithms.shared.linalg.distances` is what uses them.
"""

from __future__ import annotations

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# Lanes of a float32 vector.
LANES = {"x86-64-v4": 16, "x86-64-v3": 8}.get(str(numba.config.CPU_NAME), 4)


@intrinsic
def square_gap(typing, row, other, d):
    """The square of the difference of two vectors of d numbers. The last lanes are masked: a loop that the compiler
    vectorizes is twice as slow at d = 50, since it unrolls for long rows and does the rest one by one."""
    signature = types.float32(row, other, d)

    def generate(context, builder, signature, arguments):
        word, lane, bit = ir.IntType(64), ir.IntType(32), ir.IntType(1)
        real = ir.FloatType()
        reals, ints, bits = (ir.VectorType(kind, LANES) for kind in (real, lane, bit))
        place = reals.as_pointer()
        declare, module = cgutils.get_or_insert_function, builder.module
        fma = declare(module, ir.FunctionType(reals, [reals] * 3), f"llvm.fmuladd.v{LANES}f32")
        load = declare(module, ir.FunctionType(reals, [place, lane, bits, reals]), f"llvm.masked.load.v{LANES}f32.p0")
        row, other = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        d = arguments[2]
        zero = ir.Constant(reals, [0.0] * LANES)

        def at(pointer, f):
            return builder.bitcast(builder.gep(pointer, [f]), place)

        before = builder.block
        loop, body, after = (builder.append_basic_block(name) for name in ("more", "whole", "rest"))
        builder.branch(loop)
        builder.position_at_end(loop)
        f, square = builder.phi(word), builder.phi(reals)
        following = builder.add(f, word(LANES))
        builder.cbranch(builder.icmp_signed("<=", following, d), body, after)
        builder.position_at_end(body)
        gap = builder.fsub(builder.load(at(row, f), align=4), builder.load(at(other, f), align=4))
        f.add_incoming(word(0), before)
        f.add_incoming(following, body)
        square.add_incoming(zero, before)
        square.add_incoming(builder.call(fma, [gap, gap, square]), body)
        builder.branch(loop)
        builder.position_at_end(after)
        left = builder.trunc(builder.sub(d, f), lane)
        spread = builder.insert_element(ir.Constant(ints, ir.Undefined), left, lane(0))
        spread = builder.shuffle_vector(spread, ir.Constant(ints, ir.Undefined), ir.Constant(ints, [0] * LANES))
        mask = builder.icmp_signed("<", ir.Constant(ints, list(range(LANES))), spread)
        gap = builder.fsub(
            builder.call(load, [at(row, f), lane(4), mask, zero]),
            builder.call(load, [at(other, f), lane(4), mask, zero]),
        )
        total = builder.call(fma, [gap, gap, square])
        by = LANES // 2
        while by:
            order = ir.Constant(ints, [(i + by) % LANES for i in range(LANES)])
            total = builder.fadd(total, builder.shuffle_vector(total, ir.Constant(reals, ir.Undefined), order))
            by //= 2
        return builder.extract_element(total, lane(0))

    return signature, generate
