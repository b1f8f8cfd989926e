"""The losses and their derivatives, many scores at once.

With e = s - y for a score s and a target y. For two classes y is 0 or 1.
"""

from __future__ import annotations

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from algoport.algorithms.linear_learner.kernels import layout
from algoport.algorithms.linear_learner.kernels.writing import INTS, LANE, WORD, Writer, apart
from algoport.algorithms.shared.linalg.simd import LANES

BLOCK = 96  # rows of a partial sum

LOGISTIC, HINGE, SQUARED, ABSOLUTE, EPS_SQUARED, EPS_ABSOLUTE, QUANTILE, HUBER, SOFTMAX = range(9)


# Each of these returns loss and derivative for vectors of scores, targets and the loss's parameter.


def _logistic(s, y, p):
    """Cross entropy of 1 / (1 + exp(-s)), from exp(-|s|), which cannot overflow."""
    small = s.where((-s).above(s), -s).exp()
    loss = (s.max(0) - y * s) + small.log_of_one_and()
    above = s.writer.vector(1).where(s.above(0), small)
    return loss, above / (small + 1) - y


def _hinge(s, y, p):
    """Zero from a distance of margin / 2 to 1/2 on, on the right side."""
    up, down = (p + 1) * 0.5 - s, (p - 1) * 0.5 + s
    zero, one = s.writer.vector(0), s.writer.vector(1)
    positive = y.above(0.5)
    slope = zero.where(positive, one.where(down.above(0), zero)) - one.where(up.above(0), zero) * y
    return up.max(0).where(positive, down.max(0)), slope


def _squared_loss(s, y, p):
    error = s - y
    return error * error, error + error


def _absolute(s, y, p):
    error = s - y
    return error.size(), _sign(error)


def _insensitive_squared(s, y, p):
    """e^2 - p^2 beyond p."""
    error = s - y
    zero, far = s.writer.vector(0), error.size().beyond(p)
    return (error * error - p * p).where(far, zero), (error + error).where(far, zero)


def _insensitive_absolute(s, y, p):
    """|e| - p beyond p."""
    error = s - y
    zero, far = s.writer.vector(0), error.size().beyond(p)
    return (error.size() - p).where(far, zero), _sign(error).where(far, zero)


def _quantile(s, y, p):
    """p |e| where the score is too low, (1 - p) |e| where it is too high."""
    error = s - y
    zero, low, high = s.writer.vector(0), -p, -(p - 1)
    slope = high.where(error.above(0), low.where((-error).above(0), zero))
    return slope * error, slope


def _huber(s, y, p):
    """e^2 / 2 up to p, then as straight as there."""
    error = s - y
    far = error.size().above(p)
    straight = p * error.size() - p * p * 0.5
    return straight.where(far, error * error * 0.5), (_sign(error) * p).where(far, error)


def _sign(error):
    one, zero = error.writer.vector(1), error.writer.vector(0)
    return one.where(error.above(0), (-one).where((-error).above(0), zero))


def _slopes_of(formula, *, many_rows: bool):
    """An intrinsic that turns a vector of scores into weighted derivatives, and adds these and the losses to sums.

    The scores are those of one row in many columns, or in one column of many rows; then there are as many targets.
    """

    @intrinsic
    def slopes(typing, scores, at, targets, row, weights, one, factors, factor, parameter, sums, losses, column):
        signature = types.void(scores, at, targets, row, weights, one, factors, factor, parameter, sums, losses, column)

        def generate(context, builder, signature, arguments):
            write = Writer(context, builder, signature, arguments)
            scores, at, targets, row, weights, one, factors, factor, parameter, sums, losses, column = write.arguments

            def given(array, index):
                if many_rows:
                    return write.load(array, index)
                return write.vector(builder.load(write.place(array, index)))

            score, target = write.load(scores, at), given(targets, row)
            weight = given(weights, one)
            if not many_rows:
                weight = weight * write.load(factors, factor)
            loss, slope = formula(score, target, write.vector(parameter))
            slope = slope * weight
            write.store(slope, scores, at)
            write.add(slope, sums, column)
            write.add(loss * weight, losses, column)
            return write.nothing

        return signature, generate

    return slopes


_FORMULAS = (
    _logistic,
    _hinge,
    _squared_loss,
    _absolute,
    _insensitive_squared,
    _insensitive_absolute,
    _quantile,
    _huber,
)
_0, _1, _2, _3, _4, _5, _6, _7 = (_slopes_of(formula, many_rows=False) for formula in _FORMULAS)
_r0, _r1, _r2, _r3, _r4, _r5, _r6, _r7 = (_slopes_of(formula, many_rows=True) for formula in _FORMULAS)


