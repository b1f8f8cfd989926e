"""Bits of 512 rows, in the processor's widest vectors: in LLVM's language, as no compiler finds it by itself."""

from __future__ import annotations

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

ROWS = 512  # of a block
WORDS = ROWS // 64
_WIDE = str(numba.config.CPU_NAME) == "x86-64-v4"  # whether a vector of 16 numbers can be indexed by another

BYTE, LANE, WORD, REAL = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
BYTES, BITS, WIDE = ir.VectorType(BYTE, 64), ir.VectorType(ir.IntType(1), 64), ir.VectorType(WORD, WORDS)
LANES, REALS = ir.VectorType(LANE, 16), ir.VectorType(REAL, 16)


def _data(context, builder, signature, arguments):
    """Pointers to the numbers of arrays; other arguments as 64-bit numbers."""
    return [
        context.make_array(kind)(context, builder, value).data
        if isinstance(kind, types.Array)
        else context.cast(builder, value, kind, types.int64)
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def _at(builder, pointer, offset, kind):
    return builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())


def _splat(builder, value, kind, lanes):
    vector = ir.VectorType(kind, lanes)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, LANE(0))
    order = ir.Constant(ir.VectorType(LANE, lanes), [0] * lanes)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), order)


def _lookup(builder, table, first, number, count):
    """table[first + number], of each of 16 numbers below `count` from 16 on; their lowest bits where count is 16."""
    if not _WIDE:
        result = ir.Constant(REALS, ir.Undefined)
        for lane in range(16):
            place = builder.add(first, builder.zext(builder.extract_element(number, LANE(lane)), WORD))
            result = builder.insert_element(result, builder.load(builder.gep(table, [place])), LANE(lane))
        return result
    parts = [
        builder.load(_at(builder, table, builder.add(first, WORD(16 * i)), REALS), align=4) for i in range(count // 16)
    ]
    permute = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(REALS, [REALS, LANES, REALS]), "llvm.x86.avx512.vpermi2var.ps.512"
    )
    parts = parts * 2 if count == 16 else parts
    vectors = [builder.call(permute, [low, number, high]) for low, high in zip(parts[::2], parts[1::2], strict=True)]
    bit = 32
    while len(vectors) > 1:
        apart = builder.and_(number, ir.Constant(LANES, [bit] * 16))
        upper = builder.icmp_unsigned("!=", apart, ir.Constant(LANES, [0] * 16))
        vectors = [builder.select(upper, high, low) for low, high in zip(vectors[::2], vectors[1::2], strict=True)]
        bit *= 2
    return vectors[0]


