"""The two inner loops of scoring, in vectors of sixteen lanes, as no compiler finds them by itself. A lane is a row.

Boxes lie in memory without padding, and lanes behind the last row are masked. Which rows go left is given by a mask, by
which vectors are compressed: no branch depends on the data. The order of additions is written down, so that every
processor finds the same sums, whatever the width of its own vectors.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES, UNROLLED = 16, 4
AHEAD = 2 * LANES  # rows that are called for before their turn
# Places behind the end of arrays that compressed vectors are written to.
SPARE = AHEAD + LANES
BYTE, LANE, WORD, BIT, REAL = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.IntType(1), ir.FloatType()


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

    def load(self, pointer, offset, lanes, mask=None):
        """The numbers from the offset on; zero in lanes that the mask leaves out."""
        kind = REAL if "float" in str(pointer.type) else LANE
        vector = _vector(kind, lanes)
        place = self.builder.bitcast(self.builder.gep(pointer, [offset]), vector.as_pointer())
        if mask is None:
            return self.builder.load(place, align=4)
        name = f"llvm.masked.load.v{lanes}{'f' if kind is REAL else 'i'}32.p0"
        return self._call(name, vector, [place, LANE(4), mask, ir.Constant(vector, [kind(0)] * lanes)])

    def gather(self, pointer, offsets, mask):
        """The float32 numbers at these offsets, which are words."""
        lanes = offsets.type.count
        base = self.spread(self.builder.ptrtoint(pointer, WORD), lanes)
        addresses = self.builder.add(base, self.builder.shl(offsets, _splat(WORD, [2] * lanes)))
        places = self.builder.inttoptr(addresses, _vector(ir.PointerType(), lanes))
        vector = _vector(REAL, lanes)
        return self._call(
            f"llvm.masked.gather.v{lanes}f32.v{lanes}p0",
            vector,
            [places, LANE(4), mask, ir.Constant(vector, [REAL(0)] * lanes)],
        )

    def store(self, values, pointer, offset, mask=None):
        """Writes the lanes from the offset on, those of the mask."""
        vector = values.type
        place = self.builder.bitcast(self.builder.gep(pointer, [offset]), vector.as_pointer())
        if mask is None:
            self.builder.store(values, place, align=4)
        else:
            name = f"llvm.masked.store.v{vector.count}{'f' if vector.element is REAL else 'i'}32.p0"
            self._call(name, ir.VoidType(), [values, place, LANE(4), mask])

    def keep(self, values, mask, pointer, offset, count=None):
        """Writes the lanes of the mask one after another; and what follows them too, unless their count is given."""
        vector, lanes = values.type, values.type.count
        kind = "f" if vector.element is REAL else "i"
        name = f"llvm.experimental.vector.compress.v{lanes}{kind}32"
        packed = self._call(name, vector, [values, mask, _undefined(vector)])
        self.store(packed, pointer, offset, None if count is None else self.below(count, lanes))

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

    def turned(self, vectors):
        """Sixteen vectors of sixteen lanes, with rows for columns: four rounds in which two are interleaved."""
        half = LANES // 2
        lower = [lane // 2 + lane % 2 * LANES for lane in range(LANES)]
        upper = [lane + half for lane in lower]
        for _ in range(4):
            pairs = [(vectors[i], vectors[i + half]) for i in range(half)]
            vectors = [self.shuffled(a, b, order) for a, b in pairs for order in (lower, upper)]
        return vectors


@intrinsic
def part(typing, rows, stride, ids, begin, end, feature, cut, aside):
    """Moves those of the rows ids[begin:end] whose feature is at most the cut in front of the others, in their order;
    how many these are. `rows` are flat, d numbers each; `aside` is room for the others."""
    signature = types.int64(rows, stride, ids, begin, end, feature, cut, aside)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        rows, stride, ids, begin, end, feature, cut, aside = write.arguments
        widths, features = (write.spread(builder.trunc(word, LANE), LANES) for word in (stride, feature))
        cuts = write.spread(cut, LANES)
        before = builder.block
        loop, body, after = (builder.append_basic_block(name) for name in ("more", "tile", "parted"))
        builder.branch(loop)
        builder.position_at_end(loop)
        at, left, right = builder.phi(WORD), builder.phi(WORD), builder.phi(WORD)
        for phi, start in ((at, begin), (left, begin), (right, WORD(0))):
            phi.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", at, end), body, after)
        builder.position_at_end(body)
        mask = write.below(builder.sub(end, at), LANES)
        which = write.load(ids, at, LANES, mask)
        offsets = builder.zext(builder.add(builder.mul(which, widths), features), _vector(WORD, LANES))
        over = builder.fcmp_ordered(">", write.gather(rows, offsets, mask), cuts)
        stay, go = builder.and_(mask, builder.not_(over)), builder.and_(mask, over)
        stays, goes = write.count(stay), write.count(go)
        write.keep(which, stay, ids, left, stays)
        write.keep(which, go, aside, right)
        for phi, step in ((at, WORD(LANES)), (left, stays), (right, goes)):
            phi.add_incoming(builder.add(phi, step), body)
        builder.branch(loop)
        builder.position_at_end(after)
        copy, done = builder.append_basic_block("copy"), builder.append_basic_block("copied")
        builder.cbranch(builder.icmp_signed(">", right, WORD(0)), copy, done)
        builder.position_at_end(copy)
        from_ = builder.phi(WORD)
        mask = write.below(builder.sub(right, from_), LANES)
        write.store(write.load(aside, from_, LANES), ids, builder.add(left, from_), mask)
        from_.add_incoming(WORD(0), after)
        from_.add_incoming(builder.add(from_, WORD(LANES)), copy)
        builder.cbranch(builder.icmp_signed("<", builder.add(from_, WORD(LANES)), right), copy, done)
        builder.position_at_end(done)
        return builder.sub(left, begin)

    return signature, generate


@intrinsic
def climb(typing, rows, d, ids, begin, count, boxes, near, path, spans, depth, known, columns, values):
    """Sets the values beside the rows ids[begin:begin + count], which came to the same leaf, to what a tree says.

    `path` and `spans` have the nodes from the root to the leaf, which is at `depth`: where a node's highest values
    begin in `boxes`, with its lowest ones behind, or less than 0 if they are in `near`, from -1 - place on; and the
    sum of their sides. At the leaf a row is worth `known`. If it is by x outside of a node's box, summed over its
    features, a cut would part it from the node's points with the chance x / (span + x), and by that share its value
    moves to 1 / (depth + 1). Who is inside of one box is inside of all above it. Values behind the last row may be
    overwritten; `columns` is room for sixteen rows, feature by feature, where a lane is a row.
    """
    signature = types.void(rows, d, ids, begin, count, boxes, near, path, spans, depth, known, columns, values)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        rows, d, ids, begin, count, boxes, near, path, spans, depth, known, columns, values = write.arguments
        ids, values = builder.gep(ids, [begin]), builder.gep(values, [begin])
        zeros = _splat(REAL, [0.0] * LANES)
        stride = builder.and_(builder.add(d, WORD(LANES - 1)), WORD(-LANES))
        fours = builder.and_(d, WORD(-UNROLLED))
        worth = write.spread(known, LANES)
        before = builder.block
        names = ("rows", "tile", "turn", "node", "four", "fours", "one", "ones", "summed", "masked", "climbed")
        loop, tile, turn, node, four, more_fours, one, more_ones, summed, mask_ready, after = (
            builder.append_basic_block(name) for name in names
        )
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(WORD)
        at.add_incoming(WORD(0), before)
        builder.cbranch(builder.icmp_signed("<", at, count), tile, after)
        builder.position_at_end(tile)
        present = write.below(builder.sub(count, at), LANES)
        numbers = [builder.load(builder.gep(ids, [builder.add(at, WORD(r))])) for r in range(LANES)]
        coming = [builder.load(builder.gep(ids, [builder.add(at, WORD(AHEAD + r))])) for r in range(LANES)]
        points, later = (
            [builder.gep(rows, [builder.mul(builder.zext(number, WORD), stride)]) for number in group]
            for group in (numbers, coming)
        )
        builder.branch(turn)
        builder.position_at_end(turn)
        f = builder.phi(WORD)
        f.add_incoming(WORD(0), tile)
        turned = write.turned([write.load(point, f, LANES) for point in points])
        for point in later:
            write.call_for(builder.gep(point, [f]))
        for lane, vector in enumerate(turned):
            write.store(vector, columns, builder.mul(builder.add(f, WORD(lane)), WORD(LANES)))
        following = builder.add(f, WORD(LANES))
        f.add_incoming(following, turn)
        builder.cbranch(builder.icmp_signed("<", following, d), turn, node)
        builder.position_at_end(node)
        level, value, active = builder.phi(WORD), builder.phi(zeros.type), builder.phi(present.type)
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
        outside = builder.and_(active, builder.fcmp_ordered(">", beyond, zeros))
        span = write.spread(builder.load(builder.gep(spans, [level])), LANES)
        inverse = write.spread(builder.fdiv(REAL(1), builder.sitofp(builder.add(level, WORD(1)), REAL)), LANES)
        chance = builder.fdiv(beyond, builder.fadd(span, beyond))
        moved = builder.fadd(value, builder.fmul(chance, builder.fsub(inverse, value)))
        moved = builder.select(outside, moved, value)
        bits = builder.bitcast(outside, ir.IntType(LANES))
        more = builder.and_(builder.icmp_signed(">", level, WORD(0)), builder.icmp_signed("!=", bits, bits.type(0)))
        for phi, first, following in (
            (level, depth, builder.sub(level, WORD(1))),
            (value, worth, moved),
            (active, present, outside),
        ):
            phi.add_incoming(first, turn)
            phi.add_incoming(following, summed)
        builder.cbranch(more, node, mask_ready)
        builder.position_at_end(mask_ready)
        write.store(moved, values, at)
        at.add_incoming(builder.add(at, WORD(LANES)), mask_ready)
        builder.branch(loop)
        builder.position_at_end(after)
        return context.get_dummy_value()

    return signature, generate
