"""An optimizer's step on a row of a table, in SIMD vectors as wide as the processor's, and calls for rows to come.

`Masked` and `Adam` are what such kernels are made of. A compiler does not find these: it cannot know that the parts of
a row do not overlap, and at a row's end it goes on one by one. Offsets count float32 numbers from the table's begin.
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


def data_of(context, builder, signature, arguments):
    """The arguments, arrays as pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def spread(builder, value, kind=REALS):
    """A vector with a number in all lanes."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, LANE(0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(INTS, [0] * LANES))


def multiply_add(builder, one, other, third):
    """one * other + third."""
    kind = ir.FunctionType(REALS, [REALS] * 3)
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32"), [one, other, third]
    )


def lanes_sum(builder, value):
    """The lanes of a vector, added in a fixed order."""
    by = LANES // 2
    while by:
        order = ir.Constant(ir.VectorType(LANE, LANES), [(i + by) % LANES for i in range(LANES)])
        value = builder.fadd(value, builder.shuffle_vector(value, ir.Constant(REALS, ir.Undefined), order))
        by //= 2
    return builder.extract_element(value, LANE(0))


def loop(builder, count, step, body):
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


def call_for(builder, table, offset, count):
    """Call for so many numbers of a table into the caches."""
    pointer = BYTE.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, LANE, LANE, LANE])
    call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")

    def line(i):
        place = builder.bitcast(builder.gep(table, [builder.add(offset, i)]), pointer)
        builder.call(call, [place, LANE(0), LANE(3), LANE(1)])

    loop(builder, count, LINE, line)


class Masked:
    """So many numbers as vectors, of which the last may not be full; the lanes beyond are 0 and stay as they are."""

    def __init__(self, builder, count, vectors: int) -> None:
        self._builder, place = builder, REALS.as_pointer()
        bits = ir.VectorType(ir.IntType(1), LANES)
        kinds = {"load": (REALS, [place, LANE, bits, REALS]), "store": (ir.VoidType(), [REALS, place, LANE, bits])}
        self._load, self._store = (
            cgutils.get_or_insert_function(builder.module, ir.FunctionType(*kind), f"llvm.masked.{name}.v{LANES}f32.p0")
            for name, kind in kinds.items()
        )
        left = spread(builder, builder.trunc(count, LANE), INTS)
        lanes = (ir.Constant(INTS, list(range(v * LANES, (v + 1) * LANES))) for v in range(vectors))
        self._masks = [builder.icmp_signed("<", lane, left) for lane in lanes]
        self._full = builder.icmp_signed(">=", count, WORD(vectors * LANES))

    def _at(self, pointer, vector):
        return self._builder.bitcast(self._builder.gep(pointer, [WORD(vector * LANES)]), REALS.as_pointer())

    def load(self, pointer, vector: int):
        """The numbers of a vector."""
        zero = ir.Constant(REALS, [0.0] * LANES)
        return self._builder.call(self._load, [self._at(pointer, vector), LANE(4), self._masks[vector], zero])

    def store(self, values, pointer) -> None:
        """All of them. Masks make a store many times slower on some processors, so those that are full have none."""
        with self._builder.if_else(self._full, likely=True) as (whole, some):
            with whole:
                for vector, value in enumerate(values):
                    self._builder.store(value, self._at(pointer, vector), align=4)
            with some:
                for vector, value in enumerate(values):
                    self._builder.call(self._store, [value, self._at(pointer, vector), LANE(4), self._masks[vector]])


class Adam:
    """A step of Adam for vectors, as `updates.adam_number` but for the last digits, with `inverse` for 1 / correction.
    The gradient is scale * (gradient - own * number) + decay * number, within +-clip."""

    def __init__(self, builder, scale, own, decay, clip, one, two, size, inverse, eps) -> None:
        self._builder = builder
        numbers = (scale, own, decay, clip, one, two, size, inverse, eps)
        self._numbers = [spread(builder, number) for number in numbers]
        self._negative = builder.fsub(ir.Constant(REALS, [-0.0] * LANES), self._numbers[3])
        self._root = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(REALS, [REALS]), f"llvm.sqrt.v{LANES}f32"
        )

    def step(self, gradient, weight, mean, square):
        """Weight, mean and mean of squares after it."""
        builder = self._builder
        scale, own, decay, clip, one, two, size, inverse, eps = self._numbers
        raw = builder.fsub(gradient, builder.fmul(own, weight))
        whole = multiply_add(builder, scale, raw, builder.fmul(decay, weight))
        # Comparisons that are false for NaN, which so stays what it is.
        whole = builder.select(builder.fcmp_ordered(">", whole, clip), clip, whole)
        whole = builder.select(builder.fcmp_ordered("<", whole, self._negative), self._negative, whole)
        mean = multiply_add(builder, one, builder.fsub(whole, mean), mean)
        square = multiply_add(builder, two, builder.fsub(builder.fmul(whole, whole), square), square)
        root = builder.call(self._root, [builder.fmul(square, inverse)], fastmath=FAST)
        below = builder.fadd(root, eps, flags=("contract",))
        return builder.fsub(weight, builder.fdiv(builder.fmul(size, mean), below, flags=FAST)), mean, square


@intrinsic
def fetch(typing, table, offset, count):
    """Call for so many numbers of a table, which are to be read and written soon."""
    signature = types.void(table, offset, count)

    def generate(context, builder, signature, arguments):
        call_for(builder, *data_of(context, builder, signature, arguments))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def adam_row(typing, table, first, second, third, k, gradient, scale, own, decay, clip, one, two, size, inverse, eps):
    """A step of `Adam` for k numbers of a table at the offset `first`, whose means of gradients and of their squares
    stand at `second` and `third`."""
    signature = types.void(
        table, first, second, third, k, gradient, scale, own, decay, clip, one, two, size, inverse, eps
    )

    def generate(context, builder, signature, arguments):
        table, first, second, third, k, gradient, *numbers = data_of(context, builder, signature, arguments)
        adam = Adam(builder, *numbers)

        def step(f):
            masked = Masked(builder, builder.sub(k, f), 1)
            places = [builder.gep(table, [builder.add(offset, f)]) for offset in (first, second, third)]
            own = (masked.load(place, 0) for place in places)
            moved = adam.step(masked.load(builder.gep(gradient, [f]), 0), *own)
            for value, place in zip(moved, places, strict=True):
                masked.store([value], place)

        loop(builder, k, LANES, step)
        return context.get_dummy_value()

    return signature, generate
