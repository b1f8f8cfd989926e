"""Sums that evaluation metrics are made of.    n rows   k classes   q queries

Sums are kept by blocks of fixed size in float64, so that the number of threads cannot change a bit.
"""

import math

import numba
import numpy as np

from algoport.algorithms.shared.threads import share
from algoport.algorithms.xgboost.kernels.memory import bits_of, float_of
from algoport.algorithms.xgboost.kernels.objectives import FEW, _noise, exp, powers

SQUARES, LOG_SQUARES, ABSOLUTE, SHARES, LOG_LOSS, HUBER, WRONG, POISSON, DEVIANCE, GAMMA, TWEEDIE, QUANTILE = range(12)
IDENTITY, SIGMOID, EXPONENTIAL = range(3)

BLOCK = 4096
_TINY = np.float32(1e-16)


@numba.njit(inline="always", error_model="numpy")
def log(x):
    """The natural logarithm in float32, to 1e-7 of its value; x is positive and normal. After Cephes' logf."""
    bits = bits_of(x)
    # The mantissa from 0.70711 to 1.41421, and its exponent.
    shifted = np.int32(bits - np.int32(0x3F3504F3))
    whole = np.float32(shifted >> np.int32(23))
    x = float_of(np.int32((shifted & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3))) - np.float32(1)
    z = x * x
    y = np.float32(7.0376836292e-2)
    y = y * x - np.float32(1.1514610310e-1)
    y = y * x + np.float32(1.1676998740e-1)
    y = y * x - np.float32(1.2420140846e-1)
    y = y * x + np.float32(1.4249322787e-1)
    y = y * x - np.float32(1.6668057665e-1)
    y = y * x + np.float32(2.0000714765e-1)
    y = y * x - np.float32(2.4999993993e-1)
    y = y * x + np.float32(3.3333331174e-1)
    y = y * x * z + whole * np.float32(-2.12194440e-4) - np.float32(0.5) * z
    return x + y + whole * np.float32(0.693359375)


@numba.njit(inline="always", error_model="numpy")
def _link(link, margin):
    if link == SIGMOID:
        return np.float32(1) / (exp(-margin) + np.float32(1))
    if link == EXPONENTIAL:
        return np.float32(math.exp(margin))
    return margin


@numba.njit(inline="always", error_model="numpy")
def _loss(kind, y, p, fact):
    """The loss of one row with the label y and the answer p."""
    one = np.float32(1)
    if kind == SQUARES:
        return (y - p) * (y - p)
    if kind == LOG_SQUARES:
        apart = np.float32(math.log1p(y)) - np.float32(math.log1p(p))
        return apart * apart
    if kind == ABSOLUTE:
        return abs(y - p)
    if kind == SHARES:
        return abs((y - p) / y)
    if kind == HUBER:
        a = (y - p) / fact
        return fact * fact * (np.float32(math.sqrt(one + a * a)) - one)
    if kind == WRONG:
        return one - y if p > fact else y
    if kind == POISSON:
        p = max(p, _TINY)
        return np.float32(math.lgamma(y + one)) + p - np.float32(math.log(p)) * y
    if kind == DEVIANCE:
        p, y = p + np.float32(1e-6), y + np.float32(1e-6)
        return np.float32(2) * (np.float32(math.log(p / y)) + y / p - one)
    if kind == GAMMA:
        p = max(p, np.float32(1e-6))
        return y / p + np.float32(math.log(p))
    if kind == TWEEDIE:
        left, right = one - fact, np.float32(2) - fact
        power = np.float32(math.log(p))
        return np.float32(math.exp(right * power)) / right - y * np.float32(math.exp(left * power)) / left
    return fact * (y - p) if y >= p else (fact - one) * (y - p)  # QUANTILE


@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def _squares(margins, labels, weights):
    """The squared errors of a block times their weights, and the weights; many rows at once."""
    loss, total, plain = 0.0, 0.0, weights.shape[0] == 0
    for i in range(margins.shape[0]):
        apart = np.float64(labels[i] - margins[i])
        w = 1.0 if plain else np.float64(weights[i])
        loss += apart * apart * w
        total += w
    return loss, total


