"""Steps by gradients, all candidates at once.    d features   c columns

Weights are numbers in a row, whatever feature and column they belong to; what differs from column to column comes as
a pattern that begins anew after every c of them.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from algoport.algorithms.linear_learner.kernels.writing import WORD, Writer, apart
from algoport.algorithms.shared.linalg.simd import LANES

SGD, ADAM, RMSPROP = range(3)
EPSILON = 1e-8  # beside the root of the second moment
CHUNK = 1 << 13  # numbers of one thread's turn, a multiple of LANES


def _sgd(weight, first, second, slope, rate, constants):
    """Momentum: first <- momentum * first + slope (Sutskever et al., ICML 2013, but for where the rate stands)."""
    first = slope.plus(first, constants[0])
    return rate * first, rate * constants[2], first, second


def _adam(weight, first, second, slope, rate, constants):
    """Kingma and Ba, ICLR 2015, algorithm 1; constants[2] and constants[3] correct the moments' start from zero."""
    first = first + (slope - first) * constants[4]
    second = second + (slope * slope - second) * constants[5]
    pace = rate / ((second * constants[3]).root() + EPSILON)
    return pace * (first * constants[2]), pace, first, second


def _rmsprop(weight, first, second, slope, rate, constants):
    """Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5."""
    second = second + (slope * slope - second) * constants[5]
    pace = rate / (second.root() + EPSILON)
    return pace * slope, pace, first, second


def _step_of(rule):
    """An intrinsic that moves the weights from first to last."""

    @intrinsic
    def step(typing, weights, firsts, seconds, means, gradient, first, last, rates, decays, norms, c, terms, inverse,
             share):  # fmt: skip
        signature = types.void(
            weights, firsts, seconds, means, gradient, first, last, rates, decays, norms, c, terms, inverse, share
        )

        def generate(context, builder, signature, arguments):
            write = Writer(context, builder, signature, arguments)
            (weights, firsts, seconds, means, gradient, first, last, rates, decays, norms, c, terms, inverse,
             share) = write.arguments  # fmt: skip
            facts = [write.vector(builder.load(write.place(terms, WORD(i)))) for i in range(6)]
            inverse, share = write.vector(inverse), write.vector(share)

            def moved(i, _):
                some = write.below(builder.sub(last, i))
                column = builder.urem(i, c)
                rate, decay, norm = (write.load(array, column) for array in (rates, decays, norms))
                weight, one, two, mean, slope = (
                    write.load_some(array, i, some) for array in (weights, firsts, seconds, means, gradient)
                )
                slope = (slope * inverse).plus(decay, weight)
                by, pace, one, two = rule(weight, one, two, slope, rate, facts)
                weight = weight - by
                most = pace * norm
                within = weight.max(-most)
                within = most.where(within.above(most), within)
                weight = weight - within
                mean = mean.plus(share, weight - mean)
                # The weights last: where no mean is wanted, its place is theirs.
                for vector, array in ((mean, means), (one, firsts), (two, seconds), (weight, weights)):
                    write.store_some(vector, array, i, some)
                return []

            write.loop(first, last, LANES, [], moved)
            return write.nothing

        return signature, generate

    return step


_by_sgd, _by_adam, _by_rmsprop = _step_of(_sgd), _step_of(_adam), _step_of(_rmsprop)


