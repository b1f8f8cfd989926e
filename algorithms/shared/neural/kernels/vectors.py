"""An optimizer's step on a row of a table, in SIMD vectors as wide as the processor's, and calls for rows to come.

A compiler does not find these: it cannot know that the parts of a row do not overlap, and at a row's end it goes on one
by one. Offsets count float32 numbers from the begin of the table.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.simd import LANES

WORD, LANE, REAL, BYTE = ir.IntType(64), ir.IntType(32), ir.FloatType(), ir.IntType(8)
REALS, INTS = ir.VectorType(REAL, LANES), ir.VectorType(LANE, LANES)
LINE = 16  # float32 numbers of a line of a cache
# Of the processor's approximate roots and quotients one step of Newton's is made of those that are divided.
FAST = ("afn", "arcp", "contract", "nsz", "reassoc")


def _data(context, builder, signature, arguments):
    """The arguments, arrays as pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def _spread(builder, value, kind=REALS):
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, LANE(0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(INTS, [0] * LANES))


def _loop(builder, count, step, body):
    """body(i) for i from 0 in steps while below count."""
    before, top = builder.block, builder.append_basic_block("top")
    inside, after = builder.append_basic_block("inside"), builder.append_basic_block("after")
    builder.branch(top)
    builder.position_at_end(top)
    i = builder.phi(WORD)
    i.add_incoming(WORD(0), before)
    builder.cbranch(builder.icmp_signed("<", i, count), inside, after)
    builder.position_at_end(inside)
    body(i)
    i.add_incoming(builder.add(i, WORD(step)), builder.block)
    builder.branch(top)
    builder.position_at_end(after)


@intrinsic
def fetch(typing, table, offset, count):
    """Call for so many numbers of a table, which are to be read and written soon."""
    signature = types.void(table, offset, count)

    def generate(context, builder, signature, arguments):
        table, offset, count = _data(context, builder, signature, arguments)
        pointer = BYTE.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, LANE, LANE, LANE])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")

        def line(i):
            place = builder.bitcast(builder.gep(table, [builder.add(offset, i)]), pointer)
            builder.call(call, [place, LANE(0), LANE(3), LANE(1)])

        _loop(builder, count, LINE, line)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def adam_row(typing, table, first, second, third, k, gradient, scale, own, decay, clip, one, two, size, inverse, eps):
    """A step of Adam for k numbers of a table at the offset `first`, whose means of gradients and of their squares
    stand at `second` and `third`. The gradient is scale * (gradient[f] - own * number) + decay * number, within +-clip.

    As `updates.adam_number`, but for the last digits, with `inverse` for 1 / correction.
    """
    signature = types.void(
        table, first, second, third, k, gradient, scale, own, decay, clip, one, two, size, inverse, eps
    )

    def generate(context, builder, signature, arguments):
        table, first, second, third, k, gradient, *numbers = _data(context, builder, signature, arguments)
        scale, own, decay, clip, one, two, size, inverse, eps = (_spread(builder, number) for number in numbers)
        negative = builder.fsub(ir.Constant(REALS, [-0.0] * LANES), clip)
        bits = ir.VectorType(ir.IntType(1), LANES)
        place = REALS.as_pointer()
        declare, module = cgutils.get_or_insert_function, builder.module
        load = declare(module, ir.FunctionType(REALS, [place, LANE, bits, REALS]), f"llvm.masked.load.v{LANES}f32.p0")
        store = declare(
            module, ir.FunctionType(ir.VoidType(), [REALS, place, LANE, bits]), f"llvm.masked.store.v{LANES}f32.p0"
        )
        root = declare(module, ir.FunctionType(REALS, [REALS]), f"llvm.sqrt.v{LANES}f32")
        fma = declare(module, ir.FunctionType(REALS, [REALS] * 3), f"llvm.fmuladd.v{LANES}f32")
        zero = ir.Constant(REALS, [0.0] * LANES)
        count = ir.Constant(INTS, list(range(LANES)))

        def at(pointer, *offsets):
            for offset in offsets:
                pointer = builder.gep(pointer, [offset])
            return builder.bitcast(pointer, place)

        def step(f):
            left = builder.trunc(builder.sub(k, f), LANE)
            mask = builder.icmp_signed("<", count, _spread(builder, left, INTS))

            def some(*where):
                return builder.call(load, [at(*where), LANE(4), mask, zero])

            weight, mean, square = (some(table, offset, f) for offset in (first, second, third))
            raw = builder.fsub(some(gradient, f), builder.fmul(own, weight))
            whole = builder.call(fma, [scale, raw, builder.fmul(decay, weight)])
            # Comparisons that are false for NaN, which so stays what it is.
            whole = builder.select(builder.fcmp_ordered(">", whole, clip), clip, whole)
            whole = builder.select(builder.fcmp_ordered("<", whole, negative), negative, whole)
            mean = builder.call(fma, [one, builder.fsub(whole, mean), mean])
            square = builder.call(fma, [two, builder.fsub(builder.fmul(whole, whole), square), square])
            below = builder.fadd(
                builder.call(root, [builder.fmul(square, inverse)], fastmath=FAST), eps, flags=("contract",)
            )
            quotient = builder.fdiv(builder.fmul(size, mean), below, flags=FAST)
            weight = builder.fsub(weight, quotient)
            for value, offset in ((weight, first), (mean, second), (square, third)):
                builder.call(store, [value, at(table, offset, f), LANE(4), mask])

        _loop(builder, k, LANES, step)
        return context.get_dummy_value()

    return signature, generate