@numba.njit(nogil=True, cache=True)
def squares(
    team,  # in   (2,) int64  as `threads.team` gives it
    margins,  # in (n,) float32
    labels,  # in (n,) float32
    weights,  # in (n,) float32; (0,) where each row weighs 1
):
    """The sum of the rows' squared errors times their weights, and of the weights."""
    sums = np.zeros(((len(margins) + BLOCK - 1) // BLOCK, 2))
    share(team, _squares_block, len(sums), (margins, labels, weights, sums))
    return _total(sums)


@numba.njit(nogil=True, cache=True)
def _squares_block(block, margins, labels, weights, sums):
    a, b = block * BLOCK, min(len(margins), (block + 1) * BLOCK)
    sums[block, 0], sums[block, 1] = _squares(margins[a:b], labels[a:b], weights[a:b])


@numba.njit(nogil=True, cache=True)
def _total(sums):
    loss, whole = 0.0, 0.0
    for block in range(len(sums)):
        loss, whole = loss + sums[block, 0], whole + sums[block, 1]
    return loss, whole


@numba.njit(nogil=True, cache=True)
def pointwise(
    team,  # in   (2,) int64
    kind,  # one of SQUARES ... QUANTILE
    link,  # IDENTITY, SIGMOID or EXPONENTIAL: from margins to answers
    margins,  # in (n,) float32
    labels,  # in (n,) float32
    weights,  # in (n,) float32; (0,) where each row weighs 1
    fact,  # float32: the threshold, the variance power, the quantile or the slope
):
    """The sum of the rows' losses times their weights, and of the weights."""
    sums = np.zeros(((len(margins) + BLOCK - 1) // BLOCK, 2))
    share(team, _pointwise, len(sums), (kind, link, margins, labels, weights, fact, sums))
    return _total(sums)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pointwise(
    block,  # in int64  which block of rows
    kind,  # one of SQUARES ... QUANTILE
    link,  # from margins to answers
    margins,  # in (n,) float32
    labels,  # in (n,) float32
    weights,  # in (n,) float32; (0,) where each row weighs 1
    fact,  # float32
    sums,  # sets (blocks, 2) float64
):
    """A block of rows."""
    loss, total, plain = 0.0, 0.0, weights.shape[0] == 0
    for i in range(block * BLOCK, min(len(margins), (block + 1) * BLOCK)):
        w = np.float32(1) if plain else weights[i]
        loss += _loss(kind, labels[i], _link(link, margins[i]), fact) * w
        total += w
    sums[block, 0], sums[block, 1] = loss, total


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _log_losses(margins, labels, weights):
    """The log losses of a block, many rows at once."""
    one, zero, loss = np.float32(1), np.float32(0), np.float32(0)
    plain = weights.shape[0] == 0
    for i in range(margins.shape[0]):
        y = labels[i]
        p = one / (exp(-margins[i]) + one)
        right = zero if y == zero else y * log(max(p, _TINY))
        wrong = zero if y == one else (one - y) * log(max(one - p, _TINY))
        loss -= (right + wrong) * (one if plain else weights[i])
    return loss


@numba.njit(nogil=True, cache=True)
def log_loss(
    team,  # in (2,) int64
    margins,  # in (n,) float32
    labels,  # in (n,) float32
    weights,  # in (n,) float32; (0,) where each row weighs 1
):
    """The sum of the rows' log losses times their weights. A kernel of its own, as most jobs print it each round."""
    losses = np.zeros((len(margins) + BLOCK - 1) // BLOCK)
    share(team, _log_loss, len(losses), (margins, labels, weights, losses))
    loss = 0.0
    for block in range(len(losses)):
        loss += losses[block]
    return loss


@numba.njit(nogil=True, cache=True)
def _log_loss(block, margins, labels, weights, losses):
    """A block of rows, of which few at a time are added up in float32."""
    for a in range(block * BLOCK, min(len(margins), (block + 1) * BLOCK), FEW):
        b = min(len(margins), a + FEW)
        losses[block] += _log_losses(margins[a:b], labels[a:b], weights[a:b])


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def classes(
    margins,  # in (n, k) float32
    labels,  # in (n,) float32
    weights,  # in (n,) float32; (0,) where each row weighs 1
):
    """Sums over the rows: wrong classes, log losses, and weights. Of equal margins the first class counts."""
    n, k = margins.shape
    flat = margins.reshape(-1)
    blocks = (n + FEW - 1) // FEW
    sums = np.zeros((blocks, 3))
    for block in numba.prange(blocks):
        first, last = block * FEW, min(n, (block + 1) * FEW)
        of, most, whole = np.empty(k * FEW, np.float32), np.empty(FEW, np.float32), np.empty(FEW, np.float32)
        powers(flat[first * k : last * k], k, of, most, whole)
        for i in range(last - first):
            mine, best = np.int64(labels[first + i]), 0
            while flat[(first + i) * k + best] < most[i]:
                best += 1
            p = of[mine * FEW + i] / whole[i]
            w = 1.0 if weights.shape[0] == 0 else np.float64(weights[first + i])
            sums[block, 0] += w if best != mine else 0.0
            sums[block, 1] -= log(max(p, _TINY)) * w
            sums[block, 2] += w
    return sums.sum(axis=0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def confusion(
    margins,  # in (n, k) float32
    labels,  # in (n,) float32
    weights,  # in (n,) float32; (0,) where each row weighs 1
    out,  # adds (c, c) float64: label, then answer; c is k, or 2 where k is 1
):
    """How often each class was answered for each; the second of two where the margin is above 0."""
    n, k = margins.shape
    for i in range(n):
        best = 0
        if k == 1:
            best = 1 if margins[i, 0] > 0 else 0
        for c in range(1, k):
            if margins[i, c] > margins[i, best]:
                best = c
        out[np.int64(labels[i]), best] += 1.0 if weights.shape[0] == 0 else np.float64(weights[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def times(
    kind,  # of the noise
    margins,  # in (n,) float32, logarithms of times
    lower,  # in (n,) float32
    upper,  # in (n,) float32
    weights,  # in (n,) float32; (0,) where each row weighs 1
    sigma,  # float64, the scale of the noise
):
    """Sums over the rows: negative log-likelihoods, answers within their interval, and weights."""
    sums = np.zeros(3)
    for i in range(margins.shape[0]):
        low, high, p = float(lower[i]), float(upper[i]), float(margins[i])
        if low == high:
            density, _, _, _ = _noise(kind, (math.log(low) - p) / sigma)
            likely = density / (sigma * low)
        else:
            above, below = 1.0, 0.0
            if not math.isinf(high):
                _, _, _, above = _noise(kind, (math.log(high) - p) / sigma)
            if low > 0:
                _, _, _, below = _noise(kind, (math.log(low) - p) / sigma)
            likely = above - below
        w = 1.0 if weights.shape[0] == 0 else np.float64(weights[i])
        sums[0] -= math.log(max(likely, 1e-12)) * w
        sums[1] += w if low <= math.exp(p) <= high else 0.0
        sums[2] += w
    return sums


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def gains(
    labels,  # in (n,) float32, query by query, those with the highest margins first
    best,  # in (n,) float32, the labels query by query, falling within each
    queries,  # in (q + 1,) int64
    top,  # how many of a query's rows count
    empty,  # what a query without a gain scores
):
    """(q,) normalized discounted cumulative gains."""
    scores = np.empty(len(queries) - 1)
    for q in numba.prange(len(scores)):
        begin, end = queries[q], queries[q + 1]
        score, ideal = 0.0, 0.0
        for i in range(min(end - begin, top)):
            discount = math.log2(i + 2.0)
            score += (math.exp2(float(labels[begin + i])) - 1) / discount
            ideal += (math.exp2(float(best[begin + i])) - 1) / discount
        scores[q] = score / ideal if ideal > 0 else empty
    return scores


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def precisions(
    labels,  # in (n,) float32, 0 or 1, query by query, those with the highest margins first
    queries,  # in (q + 1,) int64
    top,  # how many of a query's rows count
    empty,  # what a query without a hit scores
):
    """(q,) average precisions."""
    scores = np.empty(len(queries) - 1)
    for q in numba.prange(len(scores)):
        begin, end = queries[q], queries[q + 1]
        score, hits = 0.0, 0.0
        for i in range(end - begin):
            hits += labels[begin + i]
            if i < top:
                score += hits / (i + 1.0) * labels[begin + i]
        scores[q] = score / min(hits, float(top)) if hits > 0 else empty
    return scores


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def orders(
    margins,  # in (n,) float32, query by query, those with the highest labels first
    queries,  # in (q + 1,) int64
):
    """(q,) which share of the pairs of a query's rows is in order of their labels, pairs with equal labels included
    as the library counts them; NaN for queries of less than three."""
    scores = np.empty(len(queries) - 1)
    for q in numba.prange(len(scores)):
        begin, end = queries[q], queries[q + 1]
        right, pairs = 0.0, (end - begin) * (end - begin - 1) / 2
        for i in range(begin, end):
            for j in range(i + 1, end):
                apart = margins[i] - margins[j]
                right += 1.0 if apart > 0 else (0.5 if apart == 0 else 0.0)
        scores[q] = right / pairs if end - begin > 2 else np.nan
    return scores
