"""Products of 8-bit codes in tiles of registers, four of each lane at a step.    q = numbers of a row / 4, rounded up

They are multiplied by the instruction for neural networks that processors have since 2019 (VNNI). LLVM selects it only
for processors that it is told have it, and compiled kernels are one for all of a level; so it stands here as assembly.
Whoever calls such a tile must know that the processor has it. The others add the products of two neighbors in 16 bits,
and those sums in 32: three instructions where VNNI has one, and twice what products of float32 get done. Codes of a row
must then be at most `HALF`. Elsewhere than on x86-64 all are multiplied plainly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.lanes import _data, _spread, _vector_at
from algoport.algorithms.shared.linalg.simd import LANES

binding.initialize_native_asmparser()

HEIGHT = 12 if LANES == 16 else 6  # rows of a tile; times two vectors they take 24 of 32 registers, or 12 of 16
WIDTH = 2 * LANES  # words of a panel
BLOCK = 64  # words whose largest logit is looked at before they are
SPAN = 4 * BLOCK  # words whose logits are there at a time
ROWS = HEIGHT * (24 // HEIGHT)  # of a task
THIRD = HEIGHT // 3
FULL, HALF = 127, 64  # the largest code of a row: 2 * 255 * 64 is less than 2^15
# The instructions, by the width of a vector: words' codes without a sign, a row's with one.
_ASSEMBLY = {
    16: ("vpdpbusd $2, $1, $0", "=v,v,v,0"),
    8: ("{vex} vpdpbusd $2, $1, $0", "=x,x,x,0"),
}
_PAIRS = {
    16: ("llvm.x86.avx512.pmaddubs.w.512", "llvm.x86.avx512.pmaddw.d.512"),
    8: ("llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd"),
}
BYTE, SHORT, WORD, LANE, REAL = ir.IntType(8), ir.IntType(16), ir.IntType(64), ir.IntType(32), ir.FloatType()
REALS, INTS = ir.VectorType(REAL, LANES), ir.VectorType(LANE, LANES)
BYTES, SHORTS = ir.VectorType(BYTE, 4 * LANES), ir.VectorType(SHORT, 2 * LANES)


def _at_once(builder, words, codes, sums):
    """sums + the four products of each lane, by the one instruction for it."""
    if LANES not in _ASSEMBLY:
        return _plainly(builder, words, codes, sums)
    assembly = ir.InlineAsm(ir.FunctionType(INTS, [INTS] * 3), *_ASSEMBLY[LANES])
    return builder.call(assembly, [words, codes, sums])


def _by_pairs(builder, words, codes, sums):
    """The same by sums of two products in 16 bits, for codes up to `HALF`."""
    if LANES not in _PAIRS:
        return _plainly(builder, words, codes, sums)
    bytes_to_shorts, shorts_to_ints = (
        cgutils.get_or_insert_function(builder.module, ir.FunctionType(to, [of, of]), name)
        for name, of, to in zip(_PAIRS[LANES], (BYTES, SHORTS), (SHORTS, INTS), strict=True)
    )
    twos = builder.call(bytes_to_shorts, [builder.bitcast(each, BYTES) for each in (words, codes)])
    return builder.add(sums, builder.call(shorts_to_ints, [twos, ir.Constant(SHORTS, [1] * SHORTS.count)]))


def _plainly(builder, words, codes, sums):
    """The same, number by number."""
    for place in range(4):
        up = ir.Constant(INTS, [24 - 8 * place] * LANES)
        down = ir.Constant(INTS, [24] * LANES)
        one = builder.lshr(builder.shl(words, up), down)
        sums = builder.add(sums, builder.mul(one, builder.ashr(builder.shl(codes, up), down)))
    return sums


def _tile_of(height: int, multiplied: Callable[..., Any]) -> Any:
    """An intrinsic that sets the logits of `height` rows and a panel of words."""

    @intrinsic
    def tile(typing, codes, at, starts, factors, row, panels, begin, depth, scales, bias, word, out, place):
        signature = types.void(codes, at, starts, factors, row, panels, begin, depth, scales, bias, word, out, place)

        def generate(context, builder, signature, arguments):
            codes, at, starts, factors, row, panels, begin, depth, scales, bias, word, out, place = _data(
                context, builder, signature, arguments
            )
            left, right = builder.gep(codes, [at]), builder.gep(panels, [begin])
            first = [_spread(builder, builder.load(_at(builder, starts, row, r)), INTS) for r in range(height)]
            before, loop = builder.block, builder.append_basic_block("steps")
            after = builder.append_basic_block("summed")
            builder.branch(loop)
            builder.position_at_end(loop)
            step = builder.phi(WORD)
            step.add_incoming(WORD(0), before)
            sums = [[builder.phi(INTS) for _ in range(2)] for _ in range(height)]
            from_right = builder.mul(step, WORD(WIDTH))
            words = [
                builder.load(_vector_at(builder, right, builder.add(from_right, WORD(v * LANES)), INTS), align=4)
                for v in range(2)
            ]
            for r, pair in enumerate(sums):
                offset = builder.add(builder.mul(depth, WORD(r)), step)
                four = _spread(builder, builder.load(builder.gep(left, [offset])), INTS)
                for v in range(2):
                    pair[v].add_incoming(first[r], before)
                    pair[v].add_incoming(multiplied(builder, words[v], four, pair[v]), loop)
            following = builder.add(step, WORD(1))
            step.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            own = [
                [builder.load(_vector_at(builder, of, builder.add(word, WORD(v * LANES))), align=4) for v in range(2)]
                for of in (scales, bias)
            ]
            for r, pair in enumerate(sums):
                factor = _spread(builder, builder.load(_at(builder, factors, row, r)), REALS)
                for v in range(2):
                    total = builder.sitofp(pair[v].incomings[1][0], REALS)
                    logit = builder.fadd(builder.fmul(builder.fmul(total, factor), own[0][v]), own[1][v])
                    offset = builder.add(place, WORD(r * SPAN + v * LANES))
                    builder.store(logit, _vector_at(builder, out, offset), align=4)
            return context.get_dummy_value()

        return signature, generate

    return tile


def _at(builder, pointer, place, number):
    return builder.gep(pointer, [builder.add(place, WORD(number))])


@intrinsic
def largest(typing, line, at):
    """The largest of the BLOCK numbers line[at:], none of which is NaN."""
    signature = types.float32(line, at)

    def generate(context, builder, signature, arguments):
        line, at = _data(context, builder, signature, arguments)
        every = [
            builder.load(_vector_at(builder, line, builder.add(at, WORD(place))), align=4)
            for place in range(0, BLOCK, LANES)
        ]

        def larger(one, two):
            return builder.select(builder.fcmp_ordered(">", one, two), one, two)

        while len(every) > 1:
            every = [larger(*pair) for pair in zip(every[::2], every[1::2], strict=True)]
        (most,) = every
        by = LANES // 2
        while by:
            order = ir.Constant(INTS, [(lane + by) % LANES for lane in range(LANES)])
            most = larger(most, builder.shuffle_vector(most, most, order))
            by //= 2
        return builder.extract_element(most, LANE(0))

    return signature, generate


high, middle, low = (_tile_of(height, _at_once) for height in (HEIGHT, 2 * THIRD, THIRD))
high_of_pairs, middle_of_pairs, low_of_pairs = (_tile_of(height, _by_pairs) for height in (HEIGHT, 2 * THIRD, THIRD))
