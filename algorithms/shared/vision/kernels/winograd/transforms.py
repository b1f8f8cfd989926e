"""From places to points and back, vectors of channels at a time (Lavin and Gray 2016, section 4.3).

With points 0, a, -a, b, -b and infinity the rows of pairs of points have their even and their odd part in common.
"""

from __future__ import annotations

from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.lanes import transposed
from algoport.algorithms.shared.linalg.simd import LANES
from algoport.algorithms.shared.vision.kernels.winograd.layout import CHUNK, OUT, ROWS, SIDE, TAPS, WIDTH, A, B
from algoport.algorithms.shared.vision.kernels.winograd.vectors import (
    WORD,
    constant,
    data,
    fma,
    load,
    spread,
    store,
)

# Each pair of points, and one over the product of what it is away from the others.
_SHARES = ((A, 1 / (2 * A * A * (A * A - B * B))), (B, 1 / (2 * B * B * (B * B - A * A))))


def _times(builder, number, value):
    """A vector times a number that is known now."""
    return value if number == 1 else builder.fmul(constant(number), value)


def _plus(builder, number, value, more):
    """number value + more."""
    if number == 1:
        return builder.fadd(value, more)
    return fma(builder, constant(number), value, more)


def _of_input(builder, x):
    """Six places at six points: the transform of the input."""
    a, b = A * A, B * B
    first = fma(builder, constant(-(a + b)), x[2], _plus(builder, a * b, x[0], x[4]))
    last = fma(builder, constant(-(a + b)), x[3], _plus(builder, a * b, x[1], x[5]))
    points = [first]
    for other, point in ((b, A), (a, B)):
        even = fma(builder, constant(-other), x[2], x[4])
        odd = _times(builder, point, fma(builder, constant(-other), x[1], x[3]))
        points += [builder.fadd(even, odd), builder.fsub(even, odd)]
    return [*points, last]


def _of_output(builder, m):
    """Four places from six points: the transform of the output."""
    sums = [builder.fadd(m[i], m[i + 1]) for i in (1, 3)]
    gaps = [builder.fsub(m[i], m[i + 1]) for i in (1, 3)]
    places = []
    for power in range(OUT):
        one, two = sums if power % 2 == 0 else gaps
        total = _plus(builder, B**power, two, _times(builder, A**power, one))
        if power == 0:
            total = builder.fadd(total, m[0])
        if power == OUT - 1:
            total = builder.fadd(total, m[SIDE - 1])
        places.append(total)
    return places


def _of_gradient(builder, y):
    """Four places at six points: the transform of the output, transposed."""
    points = [y[0]]
    for point in (A, B):
        even = _plus(builder, point**2, y[2], y[0])
        odd = _plus(builder, point**3, y[3], _times(builder, point, y[1]))
        points += [builder.fadd(even, odd), builder.fsub(even, odd)]
    return [*points, y[3]]


def _of_filter(builder, w):
    """Three taps at six points: the transform of the filter."""
    points = [_times(builder, 1 / (A * A * B * B), w[0])]
    for point, share in _SHARES:
        even = fma(builder, constant(share * point**2), w[2], _times(builder, share, w[0]))
        odd = _times(builder, share * point, w[1])
        points += [builder.fadd(even, odd), builder.fsub(even, odd)]
    return [*points, w[2]]


def _to_filter(builder, m):
    """Three taps from six points: the transform of the filter, transposed."""
    zero, two = _times(builder, 1 / (A * A * B * B), m[0]), m[SIDE - 1]
    one = None
    for i, (point, share) in zip((1, 3), _SHARES, strict=True):
        sum_, gap = builder.fadd(m[i], m[i + 1]), builder.fsub(m[i], m[i + 1])
        zero = fma(builder, constant(share), sum_, zero)
        two = fma(builder, constant(share * point**2), sum_, two)
        odd = constant(share * point)
        one = builder.fmul(odd, gap) if one is None else fma(builder, odd, gap, one)
    return [zero, one, two]


def _both(builder, grid, transform):
    """A transform of the columns of a square, and then of its rows."""
    columns = [transform(builder, list(column)) for column in zip(*grid, strict=True)]
    return [transform(builder, list(row)) for row in zip(*columns, strict=True)]


def _in_blocks(builder, c):
    """How far behind its block's first number a channel lies."""
    chunk = builder.udiv(c, WORD(CHUNK))
    return builder.add(builder.mul(chunk, WORD(ROWS * CHUNK)), builder.urem(c, WORD(CHUNK)))