@intrinsic
def _softmax_side_by_side(typing, scores, at, label, weight, factors, inner, k, sums, losses):
    """Of one row whose scores lie class by class, `inner` candidates each."""
    signature = types.void(scores, at, label, weight, factors, inner, k, sums, losses)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        scores, at, label, weight, factors, inner, k, sums, losses = write.arguments
        scores = write.place(scores, at)
        own = builder.mul(label, inner)

        def candidates(v, _):
            line, total = write.place(scores, v), write.place(sums, v)

            def higher(j, top):
                return [top[0].max(write.load(line, builder.mul(j, inner)))]

            (top,) = write.loop(WORD(0), k, 1, [write.load(line)], higher)
            mine = write.load(line, own)

            def powers(j, whole):
                power = (write.load(line, builder.mul(j, inner)) - top).exp()
                write.store(power, line, builder.mul(j, inner))
                return [whole[0] + power]

            (whole,) = write.loop(WORD(0), k, 1, [write.vector(0)], powers)
            factor = write.vector(weight) * write.load(factors, v)
            write.add((whole.log() + top - mine) * factor, losses, v)
            share = factor / whole

            def slopes(j, _):
                slope = write.load(line, builder.mul(j, inner)) * share
                write.store(slope, line, builder.mul(j, inner))
                write.add(slope, total, builder.mul(j, inner))
                return []

            write.loop(WORD(0), k, 1, [], slopes)
            write.store(write.load(line, own) - factor, line, own)
            write.store(write.load(total, own) - factor, total, own)
            return []

        write.loop(WORD(0), inner, LANES, [], candidates)
        return write.nothing

    return signature, generate


@intrinsic
def _softmax_one_by_one(typing, scores, at, label, weight, inner, sums, column):
    """Of one row and candidate, whose classes lie side by side; those that are none have a very low score.

    Returns the loss.
    """
    signature = types.float32(scores, at, label, weight, inner, sums, column)

    def generate(context, builder, signature, arguments):
        write = Writer(context, builder, signature, arguments)
        scores, at, label, weight, inner, sums, column = write.arguments
        line, total = write.place(scores, at), write.place(sums, column)
        mine = builder.load(write.place(line, label))

        def higher(j, top):
            return [top[0].max(write.load(line, j))]

        (top,) = write.loop(WORD(0), inner, LANES, [write.load(line)], higher)
        top = top.greatest()

        def powers(j, whole):
            power = (write.load(line, j) - top).exp()
            write.store(power, line, j)
            return [whole[0] + power]

        (whole,) = write.loop(WORD(0), inner, LANES, [write.vector(0)], powers)
        whole = whole.total()
        factor = write.vector(weight)
        share = factor / whole

        def slopes(j, _):
            number = ir_numbers(builder, j)
            own = builder.icmp_signed("==", number, write.spread(builder.trunc(label, LANE), INTS))
            slope = write.load(line, j) * share
            slope = (slope - factor).where(own, slope)
            write.store(slope, line, j)
            write.add(slope, total, j)
            return []

        def ir_numbers(builder, j):
            lanes = write.spread(builder.trunc(j, LANE), INTS)
            return builder.add(lanes, INTS(list(range(LANES))))

        write.loop(WORD(0), inner, LANES, [], slopes)
        loss = (whole.log() + top - write.vector(mine)) * factor
        return loss.first()

    return signature, generate


@numba.njit(nogil=True, cache=True)
def slopes(
    scores,  # sets (some * stride,) float32: scores become weighted derivatives
    stride,  # in   int64  from a row to the next
    some,  # in   int64  rows
    columns,  # in   int64  of each row, a multiple of LANES
    targets,  # in   (n,) float32
    row_weights,  # in   (n,) float32
    first,  # in   int64  of the targets and weights
    factors,  # in   (2 * columns,) float32  weight of a negative row, of a positive one; 0 where there is no column
    inner,  # in   int64  of softmax: columns from a class to the next, or from a candidate to the next
    k,  # in   int64  classes
    side_by_side,  # in   bool  whether candidates lie side by side, and not classes
    loss,  # in   int64  its number
    parameter,  # in   float64  of the loss
    sums,  # adds (columns,) float32
    losses,  # adds (columns,) float32; where classes lie side by side, in the first column of each candidate
):
    """The losses' derivatives by the scores of some rows."""
    apart()
    p = np.float32(parameter)
    for r in range(some):
        i, at = first + r, r * stride
        y = targets[i]
        if loss == SOFTMAX:
            label, weight = np.int64(y), row_weights[i]
            if side_by_side:
                _softmax_side_by_side(scores, at, label, weight, factors, inner, k, sums, losses)
            else:
                for j in range(0, columns, inner):
                    losses[j] += _softmax_one_by_one(scores, at + j, label, weight, inner, sums, j)
            continue
        f = columns if y > 0.5 and loss <= HINGE else 0
        for j in range(0, columns, LANES):
            if loss == LOGISTIC:
                _0(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)
            elif loss == HINGE:
                _1(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)
            elif loss == SQUARED:
                _2(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)
            elif loss == ABSOLUTE:
                _3(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)
            elif loss == EPS_SQUARED:
                _4(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)
            elif loss == EPS_ABSOLUTE:
                _5(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)
            elif loss == QUANTILE:
                _6(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)
            else:
                _7(scores, at + j, targets, i, row_weights, i, factors, f + j, p, sums, losses, j)