@intrinsic
def encode(typing, rows, at, d, tables, first, codes, above, below):
    """Sets codes[above:above + 64] and codes[below:below + 64] to how many of 255 thresholds are at or below
    rows[at], rows[at + d] and so on; for what is missing to 255 there and 0 here.

    tables[first:first + 256] has the thresholds as a search meets them: number 1, then 2 or 3, then from 4 to 7.
    """
    signature = types.void(rows, at, d, tables, first, codes, above, below)

    def generate(context, builder, signature, arguments):
        rows, at, d, tables, first, codes, above, below = _data(context, builder, signature, arguments)
        one = ir.Constant(LANES, [1] * 16)
        for part in range(4):
            value = ir.Constant(REALS, ir.Undefined)
            for lane in range(16):
                place = builder.add(at, builder.mul(d, WORD(16 * part + lane)))
                value = builder.insert_element(value, builder.load(builder.gep(rows, [place])), LANE(lane))
            number = one
            for level in range(8):
                begin = 0 if level < 4 else 1 << level
                base = builder.add(first, WORD(begin))
                number_here = builder.sub(number, ir.Constant(LANES, [begin] * 16))
                probe = _lookup(builder, tables, base, number_here, max(16, begin))
                over = builder.fcmp_ordered("<=", probe, value)
                number = builder.add(builder.add(number, number), builder.zext(over, LANES))
            small = ir.VectorType(BYTE, 16)
            code = builder.trunc(number, small)  # 256 and the count
            missing = builder.fcmp_unordered("uno", value, value)
            high = builder.select(missing, ir.Constant(small, [255] * 16), code)
            for to, what in ((above, high), (below, code)):
                builder.store(what, _at(builder, codes, builder.add(to, WORD(16 * part)), small), align=1)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def compare(typing, codes, at, least, masks, to):
    """Sets masks[to:to + 8] to a bit for each of codes[at:at + 512]: whether it is `least` or more."""
    signature = types.void(codes, at, least, masks, to)

    def generate(context, builder, signature, arguments):
        codes, at, least, masks, to = _data(context, builder, signature, arguments)
        bound = _splat(builder, builder.trunc(least, BYTE), BYTE, 64)
        for word in range(WORDS):
            here = _at(builder, codes, builder.add(at, WORD(64 * word)), BYTES)
            over = builder.icmp_unsigned(">=", builder.load(here, align=1), bound)
            builder.store(builder.bitcast(over, WORD), builder.gep(masks, [builder.add(to, WORD(word))]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def choose(typing, levels, by, masks, zeros, ones, to):
    """Sets masks[to:to + 8] to the bits from `ones` on where those of levels[by:by + 8] are set, else from `zeros`."""
    signature = types.void(levels, by, masks, zeros, ones, to)

    def generate(context, builder, signature, arguments):
        levels, by, masks, zeros, ones, to = _data(context, builder, signature, arguments)
        bits = builder.load(_at(builder, levels, by, WIDE), align=8)
        zero = builder.load(_at(builder, masks, zeros, WIDE), align=8)
        one = builder.load(_at(builder, masks, ones, WIDE), align=8)
        chosen = builder.xor(zero, builder.and_(bits, builder.xor(zero, one)))
        builder.store(chosen, _at(builder, masks, to, WIDE), align=8)
        return context.get_dummy_value()

    return signature, generate


def _numbers(builder, levels, word, depth):
    """The numbers <64 x i8> that the bits of `depth` levels spell, the first the highest."""
    number = ir.Constant(BYTES, [0] * 64)
    for level in range(depth):
        bits = builder.bitcast(builder.load(builder.gep(levels, [WORD(level * WORDS + word)])), BITS)
        worth = ir.Constant(BYTES, [1 << (depth - 1 - level)] * 64)
        number = builder.or_(number, builder.select(bits, worth, ir.Constant(BYTES, [0] * 64)))
    return number


@intrinsic
def index(typing, levels, indices):
    """Sets indices (512,) uint8 to the numbers that the bits of eight levels spell."""
    signature = types.void(levels, indices)

    def generate(context, builder, signature, arguments):
        levels, indices = _data(context, builder, signature, arguments)
        for word in range(WORDS):
            number = _numbers(builder, levels, word, 8)
            builder.store(number, _at(builder, indices, WORD(64 * word), BYTES), align=1)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def look_up(typing, levels, values, first, total, at):
    """Adds to total[at:at + 512] those of values[first:first + 64] whose numbers the bits of six levels spell."""
    signature = types.void(levels, values, first, total, at)

    def generate(context, builder, signature, arguments):
        levels, values, first, total, at = _data(context, builder, signature, arguments)
        for word in range(WORDS):
            number = _numbers(builder, levels, word, 6)
            for part in range(4):
                order = ir.Constant(LANES, list(range(16 * part, 16 * part + 16)))
                some = builder.shuffle_vector(number, ir.Constant(BYTES, ir.Undefined), order)
                place = builder.zext(some, LANES)
                value = _lookup(builder, values, first, place, 64)
                here = _at(builder, total, builder.add(at, WORD(64 * word + 16 * part)), REALS)
                sum_ = builder.fadd(builder.load(here, align=4), value)
                builder.store(sum_, here, align=4)
        return context.get_dummy_value()

    return signature, generate
