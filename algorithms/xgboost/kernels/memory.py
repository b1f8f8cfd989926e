"""Asking for memory ahead of its use, which no compiler does for rows that are visited out of order; and the bits of
numbers, without the array views whose error messages take a second to compile."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


@intrinsic
def prefetch(typing, array, index):
    """Call for the cache line of array[index], a C-contiguous array's rows counted in the last axis' items."""
    signature = types.void(array, index)

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        data = context.make_array(kind)(context, builder, arguments[0]).data
        byte, lane = ir.IntType(8).as_pointer(), ir.IntType(32)
        fetch = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, lane, lane, lane]), "llvm.prefetch.p0"
        )
        place = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(fetch, [place, lane(0), lane(3), lane(1)])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def bits_of(typing, number):
    """The bits of a float32, an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def float_of(typing, bits):
    """The float32 of these bits, an int32."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate
