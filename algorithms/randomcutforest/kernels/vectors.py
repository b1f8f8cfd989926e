"""The two inner loops of scoring, in vectors of sixteen and of eight lanes, as no compiler finds them by itself.

Rows and boxes lie in memory without padding; lanes beyond an end are masked. Which lanes stay is told by a mask, by
which the vectors are compressed: no branch depends on the data. The order of additions is written down, so that every
processor finds the same sums, whatever the width of its own vectors.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES, ROWS = 16, 8
# Places behind the end of arrays that compressed vectors are written to.
SPARE = LANES
BYTE, LANE, WORD, BIT, REAL = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.IntType(1), ir.FloatType()


def _vector(kind, lanes):
    return ir.VectorType(kind, lanes)


def _filled(kind, values):
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
        return self.builder.shuffle_vector(a, b, _filled(LANE, order))

    def below(self, count, lanes):
        """The lanes whose number is less than the word."""
        least = self.builder.trunc(count, LANE)
        return self.builder.icmp_signed("<", _filled(LANE, list(range(lanes))), self.spread(least, lanes))

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
        addresses = self.builder.add(base, self.builder.shl(offsets, _filled(WORD, [2] * lanes)))
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

    def sums(self, vectors):
        """The sum of the lanes of each of eight vectors of sixteen, in eight lanes."""
        group = LANES
        while len(vectors) > 1:
            group //= 2
            lower = [start + lane for start in range(0, 2 * LANES, 2 * group) for lane in range(group)]
            upper = [lane + group for lane in lower]
            vectors = [
                self.builder.fadd(self.shuffled(a, b, lower), self.shuffled(a, b, upper))
                for a, b in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        (last,) = vectors
        even = list(range(0, LANES, 2))
        return self.builder.fadd(self.shuffled(last, last, even), self.shuffled(last, last, [i + 1 for i in even]))


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
def join(typing, ids, values, to, start, count):
    """Moves `count` rows and their values from `start` on to the front, to `to`."""
    signature = types.void(ids, values, to, start, count)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        ids, values, to, start, count = write.arguments
        before = builder.block
        loop, body, after = (builder.append_basic_block(name) for name in ("more", "tile", "joined"))
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(WORD)
        builder.cbranch(builder.icmp_signed("<", at, count), body, after)
        builder.position_at_end(body)
        mask = write.below(builder.sub(count, at), LANES)
        for array in (ids, values):
            write.store(write.load(array, builder.add(start, at), LANES), array, builder.add(to, at), mask)
        at.add_incoming(WORD(0), before)
        at.add_incoming(builder.add(at, WORD(LANES)), body)
        builder.branch(loop)
        builder.position_at_end(after)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def rise(typing, rows, d, ids, values, begin, count, boxes, high, low, span, inverse, done_ids, done_values, done):
    """Lets a node say what it means to its rows, which are ids[begin:begin + count] and have values beside them.

    A row is by x outside of the box whose highest values are boxes[high:high + d] and lowest boxes[low:low + d],
    summed over its features. Where x is 0, row and value move behind the first `done` of the done ones. Otherwise a
    cut would part it from the node's points with the chance x / (span + x), and by that share its value moves to
    `inverse`; these rows move to the front, and their number is returned.
    """
    signature = types.int64(
        rows, d, ids, values, begin, count, boxes, high, low, span, inverse, done_ids, done_values, done
    )

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        rows, d, ids, values, begin, count, boxes, high, low, span, inverse, done_ids, done_values, done = (
            write.arguments
        )
        high, low = builder.gep(boxes, [high]), builder.gep(boxes, [low])
        ids, values = builder.gep(ids, [begin]), builder.gep(values, [begin])
        spans, inverses = write.spread(span, ROWS), write.spread(inverse, ROWS)
        zero, zeros = _filled(REAL, [0.0] * LANES), _filled(REAL, [0.0] * ROWS)
        rest = builder.and_(builder.sub(d, WORD(1)), WORD(-LANES))  # where the last vector begins
        stride = builder.add(rest, WORD(LANES))
        tail = write.below(builder.sub(d, rest), LANES)
        before = builder.block
        names = ("rows", "tile", "features", "whole", "last", "risen")
        loop, tile, features, whole, last, after = (builder.append_basic_block(name) for name in names)
        builder.branch(loop)
        builder.position_at_end(loop)
        at, kept = builder.phi(WORD), builder.phi(WORD)
        builder.cbranch(builder.icmp_signed("<", at, count), tile, after)
        builder.position_at_end(tile)
        mask = write.below(builder.sub(count, at), ROWS)
        which = write.load(ids, at, ROWS, mask)
        points = [
            builder.gep(
                rows,
                [builder.mul(builder.zext(builder.load(builder.gep(ids, [builder.add(at, WORD(r))])), WORD), stride)],
            )
            for r in range(ROWS)
        ]
        builder.branch(features)
        builder.position_at_end(features)
        f = builder.phi(WORD)
        sums = [builder.phi(zero.type) for _ in points]
        builder.cbranch(builder.icmp_signed("<", f, rest), whole, last)

        def added(f, lanes_mask):
            top, bottom = (write.load(pointer, f, LANES, lanes_mask) for pointer in (high, low))
            for point, total in zip(points, sums, strict=True):
                value = write.load(point, f, LANES)
                yield builder.fadd(total, write.size(builder.fsub(value, write.between(value, bottom, top))))

        builder.position_at_end(whole)
        f.add_incoming(WORD(0), tile)
        f.add_incoming(builder.add(f, WORD(LANES)), whole)
        for total, following in zip(sums, list(added(f, None)), strict=True):
            total.add_incoming(zero, tile)
            total.add_incoming(following, whole)
        builder.branch(features)
        builder.position_at_end(last)
        beyond = write.sums(list(added(rest, tail)))
        outside = builder.fcmp_ordered(">", beyond, zeros)
        value = write.load(values, at, ROWS, mask)
        chance = builder.fdiv(beyond, builder.fadd(spans, beyond))
        moved = builder.fadd(value, builder.fmul(chance, builder.fsub(inverses, value)))
        value = builder.select(outside, moved, value)
        stay, go = builder.and_(mask, outside), builder.and_(mask, builder.not_(outside))
        stays = write.count(stay)
        write.keep(which, stay, ids, kept, stays)
        write.keep(value, stay, values, kept, stays)
        gone = builder.add(done, builder.sub(at, kept))
        write.keep(which, go, done_ids, gone)
        write.keep(value, go, done_values, gone)
        at.add_incoming(WORD(0), before)
        at.add_incoming(builder.add(at, WORD(ROWS)), last)
        kept.add_incoming(WORD(0), before)
        kept.add_incoming(builder.add(kept, stays), last)
        builder.branch(loop)
        builder.position_at_end(after)
        return kept

    return signature, generate
