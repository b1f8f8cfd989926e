"""Formulas on SIMD vectors, written as such and turned into LLVM's instructions."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.simd import LANES

WORD, LANE, REAL = ir.IntType(64), ir.IntType(32), ir.FloatType()
REALS, INTS, BITS = (ir.VectorType(kind, LANES) for kind in (REAL, LANE, ir.IntType(1)))

# The natural logarithm of 2 in two parts, of which the first has so few digits that its multiples are exact.
_LN2, _LN2_HIGH, _LN2_LOW = 0.6931471805599453, 0.693359375, -2.12194440e-4
# Added and taken away again, it rounds to a whole number, which then stands in the lowest bits of the sum.
_ROUND = 1.5 * 2.0**23
# e^r for |r| <= ln(2) / 2 to the last digit (Moshier, Cephes, expf.c), from r^2 on.
_EXP = (5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4)
# log(1 + x) / x on [0, 1], Chebyshev's interpolation: off by 2.3e-7 of itself at most, in float32.
_LOG = (0.999999966, -0.49999445, 0.333181217, -0.24835399, 0.190768807, -0.136022476, 0.0775160866, -0.0290740646,
        0.00512610212)  # fmt: skip


@intrinsic
def apart(typing):
    """Keeps the function that calls this one function, instead of a copy in each of its callers: they compile in a
    third of the time, and a sum is the same wherever it is asked for."""

    def generate(context, builder, signature, arguments):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


class Writer:
    """Writes into a function that numba compiles; `arguments` are its numbers, and of its arrays the addresses."""

    def __init__(self, context, builder, signature, arguments) -> None:
        self.builder = builder
        self.nothing = context.get_dummy_value()
        self.arguments = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, arguments, strict=True)
        ]

    def vector(self, value) -> Vector:
        """Of a number that is known now, or of one that the processor will have: the same in every lane."""
        if isinstance(value, (int, float)):
            return Vector(self, ir.Constant(REALS, [float(value)] * LANES))
        if value.type != REAL:
            value = self.builder.fptrunc(value, REAL)
        return Vector(self, self.spread(value, REALS))

    def spread(self, value, kind):
        """The value in every lane."""
        nothing = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(nothing, value, LANE(0))
        return self.builder.shuffle_vector(one, nothing, ir.Constant(INTS, [0] * LANES))

    def place(self, array, *offsets):
        """The address so many numbers on."""
        for offset in offsets:
            array = self.builder.gep(array, [offset])
        return array

    def load(self, array, *offsets) -> Vector:
        """The numbers from there on."""
        place = self.builder.bitcast(self.place(array, *offsets), REALS.as_pointer())
        return Vector(self, self.builder.load(place, align=4))

    def load_some(self, array, offset, mask) -> Vector:
        """Those that the mask has; 0 for the others."""
        name = f"llvm.masked.load.v{LANES}f32.p0"
        place = self.builder.bitcast(self.place(array, offset), REALS.as_pointer())
        return Vector(self, self.call(name, REALS, place, LANE(4), mask, self.vector(0).value))

    def store_some(self, vector, array, offset, mask) -> None:
        """Put the lanes that the mask has there."""
        name = f"llvm.masked.store.v{LANES}f32.p0"
        place = self.builder.bitcast(self.place(array, offset), REALS.as_pointer())
        self.call(name, ir.VoidType(), vector.value, place, LANE(4), mask)

    def below(self, count):
        """A mask of the lanes whose number is less."""
        most = self.spread(self.builder.trunc(count, LANE), INTS)
        return self.builder.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), most)

    def store(self, vector, array, *offsets) -> None:
        """Put all lanes there."""
        place = self.builder.bitcast(self.place(array, *offsets), REALS.as_pointer())
        self.builder.store(vector.value, place, align=4)

    def add(self, vector, array, *offsets) -> None:
        """Add all lanes to what is there."""
        self.store(self.load(array, *offsets) + vector, array, *offsets)

    def call(self, name, result, *arguments):
        """One of LLVM's own functions."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)

    def loop(self, first, end, step, values, body):
        """`body(i, values)` returns the next values, for i from first as long as it is below the end; at least once.

        Returns the last values.
        """
        builder = self.builder
        before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(WORD)
        i.add_incoming(first, before)
        loop_values = []
        for value in values:
            phi = builder.phi(REALS)
            phi.add_incoming(value.value, before)
            loop_values.append(Vector(self, phi))
        new = body(i, loop_values)
        following = builder.add(i, WORD(step))
        i.add_incoming(following, builder.block)
        for phi, value in zip(loop_values, new, strict=True):
            phi.value.add_incoming(value.value, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), loop, after)
        builder.position_at_end(after)
        return new


