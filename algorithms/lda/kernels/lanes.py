"""Steps of expectation maximization of a document in SIMD vectors, whose lanes are its words.

l = `LANES`   w numbers of a topic's row, a multiple of l

A panel holds the topics' probabilities of `ENTRIES` words of a document, topic by topic, so that a vector has those of
l words: sums over topics stay within a lane, and no vector is filled up with topics that there are not.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.lanes import transposed
from algoport.algorithms.shared.linalg.simd import LANES

VECTORS = 2
ENTRIES = VECTORS * LANES  # of a panel
WORD, LANE, REAL, BIT = ir.IntType(64), ir.IntType(32), ir.FloatType(), ir.IntType(1)
REALS, INTS, BITS = (ir.VectorType(kind, LANES) for kind in (REAL, LANE, BIT))
ZERO = ir.Constant(REALS, [0.0] * LANES)


def _data(context: Any, builder: Any, kinds: Any, arguments: Any) -> list[Any]:
    """The arguments, arrays as pointers to their numbers."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(kinds, arguments, strict=True)
    ]


def _at(builder: Any, pointer: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [offset]), REALS.as_pointer())


def _load(builder: Any, pointer: Any, offset: Any) -> Any:
    return builder.load(_at(builder, pointer, offset), align=4)


def _spread(builder: Any, number: Any) -> Any:
    one = builder.insert_element(ir.Constant(REALS, ir.Undefined), number, LANE(0))
    return builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * LANES))


def _sum(builder: Any, vector: Any) -> Any:
    """Of a vector's lanes."""
    by = LANES // 2
    while by:
        order = ir.Constant(INTS, [(lane + by) % LANES for lane in range(LANES)])
        vector = builder.fadd(vector, builder.shuffle_vector(vector, vector, order))
        by //= 2
    return builder.extract_element(vector, LANE(0))


def _sums(builder: Any, vectors: list[Any]) -> Any:
    """The sum of each of as many vectors as lanes, one a lane; half of the transposition that it needs is left out."""
    step = LANES // 2
    while step:
        one = [lane if not lane & step else LANES + lane - step for lane in range(LANES)]
        other = [lane + step if not lane & step else LANES + lane for lane in range(LANES)]
        vectors = [
            builder.fadd(*(builder.shuffle_vector(a, b, ir.Constant(INTS, order)) for order in (one, other)))
            for a, b in zip(vectors[:step], vectors[step:], strict=True)
        ]
        step //= 2
    return vectors[0]


