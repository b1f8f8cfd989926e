"""Sums of table rows, dot products and their gradients in SIMD vectors as wide as the processor's.

h numbers of a row, a multiple of 16 and so of every width of vectors

Written in LLVM's language: between a row that is read and one that is added to, numba must suspect that they are the
same memory, and then takes the numbers one by one.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.simd import LANES

WORD, REAL = ir.IntType(64), ir.FloatType()
REALS = ir.VectorType(REAL, LANES)


def _data(context, builder, signature, arguments):
    """The arguments, arrays as pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def _spread(builder, value):
    one = builder.insert_element(ir.Constant(REALS, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _zero():
    return ir.Constant(REALS, [0.0] * LANES)


def _load(builder, row, place):
    return builder.load(builder.bitcast(builder.gep(row, [place]), REALS.as_pointer()), align=4)


def _store(builder, value, row, place):
    builder.store(value, builder.bitcast(builder.gep(row, [place]), REALS.as_pointer()), align=4)


def _fma(builder):
    kind = ir.FunctionType(REALS, [REALS] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")


def _sum(builder, value):
    """The lanes of a vector, added in a fixed order."""
    by = LANES // 2
    while by:
        order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [(i + by) % LANES for i in range(LANES)])
        value = builder.fadd(value, builder.shuffle_vector(value, ir.Constant(REALS, ir.Undefined), order))
        by //= 2
    return builder.extract_element(value, ir.IntType(32)(0))


@intrinsic
def forward(typing, tables, one, two, three, four, bent, z, hidden, h):
    """Sets hidden (h,) to the sum of four rows of the tables (t, h), negative numbers to 0 where `bent`; returns its
    dot product with z (h,)."""
    signature = types.float32(tables, one, two, three, four, bent, z, hidden, h)

    def generate(context, builder, signature, arguments):
        tables, *places, bent, z, hidden, h = _data(context, builder, signature, arguments)
        rows = [builder.gep(tables, [builder.mul(place, h)]) for place in places]
        before = builder.block
        loop, after = builder.append_basic_block("forward"), builder.append_basic_block("summed")
        builder.branch(loop)
        builder.position_at_end(loop)
        f, total = builder.phi(WORD), builder.phi(REALS)
        a, b, c, d = (_load(builder, row, f) for row in rows)
        value = builder.fadd(builder.fadd(a, b), builder.fadd(c, d))
        positive = builder.select(builder.fcmp_ordered(">", value, _zero()), value, _zero())
        value = builder.select(bent, positive, value)
        _store(builder, value, hidden, f)
        following = builder.add(f, WORD(LANES))
        for phi, first, next_ in (
            (f, WORD(0), following),
            (total, _zero(), builder.call(_fma(builder), [value, _load(builder, z, f), total])),
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(next_, loop)
        builder.cbranch(builder.icmp_signed("<", following, h), loop, after)
        builder.position_at_end(after)
        return _sum(builder, total.incomings[1][0])

    return signature, generate


@intrinsic
def backward(typing, g, z, hidden, bent, u, sums, one, two, three, four, h):
    """Adds g times hidden (h,) to u (h,), and g times z (h,), 0 where `bent` and hidden is, to four different rows of
    sums (t, h)."""
    signature = types.void(g, z, hidden, bent, u, sums, one, two, three, four, h)

    def generate(context, builder, signature, arguments):
        g, z, hidden, bent, u, sums, *places, h = _data(context, builder, signature, arguments)
        rows = [builder.gep(sums, [builder.mul(place, h)]) for place in places]
        factor = _spread(builder, g)
        before = builder.block
        loop, after = builder.append_basic_block("backward"), builder.append_basic_block("added")
        builder.branch(loop)
        builder.position_at_end(loop)
        f = builder.phi(WORD)
        value, own = _load(builder, hidden, f), _load(builder, z, f)
        _store(builder, builder.call(_fma(builder), [factor, value, _load(builder, u, f)]), u, f)
        back = builder.fmul(factor, own)
        live = builder.select(builder.fcmp_ordered(">", value, _zero()), back, _zero())
        back = builder.select(bent, live, back)
        olds = [_load(builder, row, f) for row in rows]
        for row, old in zip(rows, olds, strict=True):
            _store(builder, builder.fadd(old, back), row, f)
        following = builder.add(f, WORD(LANES))
        f.add_incoming(WORD(0), before)
        f.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, h), loop, after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    return signature, generate