@numba.njit(nogil=True, cache=True)
def pattern(values, c, factor):
    """(c + LANES,) float32: the value (m,) of every column, times a factor, and as many again as a vector reaches."""
    k = c // len(values)
    result = np.empty(c + LANES, np.float32)
    for j in range(c + LANES):
        result[j] = values[j % c // k] * factor
    return result


@numba.njit(nogil=True, cache=True)
def rule_factors(step, rule, beta_1, beta_2):
    """What the rules need besides, in the order of their use above."""
    facts = np.zeros(6, np.float32)
    facts[0] = beta_1
    if rule == SGD:
        facts[2] = 1 / max(1 - beta_1, 1e-8)
    elif rule == ADAM:
        facts[2] = 1 / max(1 - beta_1**step, 1e-8)
        facts[3] = 1 / max(1 - beta_2**step, 1e-8)
    facts[4], facts[5] = 1 - beta_1, 1 - beta_2
    return facts


@numba.njit(nogil=True, cache=True)
def move(
    weights,  # sets (d * c,) float32
    firsts,  # sets (d * c,) float32  first moments
    seconds,  # sets (d * c,) float32  second moments
    means,  # sets (d * c,) float32  moves towards the weights by `share`
    gradient,  # in   (d * c,) float32  sums
    first,  # in   int64  the first weight
    last,  # in   int64  behind the last weight
    rates,  # in   (c + LANES,) float32  see `pattern`
    decays,  # in   (c + LANES,) float32
    norms,  # in   (c + LANES,) float32
    c,  # in   int64  columns
    facts,  # in   (6,) float32  see `rule_factors`
    inverse,  # in   float64  1 / the weight of the rows
    share,  # in   float64  of the way to the weights
    rule,  # in   int64  SGD, ADAM or RMSPROP
):
    """Moves the weights from first to last, their moments and their means."""
    apart()
    if rule == SGD:
        _by_sgd(weights, firsts, seconds, means, gradient, first, last, rates, decays, norms, c, facts, inverse, share)
    elif rule == ADAM:
        _by_adam(weights, firsts, seconds, means, gradient, first, last, rates, decays, norms, c, facts, inverse, share)
    else:
        _by_rmsprop(
            weights, firsts, seconds, means, gradient, first, last, rates, decays, norms, c, facts, inverse, share
        )


@numba.njit(nogil=True, cache=True)
def move_bias(
    bias,  # sets (c,) float32
    firsts,  # sets (c,) float32  first moments
    seconds,  # sets (c,) float32  second moments
    means,  # sets (c,) float32  moves towards the bias by `share`
    gradient,  # in   (c,) float32  sums
    rates,  # in   (m,) float64
    decays,  # in   (m,) float64
    step,  # in   int64  the number of this step, from 1 on
    rule,  # in   int64  SGD, ADAM or RMSPROP
    beta_1,  # in   float64
    beta_2,  # in   float64
    inverse,  # in   float64  1 / the weight of the rows
    share,  # in   float64  of the way to the weights
    rate_by,  # in   float64  how many times the rates
    decay_by,  # in   float64  how many times the decays
):
    """Moves the bias; nothing draws it to zero but `decay_by`."""
    c, facts = len(bias), rule_factors(step, rule, beta_1, beta_2)
    none = np.zeros(c + LANES, np.float32)
    move(bias, firsts, seconds, means, gradient, 0, c, pattern(rates, c, rate_by), pattern(decays, c, 2 * decay_by),
         none, c, facts, inverse, share, rule)  # fmt: skip


@numba.njit(nogil=True, cache=True)
def serial(
    weights,  # sets (d * c,) float32
    firsts,  # sets (d * c,) float32  first moments
    seconds,  # sets (d * c,) float32  second moments
    means,  # sets (d * c,) float32  moves towards the weights by `share`
    gradient,  # in   (d * c,) float32  sums
    c,  # in   int64  columns
    learning_rates,  # in   (m,) float64
    wd,  # in   (m,) float64
    l1,  # in   (m,) float64
    step,  # in   int64  the number of this step, from 1 on
    rule,  # in   int64  SGD, ADAM or RMSPROP
    beta_1,  # in   float64
    beta_2,  # in   float64
    inverse,  # in   float64  1 / the weight of the rows
    share,  # in   float64  of the way to the weights
):
    """As `parallel`, on one thread."""
    facts = rule_factors(step, rule, beta_1, beta_2)
    rates, decays, norms = pattern(learning_rates, c, 1.0), pattern(wd, c, 2.0), pattern(l1, c, 1.0)
    move(weights, firsts, seconds, means, gradient, 0, len(weights), rates, decays, norms, c, facts, inverse, share,
         rule)  # fmt: skip


@numba.njit(parallel=True, nogil=True, cache=True)
def parallel(
    weights,  # sets (d * c,) float32
    firsts,  # sets (d * c,) float32  first moments
    seconds,  # sets (d * c,) float32  second moments
    means,  # sets (d * c,) float32  moves towards the weights by `share`
    gradient,  # in   (d * c,) float32  sums
    c,  # in   int64  columns
    learning_rates,  # in   (m,) float64
    wd,  # in   (m,) float64
    l1,  # in   (m,) float64
    step,  # in   int64  the number of this step, from 1 on
    rule,  # in   int64  SGD, ADAM or RMSPROP
    beta_1,  # in   float64
    beta_2,  # in   float64
    inverse,  # in   float64  1 / the weight of the rows
    share,  # in   float64  of the way to the weights
):
    """Moves all weights."""
    facts = rule_factors(step, rule, beta_1, beta_2)
    rates, decays, norms = pattern(learning_rates, c, 1.0), pattern(wd, c, 2.0), pattern(l1, c, 1.0)
    for part in numba.prange((len(weights) + CHUNK - 1) // CHUNK):
        first = part * CHUNK
        last = min(len(weights), first + CHUNK)
        move(weights, firsts, seconds, means, gradient, first, last, rates, decays, norms, c, facts, inverse, share,
             rule)  # fmt: skip
