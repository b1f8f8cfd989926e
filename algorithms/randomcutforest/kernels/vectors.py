"""How far a row lies outside a box, in vectors of sixteen lanes.    d features

Boxes and rows lie in memory without padding; the lanes beyond the last feature are masked. The order of the additions
is written down, so that every processor finds the same sum, whatever the width of its own vectors.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
WORD, LANE, BIT, REAL = ir.IntType(64), ir.IntType(32), ir.IntType(1), ir.FloatType()
REALS, INTS, BITS = (ir.VectorType(kind, LANES) for kind in (REAL, LANE, BIT))
ZERO = ir.Constant(REALS, [0.0] * LANES)


def _data(context, builder, signature, arguments):
    """Pointers to the numbers of arrays; other arguments as they are."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def _loads(builder):
    """Two ways to load lanes from the f-th number of a pointer on: all of them, and the first few, the others zero."""
    place = REALS.as_pointer()
    masked = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(REALS, [place, LANE, BITS, REALS]), f"llvm.masked.load.v{LANES}f32.p0"
    )

    def whole(pointer, f):
        return builder.load(builder.bitcast(builder.gep(pointer, [f]), place), align=4)

    def some(mask):
        return lambda pointer, f: builder.call(
            masked, [builder.bitcast(builder.gep(pointer, [f]), place), LANE(4), mask, ZERO]
        )

    return whole, some


def _tail_mask(builder, d, f):
    """The lanes that are left of d from f on."""
    left = builder.trunc(builder.sub(d, f), LANE)
    spread = builder.insert_element(ir.Constant(INTS, ir.Undefined), left, LANE(0))
    spread = builder.shuffle_vector(spread, ir.Constant(INTS, ir.Undefined), ir.Constant(INTS, [0] * LANES))
    return builder.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), spread)


@intrinsic
def extension(typing, rows, row, boxes, box, d):
    """The sum over the features of what the row at rows[row:row + d] lies above boxes[box:box + d] or below
    boxes[box + d:box + 2 d], as float32: all arrays are flat float32. Nothing is NaN."""
    signature = types.float32(rows, row, boxes, box, d)

    def generate(context, builder, signature, arguments):
        rows, row, boxes, box, d = _data(context, builder, signature, arguments)
        point, high = builder.gep(rows, [row]), builder.gep(boxes, [box])
        low = builder.gep(high, [d])
        whole, some = _loads(builder)

        def more(a, b):
            return builder.select(builder.fcmp_ordered(">", a, b), a, b)

        def added(load, f, total):
            value = load(point, f)
            beyond = more(builder.fsub(value, load(high, f)), builder.fsub(load(low, f), value))
            return builder.fadd(total, more(beyond, ZERO))

        before = builder.block
        loop, body, after = (builder.append_basic_block(name) for name in ("more", "whole", "rest"))
        builder.branch(loop)
        builder.position_at_end(loop)
        f, total = builder.phi(WORD), builder.phi(REALS)
        following = builder.add(f, WORD(LANES))
        builder.cbranch(builder.icmp_signed("<=", following, d), body, after)
        builder.position_at_end(body)
        f.add_incoming(WORD(0), before)
        f.add_incoming(following, body)
        total.add_incoming(ZERO, before)
        total.add_incoming(added(whole, f, total), body)
        builder.branch(loop)
        builder.position_at_end(after)
        result = added(some(_tail_mask(builder, d, f)), f, total)
        by = LANES // 2
        while by:
            order = ir.Constant(INTS, [(i + by) % LANES for i in range(LANES)])
            result = builder.fadd(result, builder.shuffle_vector(result, ir.Constant(REALS, ir.Undefined), order))
            by //= 2
        return builder.extract_element(result, LANE(0))

    return signature, generate
