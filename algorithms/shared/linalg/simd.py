"""Inner loops in SIMD vectors as wide as the processor's, written in LLVM's language: what no compiler finds by itself.

Chosen by the processor that numba compiles for; `algoport.algorithms.shared.linalg.distances` is what uses them.
"""

from __future__ import annotations

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# Lanes of a float32 vector; then for every width of a tile, in vectors of centers, how many rows go with it: their
# product is what the registers hold besides the operands. With 32 registers of 16 lanes, 10 passes over 1,000,000
# rows of 50 with k = 100 took .30 s with 7 x 3, .38 with 4 x 6 and .47 with 3 x 8.
_TILES = {"x86-64-v4": (16, {1: 8, 2: 8, 4: 6, 7: 3}), "x86-64-v3": (8, {1: 8, 2: 6, 3: 4, 4: 3})}
LANES, SHAPES = _TILES.get(str(numba.config.CPU_NAME), (4, {1: 8, 2: 8, 3: 6, 4: 6}))


def tile_of(rows: int, width: int):
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


def difference_of(stored: bool):
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