class Vector:
    """The lanes of a float32 vector, in formulas."""

    def __init__(self, writer: Writer, value) -> None:
        self.writer, self.value = writer, value

    def _other(self, other):
        return other.value if isinstance(other, Vector) else self.writer.vector(other).value

    def __add__(self, other):
        return Vector(self.writer, self.writer.builder.fadd(self.value, self._other(other)))

    def __sub__(self, other):
        return Vector(self.writer, self.writer.builder.fsub(self.value, self._other(other)))

    def __mul__(self, other):
        return Vector(self.writer, self.writer.builder.fmul(self.value, self._other(other)))

    def __truediv__(self, other):
        return Vector(self.writer, self.writer.builder.fdiv(self.value, self._other(other)))

    def __neg__(self):
        return self.writer.vector(0) - self

    def plus(self, a, b):
        """This plus a times b, in one instruction where the processor has it."""
        name = f"llvm.fmuladd.v{LANES}f32"
        return Vector(self.writer, self.writer.call(name, REALS, self._other(a), self._other(b), self.value))

    def above(self, other):
        """A mask of the lanes where this is greater."""
        return self.writer.builder.fcmp_ordered(">", self.value, self._other(other))

    def where(self, mask, other):
        """This in the lanes of the mask, the other one elsewhere."""
        return Vector(self.writer, self.writer.builder.select(mask, self.value, self._other(other)))

    def beyond(self, other):
        """As `above`, and where one of the two is missing."""
        return self.writer.builder.fcmp_unordered(">", self.value, self._other(other))

    def max(self, other):
        """The greater of each two; this one where it is missing."""
        return self.where(self.beyond(other), other)

    def size(self):
        """Without the sign."""
        return Vector(self.writer, self.writer.call(f"llvm.fabs.v{LANES}f32", REALS, self.value))

    def root(self):
        """The square root."""
        return Vector(self.writer, self.writer.call(f"llvm.sqrt.v{LANES}f32", REALS, self.value))

    def polynomial(self, coefficients):
        """The lowest power's coefficient first."""
        result = self.writer.vector(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            result = self.writer.vector(coefficient).plus(result, self)
        return result

    def exp(self):
        """e to this, which must not be above 0; below -87 as at -87: 1.6e-38. Off by 1e-7 of itself."""
        builder = self.writer.builder
        x = self.where(self.above(-87.0), -87.0)
        rounded = self.writer.vector(_ROUND).plus(x, 1 / _LN2)
        whole = rounded - _ROUND
        rest = x.plus(whole, -_LN2_HIGH).plus(whole, -_LN2_LOW)
        result = (rest + 1).plus(rest * rest, rest.polynomial(_EXP))
        exponent = builder.shl(builder.bitcast(rounded.value, INTS), ir.Constant(INTS, [23] * LANES))
        bits = builder.add(builder.bitcast(result.value, INTS), exponent)
        return Vector(self.writer, builder.bitcast(bits, REALS))

    def log_of_one_and(self):
        """The logarithm of 1 and this, which must be from 0 to 1."""
        return self * self.polynomial(_LOG)

    def log(self):
        """The natural logarithm of this, which must be a normal number of at least 1; what is missing stays so."""
        builder = self.writer.builder

        def constant(number):
            return ir.Constant(INTS, [number] * LANES)

        bits = builder.bitcast(self.value, INTS)
        exponent = builder.sub(builder.lshr(bits, constant(23)), constant(127))
        mantissa = builder.or_(builder.and_(bits, constant(0x7FFFFF)), constant(127 << 23))
        power = Vector(self.writer, builder.sitofp(exponent, REALS))
        part = Vector(self.writer, builder.bitcast(mantissa, REALS)) - 1
        missing = builder.fcmp_unordered("uno", self.value, self.value)
        return self.where(missing, part.log_of_one_and().plus(power, _LN2))

    def _across(self, both):
        by, result = LANES // 2, self
        while by:
            order = ir.Constant(INTS, [(i + by) % LANES for i in range(LANES)])
            turned = self.writer.builder.shuffle_vector(result.value, ir.Constant(REALS, ir.Undefined), order)
            result = both(result, Vector(self.writer, turned))
            by //= 2
        return result

    def greatest(self):
        """The greatest of all lanes, in each of them."""
        return self._across(lambda a, b: a.max(b))

    def total(self):
        """The sum of all lanes, in each of them."""
        return self._across(lambda a, b: a + b)

    def first(self):
        """The number in the first lane."""
        return self.writer.builder.extract_element(self.value, LANE(0))
