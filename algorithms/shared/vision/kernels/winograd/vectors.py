"""What the intrinsics here are written with."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types

from algoport.algorithms.shared.linalg.simd import LANES

WORD, LANE, REAL = ir.IntType(64), ir.IntType(32), ir.FloatType()
REALS, INTS = ir.VectorType(REAL, LANES), ir.VectorType(LANE, LANES)


def data(context, builder, signature, arguments):
    """The arguments, arrays as pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def constant(number):
    """A number in all lanes."""
    return ir.Constant(REALS, [float(number)] * LANES)


def spread(builder, number):
    """A number in all lanes."""
    nothing = ir.Constant(REALS, ir.Undefined)
    one = builder.insert_element(nothing, number, LANE(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(INTS, [0] * LANES))


def fma(builder, a, b, c):
    """a b + c."""
    function = ir.FunctionType(REALS, [REALS] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, function, f"llvm.fmuladd.v{LANES}f32"), [a, b, c]
    )


def at(builder, pointer, offset):
    """The address of a vector so many numbers behind a pointer."""
    if isinstance(offset, int):
        offset = WORD(offset)
    return builder.bitcast(builder.gep(pointer, [offset]), REALS.as_pointer())


def load(builder, pointer, offset):
    """A vector."""
    return builder.load(at(builder, pointer, offset), align=4)


def store(builder, value, pointer, offset):
    """Set a vector."""
    builder.store(value, at(builder, pointer, offset), align=4)