def _fma(builder: Any) -> Any:
    kind = ir.FunctionType(REALS, [REALS] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")


def _loop(builder: Any, count: Any, step: int, sums: int) -> Any:
    """Begins a loop over every `step`-th number below `count`, which is at least one: the number, as many sums, which
    begin with zero, and what ends it, given their next values."""
    before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    j, phis = builder.phi(WORD), [builder.phi(REALS) for _ in range(sums)]

    def end(following: list[Any]) -> None:
        coming = builder.add(j, WORD(step))
        here = builder.block
        for phi, first, next_ in ((j, WORD(0), coming), *((p, ZERO, n) for p, n in zip(phis, following, strict=True))):
            phi.add_incoming(first, before)
            phi.add_incoming(next_, here)
        builder.cbranch(builder.icmp_signed("<", coming, count), loop, after)
        builder.position_at_end(after)

    return j, phis, end


@intrinsic
def gather(typing, topics, w, words, first, last, panel, place):
    """Sets a panel, which begins at `place`, to the rows of the words from number `first` on; behind `last` they are
    its row again."""
    signature = types.void(topics, w, words, first, last, panel, place)

    def generate(context, builder, signature, arguments):
        topics, w, words, first, last, panel, place = _data(context, builder, signature.args, arguments)

        def row(lane: int) -> Any:
            number = builder.add(first, WORD(lane))
            number = builder.select(builder.icmp_signed("<", number, last), number, last)
            word = builder.sext(builder.load(builder.gep(words, [number])), WORD)
            return builder.gep(topics, [builder.mul(word, w)])

        for vector in range(VECTORS):
            rows = [row(vector * LANES + lane) for lane in range(LANES)]
            j, _, end = _loop(builder, w, LANES, 0)
            for topic, column in enumerate(transposed(builder, [_load(builder, line, j) for line in rows])):
                line = builder.mul(builder.add(j, WORD(topic)), WORD(ENTRIES))
                at = builder.add(builder.add(place, line), WORD(vector * LANES))
                builder.store(column, _at(builder, panel, at), align=4)
            end([])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def weigh(typing, panel, place, k, mixture, values, first, least, ratios, expected, more):
    """Sets ratios[first:] to the values over the mixture's probabilities of a panel's words, 0 where these are not
    above `least`; and, where `more` is not 0, adds the products of its rows with these to `expected` (w, l), lane by
    lane. k must be even."""
    signature = types.void(panel, place, k, mixture, values, first, least, ratios, expected, more)

    def generate(context, builder, signature, arguments):
        panel, place, k, mixture, values, first, least, ratios, expected, more = _data(
            context, builder, signature.args, arguments
        )
        fma, own = _fma(builder), builder.gep(panel, [place])

        def entry(topic: Any, vector: int) -> Any:
            return _load(builder, own, builder.add(builder.mul(topic, WORD(ENTRIES)), WORD(vector * LANES)))

        # Two sums a vector, of every second topic: one would wait for itself.
        j, sums, end = _loop(builder, k, 2, 2 * VECTORS)
        following = list(sums)
        for odd in range(2):
            topic = builder.add(j, WORD(odd))
            share = _spread(builder, builder.load(builder.gep(mixture, [topic])))
            for vector in range(VECTORS):
                at = odd * VECTORS + vector
                following[at] = builder.call(fma, [share, entry(topic, vector), sums[at]])
        end(following)
        quotients = []
        for vector in range(VECTORS):
            probability = builder.fadd(following[vector], following[VECTORS + vector])
            at = builder.add(first, WORD(vector * LANES))
            ratio = builder.fdiv(_load(builder, values, at), probability)
            large = builder.fcmp_ordered(">", probability, _spread(builder, least))
            quotients.append(builder.select(large, ratio, ZERO))
            builder.store(quotients[-1], _at(builder, ratios, at), align=4)
        with builder.if_then(builder.icmp_signed("!=", more, WORD(0))):
            j, _, end = _loop(builder, k, 1, 0)
            at = builder.mul(j, WORD(LANES))
            total = _load(builder, expected, at)
            for vector, ratio in enumerate(quotients):
                total = builder.call(fma, [ratio, entry(j, vector), total])
            builder.store(total, _at(builder, expected, at), align=4)
            end([])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def advance(typing, expected, w, prior, tolerance, mixture):
    """Sets the mixture (w,) to itself times the sums of the lanes of `expected` (w, l), and the prior; `expected` to 0.
    How much it changed, less the tolerance times its sum."""
    signature = types.float32(expected, w, prior, tolerance, mixture)

    def generate(context, builder, signature, arguments):
        expected, w, prior, tolerance, mixture = _data(context, builder, signature.args, arguments)
        size = cgutils.get_or_insert_function(builder.module, ir.FunctionType(REALS, [REALS]), f"llvm.fabs.v{LANES}f32")
        j, (beyond,), end = _loop(builder, w, LANES, 1)
        first = builder.mul(j, WORD(LANES))
        places = [builder.add(first, WORD(topic * LANES)) for topic in range(LANES)]
        counts = _sums(builder, [_load(builder, expected, place) for place in places])
        for place in places:
            builder.store(ZERO, _at(builder, expected, place), align=4)
        old = _load(builder, mixture, j)
        new = builder.call(_fma(builder), [old, counts, _load(builder, prior, j)])
        builder.store(new, _at(builder, mixture, j), align=4)
        change = builder.call(size, [builder.fsub(new, old)])
        allowed = builder.fmul(_spread(builder, tolerance), new)
        following = builder.fadd(beyond, builder.fsub(change, allowed))
        end([following])
        return _sum(builder, following)

    return signature, generate
