"""A span of the factors of a row, and of a feature, in SIMD vectors as wide as the processor's.

k factors   w numbers of a record

Sums and gradients stay in registers while the entries go by. Written in LLVM's language, for a compiler cannot know
that the records it reads do not overlap with what it sets.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.factorization_machines.kernels import SPAN
from algoport.algorithms.shared.linalg.simd import LANES
from algoport.algorithms.shared.neural.kernels.vectors import (
    LANE,
    REAL,
    REALS,
    WORD,
    Adam,
    Masked,
    call_for,
    data_of,
    lanes_sum,
    loop,
    multiply_add,
    spread,
)

VECTORS = SPAN // LANES
LONG = ir.DoubleType()
AHEAD = 3  # entries whose records are called for before they are needed
ZERO = ir.Constant(REALS, [0.0] * LANES)


def _at(builder, pointer, offset):
    return builder.load(builder.gep(pointer, [offset]))


def _wide(builder, value):
    return builder.sext(value, WORD)


def _cells(builder, values):
    """Memory of this call's own for numbers that a loop changes, which the compiler turns into registers."""
    cells = []
    for value in values:
        cell = cgutils.alloca_once(builder, value.type)
        builder.store(value, cell)
        cells.append(cell)
    return cells


@intrinsic
def row_span(typing, table, w, head, count, touched, numbers, values, begin, end, last, sums, to):
    """Sets sums[to:to + count] to s, the sums of x v over a row's entries [begin, end), of the `count` numbers v from
    place `head` of the records on, at most SPAN; returns the sum of s^2 - sum (x v)^2. Records of entries below `last`
    are called for."""
    signature = types.float32(table, w, head, count, touched, numbers, values, begin, end, last, sums, to)

    def generate(context, builder, signature, arguments):
        table, w, head, count, touched, numbers, values, begin, end, last, sums, to = data_of(
            context, builder, signature, arguments
        )
        masked = Masked(builder, count, VECTORS)
        cells = _cells(builder, [ZERO] * (2 * VECTORS))
        totals, squares = cells[:VECTORS], cells[VECTORS:]

        def place(i):
            """Where the numbers of an entry lie in the table, and whether it counts."""
            number = _at(builder, numbers, i)
            return number, builder.icmp_signed(">=", number, LANE(0))

        def offset(number):
            record = _wide(builder, _at(builder, touched, _wide(builder, number)))
            return builder.add(builder.mul(record, w), head)

        def entry(step):
            i = builder.add(begin, step)
            coming = builder.add(i, WORD(AHEAD))
            with builder.if_then(builder.icmp_signed("<", coming, last), likely=False):
                number, counts = place(coming)
                with builder.if_then(counts, likely=True):
                    call_for(builder, table, offset(number), count)
            number, counts = place(i)
            with builder.if_then(counts, likely=True):
                own = builder.gep(table, [offset(number)])
                x = spread(builder, _at(builder, values, i))
                for vector in range(VECTORS):
                    value = builder.fmul(x, masked.load(own, vector))
                    builder.store(builder.fadd(builder.load(totals[vector]), value), totals[vector])
                    square = multiply_add(builder, value, value, builder.load(squares[vector]))
                    builder.store(square, squares[vector])

        loop(builder, builder.sub(end, begin), 1, entry)
        pairs, whole = ZERO, [builder.load(cell) for cell in totals]
        masked.store(whole, builder.gep(sums, [to]))
        for total, cell in zip(whole, squares, strict=True):
            pairs = builder.fadd(pairs, builder.fsub(builder.fmul(total, total), builder.load(cell)))
        return lanes_sum(builder, pairs)

    return signature, generate


@intrinsic
def feature_span(typing, table, first, part, count, rows, xs, slopes, sums, k, at, begin, end, numbers):
    """A step of Adam for `count` factors of a feature, at most SPAN, from place `first` of the table on, whose means
    lie `part` and 2 `part` numbers behind. The gradient is summed over the feature's entries [begin, end): with g the
    row's slope times x, of g s - g x v, where s (., k) are the rows' sums, from column `at` on. `numbers` are those of
    `Adam` but its second. Returns the sum of g."""
    signature = types.float64(table, first, part, count, rows, xs, slopes, sums, k, at, begin, end, numbers)

    def generate(context, builder, signature, arguments):
        table, first, part, count, rows, xs, slopes, sums, k, at, begin, end, _ = data_of(
            context, builder, signature, arguments
        )
        numbers = cgutils.unpack_tuple(builder, arguments[-1])
        masked = Masked(builder, count, VECTORS)
        cells = _cells(builder, [ZERO] * VECTORS)
        total, square = _cells(builder, [LONG(0), LONG(0)])

        def entry(step):
            i = builder.add(begin, step)
            row, x = _wide(builder, _at(builder, rows, i)), _at(builder, xs, i)
            g = builder.fmul(_at(builder, slopes, row), x)
            own = builder.fmul(builder.fpext(g, LONG), builder.fpext(x, LONG))
            builder.store(builder.fadd(builder.load(total), builder.fpext(g, LONG)), total)
            builder.store(builder.fadd(builder.load(square), own), square)
            line, factor = builder.gep(sums, [builder.add(builder.mul(row, k), at)]), spread(builder, g)
            for vector, cell in enumerate(cells):
                value = multiply_add(builder, factor, masked.load(line, vector), builder.load(cell))
                builder.store(value, cell)

        loop(builder, builder.sub(end, begin), 1, entry)
        own = builder.fptrunc(builder.load(square), REAL)
        adam = Adam(builder, numbers[0], own, *numbers[1:])
        place = builder.gep(table, [first])
        places = [place, builder.gep(place, [part]), builder.gep(place, [builder.mul(part, WORD(2))])]
        moved = [
            adam.step(builder.load(cell), *(masked.load(pointer, vector) for pointer in places))
            for vector, cell in enumerate(cells)
        ]
        for values, pointer in zip(zip(*moved, strict=True), places, strict=True):
            masked.store(values, pointer)
        return builder.load(total)

    return signature, generate