@numba.njit(nogil=True, cache=True)
def slopes_of_one(
    scores,  # sets (some,) float32, with room up to a multiple of LANES
    some,  # in   int64  rows
    targets,  # in   float32, as are the weights; with as much room, weights of 0 there
    row_weights,  # in   (some,) float32, with as much room; 0 there
    loss,  # in   int64  its number
    parameter,  # in   float64  of the loss
    sums,  # adds (LANES,) float32
    losses,  # adds (LANES,) float32
):
    """As `slopes`, of a single column. Not of softmax."""
    apart()
    p = np.float32(parameter)
    for i in range(0, some, LANES):
        if loss == LOGISTIC:
            _r0(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)
        elif loss == HINGE:
            _r1(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)
        elif loss == SQUARED:
            _r2(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)
        elif loss == ABSOLUTE:
            _r3(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)
        elif loss == EPS_SQUARED:
            _r4(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)
        elif loss == EPS_ABSOLUTE:
            _r5(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)
        elif loss == QUANTILE:
            _r6(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)
        else:
            _r7(scores, i, targets, i, row_weights, i, sums, 0, p, sums, losses, 0)


@numba.njit(nogil=True, cache=True)
def _measure(
    scores,  # in   (n, c) float32
    first,  # in   int64  the first of some rows
    some,  # in   int64  how many rows
    targets,  # in   (n,) float32
    row_weights,  # in   (n,) float32
    positive,  # in   (m,) float64  what a positive row weighs
    loss,  # in   int64  its number
    parameter,  # in   float64  of the loss
    losses,  # sets (m,) float64
):
    """Sets `losses` (m,) to the sums over some rows."""
    apart()
    m = len(positive)
    k = scores.shape[1] // m
    if scores.shape[1] == 1:
        room, sums = np.zeros(layout.whole(some, LANES), np.float32), np.zeros((2, LANES), np.float32)
        for r in range(some):
            room[r] = scores[first + r, 0]
        mine, heavy = aligned(first, some, targets, row_weights, positive[0] if loss <= HINGE else 1.0)
        slopes_of_one(room, some, mine, heavy, loss, parameter, sums[0], sums[1])
        losses[0] = sums[1].sum()
        return
    across, inner = layout.arrangement(m, k)
    places = layout.outside(m, k)
    columns = len(places)
    room, sums = np.empty(some * columns, np.float32), np.zeros((2, columns), np.float32)
    for r in range(some):
        for j in range(columns):
            empty = layout.NOTHING if loss == SOFTMAX else np.float32(0)
            room[r * columns + j] = scores[first + r, places[j]] if places[j] >= 0 else empty
    slopes(room, columns, some, columns, targets, row_weights, first, layout.factors(positive, places, k), inner, k,
           across, loss, parameter, sums[0], sums[1])  # fmt: skip
    losses[:] = 0
    for j in range(columns):
        if places[j] >= 0:
            losses[places[j] // k] += sums[1, j]


@numba.njit(nogil=True, cache=True)
def aligned(first, some, targets, row_weights, positive):
    """Targets and weights of some rows, filled up to whole vectors by rows that weigh nothing."""
    lines = layout.whole(some, LANES)
    mine, heavy = np.zeros(lines, np.float32), np.zeros(lines, np.float32)
    for r in range(some):
        mine[r] = targets[first + r]
        heavy[r] = row_weights[first + r] * (np.float32(positive) if mine[r] > 0.5 else np.float32(1))
    return mine, heavy


@numba.njit(nogil=True, cache=True)
def serial_measure(scores, targets, row_weights, positive, loss, parameter, losses):
    """As `measure`, on one thread."""
    sums = np.zeros(len(positive))
    for first in range(0, len(scores), BLOCK):
        some = min(BLOCK, len(scores) - first)
        _measure(scores, first, some, targets, row_weights, positive, loss, parameter, sums)
        losses += sums


@numba.njit(parallel=True, nogil=True, cache=True)
def measure(scores, targets, row_weights, positive, loss, parameter, losses):
    """Adds the weighted sums of the losses of all rows."""
    blocks = (len(scores) + BLOCK - 1) // BLOCK
    sums = np.zeros((blocks, len(positive)))
    for b in numba.prange(blocks):
        some = min(BLOCK, len(scores) - b * BLOCK)
        _measure(scores, b * BLOCK, some, targets, row_weights, positive, loss, parameter, sums[b])
    for b in range(blocks):
        losses += sums[b]
