"""First and second derivatives of losses by the margins.    n rows   k margins of a row   q queries

What the library computes, row by row and in float32, is computed so here; the formulas are those of its
src/objective at version 3.2. All gradients come as pairs (gradient, Hessian), multiplied by the row's weight.
"""

import math

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from algoport.algorithms.shared.threads import share

SQUARED, LOGISTIC, SQUARED_LOG, HUBER, GAMMA, POISSON, TWEEDIE, HINGE, ABSOLUTE, QUANTILE = range(10)
NORMAL, LOGISTIC_NOISE, EXTREME = range(3)
PAIRWISE, NDCG, MAP = range(3)

BLOCK = 4096  # rows that a thread takes at a time; no sum depends on it
FEW = 256  # rows of which all classes are looked at together
PAIRS = 32  # the first so many of a query are paired with all behind them
_LEAST = np.float32(1e-16)  # of a Hessian
# Of the loss with censored times: between what a row's gradient and Hessian are kept, and what a denominator may be.
_MOST_TIME, _LEAST_TIME, _NOTHING = 15.0, 1e-16, 1e-12


@intrinsic
def _power(typing, whole):
    """2 ** whole as float32, for whole numbers from -126 to 127."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(32)
        bits = builder.shl(builder.add(arguments[0], ir.Constant(word, 127)), ir.Constant(word, 23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.int32), generate


@numba.njit(inline="always", error_model="numpy")
def exp(x):
    """e ** x in float32, to 1e-7 of its value, from -87 to 88; a compiler can do many at once. After Cephes' expf."""
    x = min(max(x, np.float32(-87.0)), np.float32(88.0))
    whole = math.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    x = x - whole * np.float32(0.693359375) - whole * np.float32(-2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    return (y * x * x + x + np.float32(1)) * _power(np.int32(whole))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _logistic(margins, labels, weights, positive, out):
    """A block of rows, many at once. `out` is flat: with two indices it is no loop that a compiler puts into vectors
    (900,000 rows took 37 ms, and take 0.9)."""
    one = np.float32(1)
    plain = weights.shape[0] == 0
    for i in range(margins.shape[0]):
        p = one / (exp(-margins[i]) + one)
        y = labels[i]
        w = (positive if y == one else one) * (one if plain else weights[i])
        out[2 * i] = (p - y) * w
        out[2 * i + 1] = max(p * (one - p), _LEAST) * w


@numba.njit(nogil=True, cache=True)
def _squared_loss(margins, labels, weights, positive, out):
    """The same of the squared loss."""
    one = np.float32(1)
    plain = weights.shape[0] == 0
    for i in range(margins.shape[0]):
        y = labels[i]
        w = (positive if y == one else one) * (one if plain else weights[i])
        out[2 * i] = (margins[i] - y) * w
        out[2 * i + 1] = w


@numba.njit(nogil=True, cache=True)
def logistic(
    team,  # in   (2,) int64  as `threads.team` gives it
    margins,  # in   (n,) float32
    labels,  # in   (n,) float32
    weights,  # in   (n,) float32; (0,) where each row weighs 1
    positive,  # float32, by what rows with label 1 are multiplied
    out,  # sets (n * 2,) float32
):
    """Of the logistic loss. A kernel of its own, as most jobs spend their time here."""
    share(team, _logistic_block, (len(margins) + BLOCK - 1) // BLOCK, (margins, labels, weights, positive, out))


@numba.njit(nogil=True, cache=True)
def _logistic_block(block, margins, labels, weights, positive, out):
    a, b = block * BLOCK, min(len(margins), (block + 1) * BLOCK)
    _logistic(margins[a:b], labels[a:b], weights[a:b], positive, out[2 * a : 2 * b])


@numba.njit(nogil=True, cache=True)
def squared(
    team,  # in   (2,) int64
    margins,  # in   (n,) float32
    labels,  # in   (n,) float32
    weights,  # in   (n,) float32; (0,) where each row weighs 1
    positive,  # float32, by what rows with label 1 are multiplied
    out,  # sets (n * 2,) float32
):
    """Of the squared loss. The same."""
    share(team, _squared_block, (len(margins) + BLOCK - 1) // BLOCK, (margins, labels, weights, positive, out))


@numba.njit(nogil=True, cache=True)
def _squared_block(block, margins, labels, weights, positive, out):
    a, b = block * BLOCK, min(len(margins), (block + 1) * BLOCK)
    _squared_loss(margins[a:b], labels[a:b], weights[a:b], positive, out[2 * a : 2 * b])


@numba.njit(inline="always", error_model="numpy")
def _pair(kind, p, y, fact):
    """The derivatives of one row's loss at margin p and label y; `fact` is the loss's own number."""
    one, zero = np.float32(1), np.float32(0)
    if kind == SQUARED_LOG:
        p = max(p, np.float32(-1 + 1e-6))
        apart = np.float32(math.log1p(p) - math.log1p(y))
        return apart / (p + one), max((one - apart) / ((p + one) * (p + one)), np.float32(1e-6))
    if kind == HUBER:
        z, slope = p - y, fact * fact
        root = np.float32(math.sqrt(one + z * z / slope))
        return z / root, slope / ((slope + z * z) * root)
    if kind == GAMMA:
        share = y / np.float32(math.exp(p))
        return one - share, share
    if kind == POISSON:
        return np.float32(math.exp(p)) - y, np.float32(math.exp(p + fact))
    if kind == TWEEDIE:
        left, right = one - fact, np.float32(2) - fact
        a, b = y * np.float32(math.exp(left * p)), np.float32(math.exp(right * p))
        return b - a, right * b - left * a
    if kind == HINGE:
        side = np.float32(2) * y - one
        return (-side, one) if p * side < one else (zero, np.float32(1.1754943508222875e-38))
    if kind == QUANTILE:
        return (one - fact, one) if p >= y else (-fact, one)
    return np.float32((p > y) - (p < y)), one  # ABSOLUTE


@numba.njit(nogil=True, cache=True)
def pointwise(
    team,  # in   (2,) int64
    kind,  # one of SQUARED_LOG ... QUANTILE
    margins,  # in   (n,) float32
    labels,  # in   (n,) float32
    weights,  # in   (n,) float32; (0,) where each row weighs 1
    positive,  # float32, by what rows with label 1 are multiplied
    fact,  # float32: the slope, the variance power, the quantile, or the largest step of a leaf
    out,  # sets (n, 2) float32
):
    """Of the other losses that a row has by itself."""
    count = (len(margins) + BLOCK - 1) // BLOCK
    share(team, _pointwise, count, (kind, margins, labels, weights, positive, fact, out))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pointwise(
    block,  # in   int64  which block of rows
    kind,  # one of SQUARED_LOG ... QUANTILE
    margins,  # in   (n,) float32
    labels,  # in   (n,) float32
    weights,  # in   (n,) float32; (0,) where each row weighs 1
    positive,  # float32
    fact,  # float32
    out,  # sets (n, 2) float32
):
    """A block of rows."""
    plain = weights.shape[0] == 0
    for i in range(block * BLOCK, min(len(margins), (block + 1) * BLOCK)):
        y = labels[i]
        w = positive if y == np.float32(1) else np.float32(1)
        if not plain:
            w *= weights[i]
        g, h = _pair(kind, margins[i], y, fact)
        out[i, 0], out[i, 1] = g * w, h * w


@numba.njit(nogil=True, cache=True, error_model="numpy")
def powers(
    margins,  # in   (r * k,) float32, row by row
    k,
    of,  # sets (k * FEW,) float32: class by class, e ** (margin - the row's greatest)
    most,  # sets (FEW,) float32: the greatest margin of each row
    whole,  # sets (FEW,) float32: the sum of a row's powers
):
    """What classes' probabilities are made of, for at most FEW rows."""
    r = margins.shape[0] // k
    for i in range(r):
        greatest = margins[i * k]
        for c in range(1, k):
            greatest = max(greatest, margins[i * k + c])
        most[i], whole[i] = greatest, np.float32(0)
        for c in range(k):
            of[c * FEW + i] = margins[i * k + c] - greatest
    for c in range(k):
        _raise(of[c * FEW : c * FEW + r], whole)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _raise(of, whole):
    for i in range(of.shape[0]):
        power = exp(of[i])
        of[i] = power
        whole[i] += power


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _softmax(of, whole, c, labels, weights, out):
    """The derivatives by the margin of one class."""
    one, plain, mine = np.float32(1), weights.shape[0] == 0, np.float32(c)
    for i in range(labels.shape[0]):
        p = of[c * FEW + i] / whole[i]
        w = one if plain else weights[i]
        out[2 * i] = (p - (one if labels[i] == mine else np.float32(0))) * w
        out[2 * i + 1] = max(np.float32(2) * p * (one - p) * w, _LEAST)


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def softmax(
    margins,  # in   (n, k) float32
    labels,  # in   (n,) float32, whole numbers from 0 to k - 1
    weights,  # in   (n,) float32; (0,) where each row weighs 1
    out,  # sets (k * n * 2,) float32, class by class
):
    """Of the cross entropy of the classes' probabilities. The Hessian is twice its diagonal, as the library has it."""
    n, k = margins.shape
    flat = margins.reshape(-1)
    for block in numba.prange((n + FEW - 1) // FEW):
        first, last = block * FEW, min(n, (block + 1) * FEW)
        of, most, whole = np.empty(k * FEW, np.float32), np.empty(FEW, np.float32), np.empty(FEW, np.float32)
        powers(flat[first * k : last * k], k, of, most, whole)
        for c in range(k):
            own = out[2 * (c * n + first) : 2 * (c * n + last)]
            _softmax(of, whole, c, labels[first:last], weights[first:last], own)


@numba.njit(inline="always", error_model="numpy")
def _noise(kind, z):
    """Density, its first two derivatives, and distribution of the noise at z."""
    if kind == NORMAL:
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return density, -z * density, (z * z - 1) * density, 0.5 * (1 + math.erf(z / math.sqrt(2.0)))
    w = math.exp(z)
    if kind == LOGISTIC_NOISE:
        if math.isinf(w):
            return 0.0, 0.0, 0.0, 1.0
        density = 0.0 if math.isinf(w * w) else w / ((1 + w) * (1 + w))
        second = 0.0 if math.isinf(w * w) else density * (w * w - 4 * w + 1) / ((1 + w) * (1 + w))
        return density, density * (1 - w) / (1 + w), second, w / (1 + w)
    if math.isinf(w):
        return 0.0, 0.0, 0.0, 1.0
    density = w * math.exp(-w)
    second = 0.0 if math.isinf(w * w) else (w * w - 3 * w + 1) * density
    return density, (1 - w) * density, second, 1 - math.exp(-w)


@numba.njit(inline="always", error_model="numpy")
def _far(kind, known, open_above, open_below, above, sigma):
    """Gradient and Hessian where the density vanishes. `above`: the label lies above the prediction."""
    toward = above and not (open_below and not known)  # the prediction should rise
    away = not above and not (open_above and not known)
    if kind == NORMAL:
        g = -_MOST_TIME if toward else (_MOST_TIME if away else 0.0)
        return g, 1 / (sigma * sigma) if toward or away else _LEAST_TIME
    if kind == LOGISTIC_NOISE:
        return (-1 / sigma if toward else (1 / sigma if away else 0.0)), _LEAST_TIME
    g = -_MOST_TIME if toward else (1 / sigma if away else 0.0)
    return g, _MOST_TIME if toward else _LEAST_TIME


@numba.njit(inline="always", error_model="numpy")
def _survival_loss(kind, lower, upper, p, sigma):
    """Gradient and Hessian of the negative log-likelihood of one row (arXiv 2006.04920)."""
    known = lower == upper
    open_above, open_below = math.isinf(upper), lower <= 0.0
    high = low = 0.0
    fu = f1u = fl = f1l = 0.0
    cu, cl = 1.0, 0.0
    if known:
        high = (math.log(lower) - p) / sigma
        f, f1, f2, _ = _noise(kind, high)
        top, bottom = f1, sigma * f
        top2, bottom2 = -(f * f2 - f1 * f1), sigma * sigma * f * f
    else:
        if not open_above:
            high = (math.log(upper) - p) / sigma
            fu, f1u, _, cu = _noise(kind, high)
        if not open_below:
            low = (math.log(lower) - p) / sigma
            fl, f1l, _, cl = _noise(kind, low)
        top, bottom = fu - fl, sigma * (cu - cl)
        top2, bottom2 = -((cu - cl) * (f1u - f1l) - (fu - fl) * (fu - fl)), bottom * bottom
    g, h = top / bottom, top2 / bottom2
    far_g, far_h = _far(kind, known, open_above, open_below, high > 0 or low > 0, sigma)
    if bottom < _NOTHING and not math.isfinite(g):
        g = far_g
    if bottom2 < _NOTHING and not math.isfinite(h):
        h = far_h
    return min(max(g, -_MOST_TIME), _MOST_TIME), min(max(h, _LEAST_TIME), _MOST_TIME)


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def times(
    kind,  # of the noise: NORMAL, LOGISTIC_NOISE or EXTREME
    margins,  # in   (n,) float32, logarithms of times
    lower,  # in   (n,) float32, from when on the event may have been
    upper,  # in   (n,) float32, until when; infinite where it had not yet come
    weights,  # in   (n,) float32; (0,) where each row weighs 1
    sigma,  # float64, the scale of the noise
    out,  # sets (n, 2) float32
):
    """Of the accelerated failure time loss."""
    n = margins.shape[0]
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        for i in range(block * BLOCK, min(n, (block + 1) * BLOCK)):
            g, h = _survival_loss(kind, float(lower[i]), float(upper[i]), float(margins[i]), sigma)
            w = np.float32(1) if weights.shape[0] == 0 else weights[i]
            out[i, 0], out[i, 1] = np.float32(g) * w, np.float32(h) * w


@numba.njit(inline="always", error_model="numpy")
def _change(kind, labels, hits, parts, inverse, high, low):
    """By how much the measure of a query changes where two of its rows, by their ranks, change places."""
    if kind == PAIRWISE:
        return 1.0
    if kind == NDCG:
        gains = math.exp2(float(labels[high])) - math.exp2(float(labels[low]))
        return abs(gains * (1 / math.log2(high + 2.0) - 1 / math.log2(low + 2.0)) * inverse)
    up, first, second = 1.0, high, low
    if high > low:
        up, first, second = -1.0, low, high
    between = parts[second - 1] - parts[first]
    at_first, at_second = hits[first] / (first + 1.0), hits[second] / (second + 1.0)
    if up < 0:
        return abs((at_second - at_first - 1 / (first + 1.0) - between) / hits[-1])
    return abs((at_first - at_second + between) / hits[-1])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _query(kind, margins, labels, best, weight, out):
    """One query: each of the first rows by margin is paired with all behind it that have another label."""
    n = len(margins)
    sums, hits, parts = np.zeros((n, 2)), np.empty(n), np.empty(n)
    hit, part, ideal = 0.0, 0.0, 0.0
    for i in range(n):
        hit += labels[i]
        part += labels[i] / (i + 1.0)
        hits[i], parts[i] = hit, part
        if i < PAIRS:
            ideal += (math.exp2(float(best[i])) - 1) / math.log2(i + 2.0)
    inverse = 1 / ideal if ideal > 0 else 0.0
    spread = margins[0] != margins[-1]
    total = 0.0
    for i in range(min(n, PAIRS)):
        for j in range(i + 1, n):
            if labels[i] == labels[j]:
                continue
            high, low = (i, j) if labels[i] > labels[j] else (j, i)
            apart = margins[high] - margins[low]
            p = 1 / (1 + math.exp(-float(apart)))
            change = _change(kind, labels, hits, parts, inverse, high, low)
            if spread:
                change /= abs(apart) + 0.01
            g, h = (p - 1) * change, max(p * (1 - p), 1e-16) * change * 2
            sums[high, 0] += g
            sums[low, 0] -= g
            sums[high, 1] += h
            sums[low, 1] += h
            total -= 2 * g
    scale = weight * (math.log2(1 + total) / total if total > 0 else 1.0)
    for i in range(n):
        out[i, 0], out[i, 1] = np.float32(sums[i, 0] * scale), np.float32(sums[i, 1] * scale)


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def ranking(
    kind,  # PAIRWISE, NDCG or MAP
    margins,  # in   (n,) float32, query by query, falling within each
    labels,  # in   (n,) float32, in the same order
    best,  # in   (n,) float32, the labels query by query, falling within each
    queries,  # in   (q + 1,) int64, where each query begins
    weights,  # in   (q,) float64, whose mean is 1
    out,  # sets (n, 2) float32
):
    """Of LambdaMART (Burges 2010): pairs of rows of a query, weighted by what changing their places changes."""
    for q in numba.prange(len(queries) - 1):
        begin, end = queries[q], queries[q + 1]
        if end > begin:
            _query(kind, margins[begin:end], labels[begin:end], best[begin:end], weights[q], out[begin:end])
