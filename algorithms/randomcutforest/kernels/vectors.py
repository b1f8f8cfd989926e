"""The two inner loops of scoring, in vectors of sixteen or eight lanes, as no compiler finds them by itself. A lane
is a row.

Boxes lie in memory without padding, and lanes behind the last row repeat it. Which rows go left is given by a mask, by
which vectors are packed: no branch depends on the data. The order of additions is written down, so that every
processor finds the same sums, whatever the width of its own vectors. Values of scattered rows are loaded one by one:
where processors gather at all, they take no less time for it.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg import simd

# Eight lanes on AVX2: sixteen would be pairs of registers, of which there are sixteen in all, and in small groups
# fewer lanes wait for the last one.
LANES, UNROLLED, QUARTER = max(simd.LANES, 8), 4, 4
LINE = 16  # float32 numbers of a cache line
PACKS = simd.LANES >= 8  # whether the processor has instructions that pack a vector's lanes
AHEAD = 2 * LANES  # rows that are called for before their turn
# Places behind the end of arrays that whole vectors are read from and written to.
SPARE = AHEAD + LANES
BYTE, LANE, WORD, REAL = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()


def _vector(kind, lanes):
    return ir.VectorType(kind, lanes)


def _splat(kind, values):
    return ir.Constant(_vector(kind, len(values)), values)


def _undefined(vector):
    return ir.Constant(vector, ir.Undefined)


class Writer:
    """Writes instructions on vectors into a function of numba's."""

    def __init__(self, context, builder, signature, arguments) -> None:
        self.builder = builder
        self.arguments = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, arguments, strict=True)
        ]

    def _call(self, name, result, arguments):
        kinds = [argument.type for argument in arguments]
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, kinds), name)
        return self.builder.call(function, arguments)

    def spread(self, value, lanes):
        """The value in every lane."""
        one = self.builder.insert_element(_undefined(_vector(value.type, lanes)), value, LANE(0))
        return self.shuffled(one, one, [0] * lanes)

    def shuffled(self, a, b, order):
        """Lanes of two vectors, numbered through, in that order."""
        return self.builder.shuffle_vector(a, b, _splat(LANE, order))

    def below(self, count, lanes):
        """The lanes whose number is less than the word."""
        least = self.builder.trunc(count, LANE)
        return self.builder.icmp_signed("<", _splat(LANE, list(range(lanes))), self.spread(least, lanes))

    def load(self, pointer, offset, lanes):
        """The numbers from the offset on."""
        kind = REAL if "float" in str(pointer.type) else LANE
        place = self.builder.bitcast(self.builder.gep(pointer, [offset]), _vector(kind, lanes).as_pointer())
        return self.builder.load(place, align=4)

    def picked(self, pointer, offsets):
        """The float32 numbers at these offsets, which are words."""
        values = _undefined(_vector(REAL, len(offsets)))
        for lane, offset in enumerate(offsets):
            values = self.builder.insert_element(
                values, self.builder.load(self.builder.gep(pointer, [offset])), LANE(lane)
            )
        return values

    def store(self, values, pointer, offset):
        """Writes the lanes from the offset on."""
        place = self.builder.bitcast(self.builder.gep(pointer, [offset]), values.type.as_pointer())
        self.builder.store(values, place, align=4)

    def packed(self, values, mask):
        """Lanes of whole numbers: those of the mask one after another, and others behind them."""
        vector, lanes = values.type, values.type.count
        if lanes == simd.LANES == LINE:
            name = f"llvm.experimental.vector.compress.v{lanes}i32"
            return self._call(name, vector, [values, mask, _undefined(vector)])
        number = self.builder.zext(self.builder.bitcast(mask, ir.IntType(lanes)), WORD)
        orders = cgutils.global_constant(self.builder.module, "orders", _orders(lanes))
        order = self.builder.load(cgutils.gep_inbounds(self.builder, orders, 0, number), align=lanes)
        return self._call("llvm.x86.avx2.permd", vector, [values, self.builder.zext(order, vector)])

    def count(self, mask):
        """How many lanes the mask has, as a word."""
        bits = ir.IntType(mask.type.count)
        return self.builder.zext(
            self._call(f"llvm.ctpop.i{bits.width}", bits, [self.builder.bitcast(mask, bits)]), WORD
        )

    def between(self, value, low, high):
        """The value, or the end that it lies beyond."""
        value = self.builder.select(self.builder.fcmp_ordered(">", value, low), value, low)
        return self.builder.select(self.builder.fcmp_ordered("<", value, high), value, high)

    def size(self, value):
        """Without its sign."""
        return self._call(f"llvm.fabs.v{value.type.count}f32", value.type, [value])

    def call_for(self, pointer):
        """Lets the cache line come nearer that will be read soon."""
        self._call("llvm.prefetch.p0", ir.VoidType(), [pointer, LANE(0), LANE(3), LANE(1)])

    def joined(self, vectors):
        """The lanes of all vectors, one after another."""
        while len(vectors) > 1:
            order = list(range(2 * vectors[0].type.count))
            vectors = [self.shuffled(a, b, order) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    def turned(self, points, f):
        """Four vectors, of features f to f + 3: a lane is a row. Each quarter of a vector is turned by itself."""
        quarters = range(0, LANES, QUARTER)
        rows = [self.joined([self.load(points[q + r], f, QUARTER) for q in quarters]) for r in range(QUARTER)]

        def quarterwise(a, b, order):
            return self.shuffled(a, b, [q + lane % 4 + lane // 4 * LANES for q in quarters for lane in order])

        low, high = (0, 4, 1, 5), (2, 6, 3, 7)
        pairs = [[quarterwise(rows[i], rows[i + 1], order) for i in (0, 2)] for order in (low, high)]
        return [quarterwise(*pair, order) for pair in pairs for order in ((0, 1, 4, 5), (2, 3, 6, 7))]


def _orders(lanes):
    """For each mask the numbers of its lanes, and then those of the others."""
    numbers = range(lanes)
    orders = [sorted(numbers, key=lambda lane, mask=mask: not mask >> lane & 1) for mask in range(1 << lanes)]
    return ir.Constant(ir.ArrayType(_vector(BYTE, lanes), len(orders)), [_splat(BYTE, order) for order in orders])


@intrinsic
def part(typing, rows, ids, begin, end, feature, cut, aside):
    """Moves those of the rows ids[begin:end] whose feature is at most the cut in front of the others, in their order;
    how many these are. `rows` are flat, and `ids` are where each begins; `aside` is room for the others. What `ids` has
    from `end` on must be places of rows too."""
    signature = types.int64(rows, ids, begin, end, feature, cut, aside)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        rows, ids, begin, end, feature, cut, aside = write.arguments
        values = builder.gep(rows, [feature])
        cuts = write.spread(cut, LANES)
        behind = write.load(ids, end, LANES)  # whole vectors are written, and what they spoil is repaired
        before = builder.block
        loop, body, after = (builder.append_basic_block(name) for name in ("more", "tile", "parted"))
        builder.branch(loop)
        builder.position_at_end(loop)
        at, left, right = builder.phi(WORD), builder.phi(WORD), builder.phi(WORD)
        for phi, start in ((at, begin), (left, begin), (right, WORD(0))):
            phi.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", at, end), body, after)
        builder.position_at_end(body)
        present = write.below(builder.sub(end, at), LANES)
        which = write.load(ids, at, LANES)
        numbers = [builder.load(builder.gep(ids, [builder.add(at, WORD(lane))])) for lane in range(LANES)]
        picked = write.picked(values, [builder.zext(number, WORD) for number in numbers])
        over = builder.fcmp_ordered(">", picked, cuts)
        stay, go = builder.and_(present, builder.not_(over)), builder.and_(present, over)
        write.store(write.packed(which, stay), ids, left)
        write.store(write.packed(which, go), aside, right)
        for phi, step in ((at, WORD(LANES)), (left, write.count(stay)), (right, write.count(go))):
            phi.add_incoming(builder.add(phi, step), body)
        builder.branch(loop)
        builder.position_at_end(after)
        copy, done = builder.append_basic_block("copy"), builder.append_basic_block("copied")
        builder.cbranch(builder.icmp_signed(">", right, WORD(0)), copy, done)
        builder.position_at_end(copy)
        from_ = builder.phi(WORD)
        write.store(write.load(aside, from_, LANES), ids, builder.add(left, from_))
        following = builder.add(from_, WORD(LANES))
        from_.add_incoming(WORD(0), after)
        from_.add_incoming(following, copy)
        builder.cbranch(builder.icmp_signed("<", following, right), copy, done)
        builder.position_at_end(done)
        write.store(behind, ids, end)
        return builder.sub(left, begin)

    return signature, generate


@intrinsic
def climb(typing, rows, d, ids, begin, count, boxes, near, path, spans, depth, known, point, columns, values):
    """Sets the values beside the rows ids[begin:begin + count], which came to the same leaf, to what a tree says.

    `ids` are where a row begins in `rows`, which have zeros behind their d numbers, up to a multiple of four, as
    `point` has, the leaf's. `path` and `spans` have the nodes from the root to the leaf, which is at `depth`: where a
    node's highest values begin in `boxes`, with its lowest ones behind, or less than 0 if they are in `near`, from
    -1 - place on; and the sum of their sides. A row that equals the point is worth `known`, and another one first
    1 / (depth + 1). If it is by x outside of a node's box, summed over its features, a cut would part it from the
    node's points with the chance x / (span + x), and by that share its value moves to 1 / (depth + 1) of the node. Who
    is inside of one box is inside of all above it. Values behind the last row may be overwritten; `columns` is room for
    a vector of rows, feature by feature, where a lane is a row.
    """
    signature = types.void(rows, d, ids, begin, count, boxes, near, path, spans, depth, known, point, columns, values)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        rows, d, ids, begin, count, boxes, near, path, spans, depth, known, point, columns, values = write.arguments
        ids, values = builder.gep(ids, [begin]), builder.gep(values, [begin])
        zeros, none = _splat(REAL, [0.0] * LANES), _splat(LANE, [0] * LANES)
        fours = builder.and_(d, WORD(-UNROLLED))
        before = builder.block
        names = ("rows", "tile", "call", "turn", "met", "node", "four", "fours", "one", "ones", "summed", "done", "end")
        loop, tile, call, turn, met, node, four, more_fours, one, more_ones, summed, done, after = (
            builder.append_basic_block(name) for name in names
        )

        def part_of(level):
            return write.spread(builder.fdiv(REAL(1), builder.sitofp(builder.add(level, WORD(1)), REAL)), LANES)

        def any_of(mask):
            bits = builder.bitcast(builder.icmp_signed("<", mask, none), ir.IntType(LANES))
            return builder.icmp_unsigned("!=", bits, bits.type(0))

        def row(at):
            return builder.gep(rows, [builder.zext(builder.load(builder.gep(ids, [at])), WORD)])

        def at_most_last(at):  # lanes behind the last row have the same row once more
            return builder.select(builder.icmp_signed("<", at, last_row), at, last_row)

        last_row = builder.sub(count, WORD(1))
        known, parted, parent = write.spread(known, LANES), part_of(depth), builder.sub(depth, WORD(1))
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(WORD)
        at.add_incoming(WORD(0), before)
        builder.cbranch(builder.icmp_signed("<", at, count), tile, after)
        builder.position_at_end(tile)
        points = [row(at_most_last(builder.add(at, WORD(r)))) for r in range(LANES)]
        later = [row(builder.add(at, WORD(AHEAD + r))) for r in range(LANES)]
        builder.branch(call)
        builder.position_at_end(call)
        f = builder.phi(WORD)
        f.add_incoming(WORD(0), tile)
        for place in later:
            write.call_for(builder.gep(place, [f]))
        following = builder.add(f, WORD(LINE))
        f.add_incoming(following, call)
        builder.cbranch(builder.icmp_signed("<", following, d), call, turn)
        builder.position_at_end(turn)
        f, unlike = builder.phi(WORD), builder.phi(none.type)
        f.add_incoming(WORD(0), call)
        unlike.add_incoming(none, call)
        differs = unlike
        for lane, vector in enumerate(write.turned(points, f)):
            place = builder.add(f, WORD(lane))
            write.store(vector, columns, builder.mul(place, WORD(LANES)))
            own = write.spread(builder.load(builder.gep(point, [place])), LANES)
            differs = builder.or_(differs, builder.sext(builder.fcmp_unordered("!=", vector, own), none.type))
        following = builder.add(f, WORD(QUARTER))
        f.add_incoming(following, turn)
        unlike.add_incoming(differs, turn)
        builder.cbranch(builder.icmp_signed("<", following, d), turn, met)
        builder.position_at_end(met)
        first_value = builder.select(builder.icmp_signed("<", differs, none), parted, known)
        above = builder.icmp_signed(">", depth, WORD(0))
        builder.cbranch(builder.and_(above, any_of(differs)), node, done)
        builder.position_at_end(node)
        level, value, active = builder.phi(WORD), builder.phi(zeros.type), builder.phi(none.type)
        place = builder.load(builder.gep(path, [level]))
        inside = builder.icmp_signed("<", place, WORD(0))
        base = builder.select(inside, near, boxes)
        high = builder.gep(base, [builder.select(inside, builder.sub(WORD(-1), place), place)])
        low = builder.gep(high, [d])

        def added(total, f):
            top, bottom = (write.spread(builder.load(builder.gep(side, [f])), LANES) for side in (high, low))
            value = write.load(columns, builder.mul(f, WORD(LANES)), LANES)
            return builder.fadd(total, write.size(builder.fsub(value, write.between(value, bottom, top))))

        builder.branch(four)
        builder.position_at_end(four)
        f = builder.phi(WORD)
        sums = [builder.phi(zeros.type) for _ in range(UNROLLED)]
        builder.cbranch(builder.icmp_signed("<", f, fours), more_fours, one)
        builder.position_at_end(more_fours)
        f.add_incoming(WORD(0), node)
        f.add_incoming(builder.add(f, WORD(UNROLLED)), more_fours)
        for offset, total in enumerate(sums):
            total.add_incoming(zeros, node)
            total.add_incoming(added(total, builder.add(f, WORD(offset))), more_fours)
        builder.branch(four)
        builder.position_at_end(one)
        last, rest = builder.phi(WORD), builder.phi(zeros.type)
        last.add_incoming(f, four)
        rest.add_incoming(sums[0], four)
        builder.cbranch(builder.icmp_signed("<", last, d), more_ones, summed)
        builder.position_at_end(more_ones)
        last.add_incoming(builder.add(last, WORD(1)), more_ones)
        rest.add_incoming(added(rest, last), more_ones)
        builder.branch(one)
        builder.position_at_end(summed)
        beyond = builder.fadd(builder.fadd(rest, sums[1]), builder.fadd(sums[2], sums[3]))
        outside = builder.and_(active, builder.sext(builder.fcmp_ordered(">", beyond, zeros), none.type))
        span = write.spread(builder.load(builder.gep(spans, [level])), LANES)
        chance = builder.bitcast(builder.fdiv(beyond, builder.fadd(span, beyond)), none.type)
        chance = builder.bitcast(builder.and_(chance, outside), zeros.type)  # 0 where a row is inside
        moved = builder.fadd(value, builder.fmul(chance, builder.fsub(part_of(level), value)))
        for phi, first, following in (
            (level, parent, builder.sub(level, WORD(1))),
            (value, first_value, moved),
            (active, differs, outside),
        ):
            phi.add_incoming(first, met)
            phi.add_incoming(following, summed)
        builder.cbranch(builder.and_(builder.icmp_signed(">", level, WORD(0)), any_of(outside)), node, done)
        builder.position_at_end(done)
        result = builder.phi(zeros.type)
        result.add_incoming(first_value, met)
        result.add_incoming(moved, summed)
        write.store(result, values, at)
        at.add_incoming(builder.add(at, WORD(LANES)), done)
        builder.branch(loop)
        builder.position_at_end(after)
        return context.get_dummy_value()

    return signature, generate
