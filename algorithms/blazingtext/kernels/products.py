"""Products of a few rows of two tables, in SIMD vectors that numba's compiler finds none of by itself.

m input rows   6 output rows, a group   w width of a row, a multiple of `LANES`

A table is a flat float32 array, and a row is the offset of its first number. A group's scores and its two updates are
what word2vec does for a word, its context and its negative samples as matrix products (Ji et al., 2016): each row is
read and written once for all of the others. Output rows that are to be left out have a factor of 0, and may be any row.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.simd import LANES

GROUP = 6  # output rows of a call
SLOTS = 8  # numbers that a row's scores, and its factors, take
WORD, LANE, REAL = ir.IntType(64), ir.IntType(32), ir.FloatType()
REALS, INTS = ir.VectorType(REAL, LANES), ir.VectorType(LANE, LANES)


class _Writer:
    """Writes the instructions that the loops below are made of."""

    def __init__(self, builder):
        self.builder = builder
        declare = cgutils.get_or_insert_function
        kind = ir.FunctionType(REALS, [REALS] * 3)
        self._fma = declare(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")

    def fma(self, one, other, sum_):
        return self.builder.call(self._fma, [one, other, sum_])

    def load(self, pointer, offset):
        return self.builder.load(self._vector(pointer, offset), align=4)

    def store(self, value, pointer, offset):
        self.builder.store(value, self._vector(pointer, offset), align=4)

    def _vector(self, pointer, offset):
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), REALS.as_pointer())

    def number(self, pointer, offset):
        return self.builder.load(self.builder.gep(pointer, [offset]))

    def spread(self, number):
        one = self.builder.insert_element(ir.Constant(REALS, ir.Undefined), number, LANE(0))
        return self.builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * LANES))

    def loop(self, count, step, carried, body):
        """body(i, carried) for i from 0 by `step` below `count`; what it returns is carried on. There may be none."""
        builder = self.builder
        before = builder.block
        head, inner, after = (builder.append_basic_block(name) for name in ("head", "inner", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        i = builder.phi(WORD)
        phis = [builder.phi(value.type) for value in carried]
        i.add_incoming(WORD(0), before)
        for phi, value in zip(phis, carried, strict=True):
            phi.add_incoming(value, before)
        builder.cbranch(builder.icmp_signed("<", i, count), inner, after)
        builder.position_at_end(inner)
        following = body(i, phis)
        i.add_incoming(builder.add(i, WORD(step)), builder.block)
        for phi, value in zip(phis, following, strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return phis

    def halves(self, one, other, groups):
        """Two vectors of so many groups of lanes each as one of twice as many, each the sum of a group's halves."""
        size = LANES // groups
        places = [side * LANES + group * size + lane
                  for side in (0, 1) for group in range(groups) for lane in range(size // 2)]  # fmt: skip
        first, second = (ir.Constant(INTS, [place + shift for place in places]) for shift in (0, size // 2))
        shuffle = self.builder.shuffle_vector
        return self.builder.fadd(shuffle(one, other, first), shuffle(one, other, second))

    def sums(self, vectors):
        """The sums of the lanes of `SLOTS` vectors, as vectors of `SLOTS` numbers together."""
        groups = 1
        while len(vectors) > 1 and groups < LANES:
            vectors = [self.halves(*vectors[i : i + 2], groups) for i in range(0, len(vectors), 2)]
            groups *= 2
        if groups < LANES:  # of sixteen lanes two are left a number
            zero = ir.Constant(REALS, [0.0] * LANES)
            (whole,) = vectors
            whole = self.halves(whole, zero, groups)
            order = ir.Constant(ir.VectorType(LANE, SLOTS), list(range(SLOTS)))
            return [self.builder.shuffle_vector(whole, zero, order)]
        return vectors


def _data(context, builder, signature, arguments):
    """The arguments, arrays as pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


@intrinsic
def score_rows(typing, inputs, rows, count, outputs, others, first, width, scores):
    """Sets scores[8 i + k] to the product of input row rows[i] and output row others[first + k], i below count, k below
    6. The two behind them are zero."""
    signature = types.void(inputs, rows, count, outputs, others, first, width, scores)

    def generate(context, builder, signature, arguments):
        inputs, rows, count, outputs, others, first, width, scores = _data(context, builder, signature, arguments)
        write = _Writer(builder)
        places = [write.number(others, builder.add(first, WORD(k))) for k in range(GROUP)]
        lines = [builder.gep(outputs, [place]) for place in places]
        zero = ir.Constant(REALS, [0.0] * LANES)

        def of_row(i, _):
            line = builder.gep(inputs, [write.number(rows, i)])

            def of_chunk(d, totals):
                x = write.load(line, d)
                return [write.fma(x, write.load(y, d), total) for y, total in zip(lines, totals, strict=True)]

            totals = write.loop(width, LANES, [zero] * GROUP, of_chunk)
            place = builder.mul(i, WORD(SLOTS))
            for part in write.sums([*totals, *[zero] * (SLOTS - GROUP)]):
                to = builder.bitcast(builder.gep(scores, [place]), part.type.as_pointer())
                builder.store(part, to, align=4)
                place = builder.add(place, WORD(part.type.count))
            return []

        write.loop(count, 1, [], of_row)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def update_rows(typing, inputs, rows, count, outputs, others, first, width, factors):
    """Adds to each input row the output rows, and to each output row the input rows as they were, by the factors[8 i +
    k] of input row i and output row k. A row that is there twice is changed by the one after the other."""
    signature = types.void(inputs, rows, count, outputs, others, first, width, factors)

    def generate(context, builder, signature, arguments):
        inputs, rows, count, outputs, others, first, width, factors = _data(context, builder, signature, arguments)
        write = _Writer(builder)
        places = [write.number(others, builder.add(first, WORD(k))) for k in range(GROUP)]
        lines = [builder.gep(outputs, [place]) for place in places]
        zero = ir.Constant(REALS, [0.0] * LANES)

        def of_chunk(d, _):
            ys = [write.load(line, d) for line in lines]

            def of_row(i, changes):
                line = builder.gep(inputs, [write.number(rows, i)])
                x = write.load(line, d)
                place = builder.mul(i, WORD(SLOTS))
                sides, after = [x, zero], []
                for k in range(GROUP):
                    factor = write.spread(write.number(factors, builder.add(place, WORD(k))))
                    sides[k % 2] = write.fma(factor, ys[k], sides[k % 2])
                    after.append(write.fma(factor, x, changes[k]))
                write.store(builder.fadd(*sides), line, d)
                return after

            changes = write.loop(count, 1, [zero] * GROUP, of_row)
            for line, change in zip(lines, changes, strict=True):
                # Read again: the same row may be among them twice.
                write.store(builder.fadd(write.load(line, d), change), line, d)
            return []

        write.loop(width, LANES, [], of_chunk)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def gather_rows(typing, table, rows, count, factor, width, out):
    """Sets `out` to the sum of the first `count` rows times the factor."""
    signature = types.void(table, rows, count, types.float32, width, out)

    def generate(context, builder, signature, arguments):
        table, rows, count, factor, width, out = _data(context, builder, signature, arguments)
        write = _Writer(builder)
        zero, times = ir.Constant(REALS, [0.0] * LANES), write.spread(factor)

        def of_chunk(d, _):
            def of_row(i, total):
                line = builder.gep(table, [write.number(rows, i)])
                return [builder.fadd(total[0], write.load(line, d))]

            (total,) = write.loop(count, 1, [zero], of_row)
            write.store(builder.fmul(total, times), out, d)
            return []

        write.loop(width, LANES, [], of_chunk)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def scatter_rows(typing, table, rows, count, factor, width, vector):
    """Adds the vector times the factor to each of the first `count` rows."""
    signature = types.void(table, rows, count, types.float32, width, vector)

    def generate(context, builder, signature, arguments):
        table, rows, count, factor, width, vector = _data(context, builder, signature, arguments)
        write = _Writer(builder)
        times = write.spread(factor)

        def of_row(i, _):
            line = builder.gep(table, [write.number(rows, i)])

            def of_chunk(d, _):
                write.store(write.fma(times, write.load(vector, d), write.load(line, d)), line, d)
                return []

            write.loop(width, LANES, [], of_chunk)
            return []

        write.loop(count, 1, [], of_row)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fetch_row(typing, table, row, width):
    """Calls for a row that will soon be read and written."""
    signature = types.void(table, row, width)

    def generate(context, builder, signature, arguments):
        table, row, width = _data(context, builder, signature, arguments)
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, LANE, LANE, LANE])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        line = builder.gep(table, [row])

        def of_line(d, _):
            builder.call(fetch, [builder.bitcast(builder.gep(line, [d]), byte), LANE(1), LANE(3), LANE(1)])
            return []

        _Writer(builder).loop(width, 16, [], of_line)
        return context.get_dummy_value()

    return signature, generate