def _places_to_points(side: int, transform):
    """An intrinsic that sets the points of a tile of so many places a side."""

    @intrinsic
    def to_points(typing, x, mask, start, row, column, channels, out, place, gap):
        """Sets the numbers of a tile at all points, `gap` apart, from `place`, from places from `start`; where a mask
        is given, from those alone at which it is above 0."""
        signature = types.void(x, mask, start, row, column, channels, out, place, gap)
        masked = not isinstance(mask, types.NoneType)

        def generate(context, builder, signature, arguments):
            x, mask, start, row, column, channels, out, place, gap = data(context, builder, signature, arguments)
            out = builder.gep(out, [place])
            with cgutils.for_range_slice(builder, WORD(0), channels, WORD(LANES)) as (c, _):
                to, first = builder.gep(out, [_in_blocks(builder, c)]), builder.add(start, c)
                grids = []
                for array in (x, mask) if masked else (x,):
                    own = builder.gep(array, [first])
                    lines = [builder.gep(own, [builder.mul(row, WORD(i))]) for i in range(side)]
                    grids.append(
                        [[load(builder, line, builder.mul(column, WORD(j))) for j in range(side)] for line in lines]
                    )
                grid = grids[0]
                if masked:
                    grid = [
                        [_where(builder, *pair) for pair in zip(*lines, strict=True)]
                        for lines in zip(*grids, strict=True)
                    ]
                for i, values in enumerate(_both(builder, grid, transform)):
                    for j, value in enumerate(values):
                        store(builder, value, to, builder.mul(gap, WORD(i * SIDE + j)))
            return context.get_dummy_value()

        return signature, generate

    return to_points


def _where(builder, value, mask):
    """The value where the mask is above 0, else 0."""
    return builder.select(builder.fcmp_ordered("<=", mask, constant(0)), constant(0), value)


input_to_points = _places_to_points(SIDE, _of_input)
gradient_to_points = _places_to_points(OUT, _of_gradient)


@intrinsic
def points_to_output(typing, m, start, gap, channels, bias, least, out, place, row, column):
    """Sets the places of a tile from its points, plus a bias (channels,), and to `least` where that is more."""
    signature = types.void(m, start, gap, channels, bias, least, out, place, row, column)

    def generate(context, builder, signature, arguments):
        m, start, gap, channels, bias, least, out, place, row, column = data(context, builder, signature, arguments)
        m, out, floor = builder.gep(m, [start]), builder.gep(out, [place]), spread(builder, least)
        with cgutils.for_range_slice(builder, WORD(0), channels, WORD(LANES)) as (c, _):
            own, to = builder.gep(m, [_in_blocks(builder, c)]), builder.gep(out, [c])
            level = load(builder, bias, c)
            grid = [
                [load(builder, own, builder.mul(gap, WORD(i * SIDE + j))) for j in range(SIDE)] for i in range(SIDE)
            ]
            for i, values in enumerate(_both(builder, grid, _of_output)):
                line = builder.gep(to, [builder.mul(row, WORD(i))])
                for j, value in enumerate(values):
                    total = builder.fadd(value, level)
                    total = builder.select(builder.fcmp_ordered("<", total, floor), floor, total)
                    store(builder, total, line, builder.mul(column, WORD(j)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def filter_to_points(typing, w, start, row, column, out, place, gap):
    """Sets WIDTH filters at all points, `gap` apart, from `place`, from 3 x 3 taps from `start`."""
    signature = types.void(w, start, row, column, out, place, gap)

    def generate(context, builder, signature, arguments):
        w, start, row, column, out, place, gap = data(context, builder, signature, arguments)
        w, out = builder.gep(w, [start]), builder.gep(out, [place])
        for c in range(0, WIDTH, LANES):
            lines = [builder.gep(w, [builder.mul(row, WORD(i))]) for i in range(TAPS)]
            grid = [
                [load(builder, line, builder.add(builder.mul(column, WORD(j)), WORD(c))) for j in range(TAPS)]
                for line in lines
            ]
            for i, values in enumerate(_both(builder, grid, _of_filter)):
                for j, value in enumerate(values):
                    store(builder, value, out, builder.add(builder.mul(gap, WORD(i * SIDE + j)), WORD(c)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def points_to_filter(typing, m, start, gap, channels, out, place):
    """Sets 3 x 3 taps of so many channels, from `place`, from their points."""
    signature = types.void(m, start, gap, channels, out, place)

    def generate(context, builder, signature, arguments):
        m, start, gap, channels, out, place = data(context, builder, signature, arguments)
        m, out = builder.gep(m, [start]), builder.gep(out, [place])
        with cgutils.for_range_slice(builder, WORD(0), channels, WORD(LANES)) as (c, _):
            own, to = builder.gep(m, [c]), builder.gep(out, [c])
            grid = [
                [load(builder, own, builder.mul(gap, WORD(i * SIDE + j))) for j in range(SIDE)] for i in range(SIDE)
            ]
            for i, values in enumerate(_both(builder, grid, _to_filter)):
                for j, value in enumerate(values):
                    store(builder, value, to, builder.mul(channels, WORD(i * TAPS + j)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def turned(typing, w, start, line, out, place, row):
    """Sets as many rows as lanes, `row` apart, to the columns of as many lines of vectors."""
    signature = types.void(w, start, line, out, place, row)

    def generate(context, builder, signature, arguments):
        w, start, line, out, place, row = data(context, builder, signature, arguments)
        w, out = builder.gep(w, [start]), builder.gep(out, [place])
        vectors = [load(builder, w, builder.mul(line, WORD(i))) for i in range(LANES)]
        for i, vector in enumerate(transposed(builder, vectors)):
            store(builder, vector, out, builder.mul(row, WORD(i)))
        return context.get_dummy_value()

    return signature, generate
