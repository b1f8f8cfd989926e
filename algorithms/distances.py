"""The nearest centers of many rows, fast and without rounding's say.    n rows   d features   k centers

For compiled kernels: `pack` the centers, `search` a block of rows, `settle` each row. `search` forms
|c|^2 - 2 x.c in float32 in registers, a few rows times a few vectors of centers at once, and keeps the least two of
each row; a matrix of scores is never written. `settle` compares these two with a bound on what rounding may have
done, and where they are too near it measures again in float64. So the answer is the same on every processor.

The bound. Let o be the offset that `pack` takes from rows and centers alike, so that it cancels; x' and c' what is
left, rounded to float32; u = 2^-24 the unit of rounding; g(m) = m u / (1 - m u) (Higham, Accuracy and Stability of
Numerical Algorithms, section 3.1). Rounding x' and c' moves each by at most u times its length, hence the squared
distance by at most 3 u (|x'| + |c'|)^2. The score is a chain of d fused or 2 d plain operations that starts at
|c'|^2, itself rounded once: its error is at most g(d + 2) (|c'|^2 + 2 |x'| |c'|) (Higham, 3.5, and Cauchy's
inequality). |x'|^2 in float32 is off by g(d + 1) |x'|^2 at most. Together: no more than
g(d + 16) (|x'| + C)^2 <= 2 g(d + 16) (|x'|^2 + C^2), where C is the longest |c'|; the margin in 16 pays for the
roundings of the bound itself. `pack` returns it as a slope and a base: slope |x'|^2 + base.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# Every liberty LLVM offers but nnan and ninf: a missing value must stay recognizable.
FAST = {"afn", "arcp", "contract", "nsz", "reassoc"}

# Lanes of a float32 vector; then for every width of a tile, in vectors of centers, how many rows go with it: their
# product is what the registers hold besides the operands. With 32 registers of 16 lanes, 10 passes over 1,000,000
# rows of 50 with k = 100 took .30 s with 7 x 3, .38 with 4 x 6 and .47 with 3 x 8.
_TILES = {"x86-64-v4": (16, {1: 8, 2: 8, 4: 6, 7: 3}), "x86-64-v3": (8, {1: 8, 2: 6, 3: 4, 4: 3})}
LANES, SHAPES = _TILES.get(str(numba.config.CPU_NAME), (4, {1: 8, 2: 8, 3: 6, 4: 6}))
WIDTHS = np.array(sorted(SHAPES), np.int64)
W1, W2, W3, W4 = sorted(SHAPES)
R1, R2, R3, R4 = (SHAPES[width] for width in sorted(SHAPES))
# Rows of a panel: the copies, less the offset, that the tiles are applied to. A multiple of every number above.
PANEL = 24


def _tile(rows: int, width: int):
    """An intrinsic that finds, for `rows` rows and `width` vectors of centers, each row's two least scores.

    Meanwhile it calls for the memory from `ahead` on, as many numbers as these rows have: the next rows arrive while
    the processor multiplies.
    """

    @intrinsic
    def tile(typing, panel, row, tiles, start, norms, first, d, best, second, index, at, ahead):
        signature = types.void(panel, row, tiles, start, norms, first, d, best, second, index, at, ahead)

        def generate(context, builder, signature, arguments):
            word, lane = ir.IntType(64), ir.IntType(32)
            real = ir.FloatType()
            reals, ints = ir.VectorType(real, LANES), ir.VectorType(lane, LANES)
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(reals, [reals] * 3), f"llvm.fmuladd.v{LANES}f32"
            )
            byte = ir.IntType(8).as_pointer()
            fetch = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(ir.VoidType(), [byte, lane, lane, lane]), "llvm.prefetch.p0"
            )
            data = [
                context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            panel, row, tiles, start, norms, first, d, best, second, index, at, ahead = data

            def vector(pointer, offset):
                place = builder.bitcast(builder.gep(pointer, [offset]), reals.as_pointer())
                return builder.load(place, align=4)

            def spread(value):
                one = builder.insert_element(ir.Constant(reals, ir.Undefined), value, lane(0))
                return builder.shuffle_vector(one, ir.Constant(reals, ir.Undefined), ir.Constant(ints, [0] * LANES))

            def moved(value, by, kind):
                order = ir.Constant(ints, [(i + by) % LANES for i in range(LANES)])
                return builder.shuffle_vector(value, ir.Constant(kind, ir.Undefined), order)

            def lesser(a, b):
                return builder.select(builder.fcmp_ordered("<", a, b), a, b)

            def least(value, kind, smaller):
                by = LANES // 2
                while by:
                    value = smaller(value, moved(value, by, kind))
                    by //= 2
                return builder.extract_element(value, lane(0))

            begin = [vector(norms, builder.add(first, word(v * LANES))) for v in range(width)]
            lines = [builder.gep(panel, [builder.mul(builder.add(row, word(r)), d)]) for r in range(rows)]
            pack = builder.gep(tiles, [start])
            before = builder.block
            loop, after = builder.append_basic_block("features"), builder.append_basic_block("found")
            builder.branch(loop)
            builder.position_at_end(loop)
            f = builder.phi(word)
            f.add_incoming(word(0), before)
            sums = [[builder.phi(reals) for _ in range(width)] for _ in range(rows)]
            for line in sums:
                for v, sum_ in enumerate(line):
                    sum_.add_incoming(begin[v], before)
            base = builder.mul(f, word(width * LANES))
            coming = builder.bitcast(builder.gep(ahead, [builder.mul(f, word(rows))]), byte)
            builder.call(fetch, [coming, lane(0), lane(2), lane(1)])
            columns = [vector(pack, builder.add(base, word(v * LANES))) for v in range(width)]
            for r in range(rows):
                value = spread(builder.load(builder.gep(lines[r], [f])))
                for v in range(width):
                    sums[r][v].add_incoming(builder.call(fma, [value, columns[v], sums[r][v]]), loop)
            following = builder.add(f, word(1))
            f.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, d), loop, after)
            builder.position_at_end(after)

            for r in range(rows):
                final = [sum_.incomings[1][0] for sum_ in sums[r]]
                number = ir.Constant(ints, list(range(LANES)))
                low, next_ = final[0], ir.Constant(reals, [float("inf")] * LANES)
                for v in range(1, width):
                    less = builder.fcmp_ordered("<", final[v], low)
                    next_ = lesser(builder.select(less, low, final[v]), next_)
                    low = builder.select(less, final[v], low)
                    number = builder.select(less, ir.Constant(ints, list(range(v * LANES, (v + 1) * LANES))), number)
                lowest = least(low, reals, lesser)
                equal = builder.fcmp_ordered("==", low, spread(lowest))
                far = ir.Constant(ints, [width * LANES] * LANES)
                winner = least(
                    builder.select(equal, number, far),
                    ints,
                    lambda a, b: builder.select(builder.icmp_unsigned("<", a, b), a, b),
                )
                won = builder.insert_element(ir.Constant(ints, ir.Undefined), winner, lane(0))
                won = builder.shuffle_vector(won, ir.Constant(ints, ir.Undefined), ir.Constant(ints, [0] * LANES))
                others = builder.select(builder.icmp_unsigned("==", number, won), next_, low)
                place = builder.add(at, word(r))
                builder.store(lowest, builder.gep(best, [place]))
                builder.store(least(others, reals, lesser), builder.gep(second, [place]))
                builder.store(winner, builder.gep(index, [place]))
            return context.get_dummy_value()

        return signature, generate

    return tile


def _difference(stored: bool):
    """An intrinsic that subtracts one vector of d numbers from another, keeps the difference in a third if `stored`,
    and returns its square. The last lanes are masked: a loop that the compiler vectorizes is twice as slow at d = 50,
    since it unrolls for long rows and does the rest one by one."""

    @intrinsic
    def difference(typing, row, other, line, d):
        signature = types.float32(row, other, line, d)

        def generate(context, builder, signature, arguments):
            word, lane, bit = ir.IntType(64), ir.IntType(32), ir.IntType(1)
            real = ir.FloatType()
            reals, ints, bits = (ir.VectorType(kind, LANES) for kind in (real, lane, bit))
            place = reals.as_pointer()
            declare, module = cgutils.get_or_insert_function, builder.module
            fma = declare(module, ir.FunctionType(reals, [reals] * 3), f"llvm.fmuladd.v{LANES}f32")
            load = declare(
                module, ir.FunctionType(reals, [place, lane, bits, reals]), f"llvm.masked.load.v{LANES}f32.p0"
            )
            store = declare(
                module, ir.FunctionType(ir.VoidType(), [reals, place, lane, bits]), f"llvm.masked.store.v{LANES}f32.p0"
            )
            row, other, line = (
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
            )
            d = arguments[3]
            zero = ir.Constant(reals, [0.0] * LANES)

            def at(pointer, f):
                return builder.bitcast(builder.gep(pointer, [f]), place)

            before = builder.block
            loop, body, after = (builder.append_basic_block(name) for name in ("more", "whole", "rest"))
            builder.branch(loop)
            builder.position_at_end(loop)
            f, square = builder.phi(word), builder.phi(reals)
            following = builder.add(f, word(LANES))
            builder.cbranch(builder.icmp_signed("<=", following, d), body, after)
            builder.position_at_end(body)
            gap = builder.fsub(builder.load(at(row, f), align=4), builder.load(at(other, f), align=4))
            if stored:
                builder.store(gap, at(line, f), align=4)
            f.add_incoming(word(0), before)
            f.add_incoming(following, body)
            square.add_incoming(zero, before)
            square.add_incoming(builder.call(fma, [gap, gap, square]), body)
            builder.branch(loop)
            builder.position_at_end(after)
            left = builder.trunc(builder.sub(d, f), lane)
            spread = builder.insert_element(ir.Constant(ints, ir.Undefined), left, lane(0))
            spread = builder.shuffle_vector(spread, ir.Constant(ints, ir.Undefined), ir.Constant(ints, [0] * LANES))
            mask = builder.icmp_signed("<", ir.Constant(ints, list(range(LANES))), spread)
            gap = builder.fsub(
                builder.call(load, [at(row, f), lane(4), mask, zero]),
                builder.call(load, [at(other, f), lane(4), mask, zero]),
            )
            if stored:
                builder.call(store, [gap, at(line, f), lane(4), mask])
            total = builder.call(fma, [gap, gap, square])
            by = LANES // 2
            while by:
                order = ir.Constant(ints, [(i + by) % LANES for i in range(LANES)])
                total = builder.fadd(total, builder.shuffle_vector(total, ir.Constant(reals, ir.Undefined), order))
                by //= 2
            return builder.extract_element(total, lane(0))

        return signature, generate

    return difference


_copy, _gap = _difference(stored=True), _difference(stored=False)
_tile_1, _tile_2 = _tile(R1, W1), _tile(R2, W2)
_tile_3, _tile_4 = _tile(R3, W3), _tile(R4, W4)


@numba.njit(nogil=True, cache=True)
def pack(centers):
    """Centers as `search` takes them: (tiles, norms, widths, offset, slope, base).

    The offset is a common point near the middle of the centers, coarse on purpose: a multiple of a power of two no
    less than their spread, so that whole numbers stay whole, and zero where the spread is wide.
    """
    k, d = centers.shape
    offset = np.empty(d, np.float32)
    for f in range(d):
        low, high, total = np.inf, -np.inf, 0.0
        for j in range(k):
            value = np.float64(centers[j, f])
            low, high, total = min(low, value), max(high, value), total + value
        offset[f] = low
        if high > low:
            unit = 2.0 ** math.ceil(math.log2(high - low))
            offset[f] = unit * np.rint(total / k / unit)
    widths = _widths(k)
    padded = widths.sum() * LANES
    tiles, norms = np.zeros(padded * d, np.float32), np.full(padded, np.inf, np.float32)
    longest, first = 0.0, 0
    for width in widths:
        for j in range(first, min(k, first + width * LANES)):
            square = 0.0
            for f in range(d):
                value = np.float32(centers[j, f] - offset[f])
                tiles[first * d + f * width * LANES + j - first] = np.float32(-2) * value
                square += np.float64(value) * np.float64(value)
            norms[j] = square
            longest = max(longest, square)
        first += width * LANES
    unit = (d + 16) * 2.0**-24
    slope = 2 * unit / (1 - 2 * unit)
    return tiles, norms, widths, offset, slope, slope * longest


@numba.njit(nogil=True, cache=True)
def _widths(k):
    """The widths of the tiles that hold k centers: the widest while they are filled, then the least that does."""
    vectors = (k + LANES - 1) // LANES
    whole = vectors // WIDTHS[-1]
    rest = vectors - whole * WIDTHS[-1]
    widths = np.full(whole + (rest > 0), WIDTHS[-1])
    if rest > 0:
        for width in WIDTHS[::-1]:
            if width >= rest:
                widths[-1] = width
    return widths


@numba.njit(nogil=True, cache=True)
def room(d, most):
    """Where `search` works and leaves its answers for up to `most` rows: panel, squares, best, second, index."""
    return (
        np.empty(PANEL * d, np.float32),
        np.empty(most + PANEL, np.float32),
        np.empty(most + PANEL, np.float32),
        np.empty(most + PANEL, np.float32),
        np.empty(most + PANEL, np.int32),
        np.empty((2, PANEL), np.float32),
        np.empty(PANEL, np.int32),
    )


@numba.njit(nogil=True, cache=True)
def search(
    rows,  # in   (n, d) float32
    ids,  # in   which rows, the first `count`
    count,
    packed,  # in   of `pack`
    space,  # sets of `room`: squares |x'|^2, the two least scores |x - c|^2 - |x'|^2, the index of the least
):
    """The nearest centers of some rows, as float32 has it."""
    tiles, norms, widths, offset, _, _ = packed
    panel, squares, best, second, index, scores, found = space
    d = rows.shape[1]
    size = PANEL
    if len(widths) == 1 and d > 256:
        size = _rows_of(widths[0])  # a panel that stays in the first cache
    for start in range(0, count, size):
        some = min(size, count - start)
        for r in range(some):
            squares[start + r] = _copy(rows[ids[start + r]], offset, panel[r * d :], d)
        ahead = panel
        if start + 2 * size <= count and ids[start + 2 * size - 1] - ids[start + some] == size - 1:
            ahead = rows[ids[start + some] : ids[start + some] + size].reshape(size * d)
        first = 0
        for width in widths:
            if first == 0:
                _apply(width, panel, some, tiles, first, norms, d, best, second, index, start, ahead)
            else:
                _apply(width, panel, some, tiles, first, norms, d, scores[0], scores[1], found, 0, panel)
                for r in range(some):
                    i = start + r
                    if scores[0, r] < best[i]:
                        second[i] = min(best[i], scores[1, r])
                        best[i], index[i] = scores[0, r], first + found[r]
                    else:
                        second[i] = min(second[i], scores[0, r])
            first += width * LANES


@numba.njit(nogil=True, cache=True)
def _rows_of(width):
    """How many rows go with a tile of this width."""
    if width == W1:
        return R1
    if width == W2:
        return R2
    return R3 if width == W3 else R4


@numba.njit(nogil=True, cache=True)
def _apply(width, panel, some, tiles, first, norms, d, best, second, index, at, ahead):
    """One tile of centers on a panel; rows beyond `some` are what an earlier panel left, and of no matter."""
    start = first * d
    if width == W1:
        for r in range(0, some, R1):
            _tile_1(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])
    elif width == W2:
        for r in range(0, some, R2):
            _tile_2(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])
    elif width == W3:
        for r in range(0, some, R3):
            _tile_3(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])
    else:
        for r in range(0, some, R4):
            _tile_4(panel, r, tiles, start, norms, first, d, best, second, index, at + r, ahead[r * d :])


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def square_distance(row, center):
    """Of two float32 vectors, in float64."""
    square = 0.0
    for f in range(len(row)):
        difference = np.float64(row[f]) - np.float64(center[f])
        square += difference * difference
    return square


@numba.njit(nogil=True, cache=True, forceinline=True)
def near(row, center):
    """The squared distance of two float32 vectors, measured in float32: off by g(d + 2) of itself at most."""
    return _gap(row, center, row, len(row))


@numba.njit(nogil=True, cache=True, forceinline=True)
def settle(
    rows,  # in   (n, d) float32
    i,  # which row
    centers,  # in   (k, d) float32
    index,  # what `search` found for the row
    low,  # its score
    next_,  # the second lowest
    square,  # |x'|^2
    slope,  # of `pack`, as is `base`
    base,
):
    """(index, at most, at least): the nearest center, an upper bound of the squared distance to it, and a lower bound
    of that to the second nearest. Ties go to the lower index.

    Takes numbers, as the reference counts of a tuple of arrays cost 30 ns a row.
    """
    near = np.float64(square)
    low, next_ = np.float64(low), np.float64(next_)
    slack = slope * near + base
    if next_ - low > 2 * slack:
        return np.int64(index), max(0.0, near + low) + slack, max(0.0, near + next_ - slack)
    return directly(rows, i, centers)


@numba.njit(nogil=True, cache=True)
def directly(rows, i, centers):
    """As `settle`, measured in float64; the bounds are equal to the squares but for float64's rounding."""
    nearest, least, next_ = 0, np.inf, np.inf
    for j in range(len(centers)):
        square = square_distance(rows[i], centers[j])
        if square < least:
            nearest, least, next_ = j, square, least
        else:
            next_ = min(next_, square)
    return nearest, least, next_
