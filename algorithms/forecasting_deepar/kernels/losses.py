"""Losses of points, and their gradients by what the network gives.    p points   o outputs

The same as `likelihoods` in torch, with gradients by hand: for other processors than a GPU.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.forecasting_deepar.kernels.paths import BETA, COUNTS, GAUSSIAN, STUDENT
from algoport.algorithms.shared.arrays import const

EDGE = 1e-5  # how near to 0 and 1 a target of the beta distribution may be
LEAST = 1e-5  # what is added to a softplus, so that it is never 0


def losses_(
    outputs,  # sets (b, t, o) float32  become the gradient of the sum of losses
    targets,  # in   (b, t) float32
    observed,  # in   (b, t) uint8
    scales,  # in   (b,) float32
    likelihood,  # by number
) -> float:
    """Sum of the negative log-likelihoods of the observed points."""
    sums = np.zeros(len(scales))
    _losses_(
        outputs,
        const(targets, np.float32),
        const(observed, np.uint8),
        const(scales, np.float32),
        int(likelihood),
        sums,
    )
    return float(sums.sum())


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _losses_(outputs, targets, observed, scales, likelihood, sums):
    count = outputs.shape[2]
    for b in numba.prange(outputs.shape[0]):
        scale = np.float64(scales[b])
        for t in range(outputs.shape[1]):
            own, z = outputs[b, t], np.float64(targets[b, t])
            if not observed[b, t]:
                for k in range(count):
                    own[k] = 0
                continue
            x = np.float64(own[0])
            y = np.float64(own[1]) if count > 1 else 0.0
            w = np.float64(own[2]) if count > 2 else 0.0
            if likelihood == GAUSSIAN:
                loss, dx, dy = _gaussian(z / scale, x, y)
                dw = 0.0
                loss += math.log(scale)
            elif likelihood == STUDENT:
                loss, dx, dy, dw = _student(z / scale, x, y, w)
                loss += math.log(scale)
            elif likelihood == COUNTS:
                loss, dx, dy = _counts(z, x, y, scale)
                dw = 0.0
            elif likelihood == BETA:
                loss, dx, dy = _beta(z, x, y)
                dw = 0.0
            else:
                loss = abs(z / scale - x)
                dx, dy, dw = (-1.0 if z / scale > x else (1.0 if z / scale < x else 0.0)), 0.0, 0.0
            sums[b] += loss
            own[0] = dx
            if count > 1:
                own[1] = dy
            if count > 2:
                own[2] = dw


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _positive(x):
    """Softplus and a little, and its derivative."""
    if x > 30.0:
        return x + LEAST, 1.0
    grown = math.exp(x)
    return math.log1p(grown) + LEAST, grown / (1.0 + grown)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def digamma(x):
    """Derivative of log-gamma for x above 0 (Abramowitz and Stegun 6.3.5 and 6.3.18)."""
    value = 0.0
    while x < 6.0:
        value -= 1.0 / x
        x += 1.0
    s = 1.0 / (x * x)
    tail = s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s / 132))))
    return value + math.log(x) - 0.5 / x - tail


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _gaussian(z, x, y):
    sigma, slope = _positive(y)
    error = (z - x) / sigma
    loss = 0.5 * error * error + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return loss, -error / sigma, (1.0 - error * error) / sigma * slope


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _student(z, x, y, w):
    sigma, slope = _positive(y)
    free, slope_w = _positive(w)
    free += 2.0
    error = (z - x) / sigma
    square = error * error / free
    half = 0.5 * (free + 1.0)
    loss = math.log(sigma) + 0.5 * math.log(math.pi * free) + math.lgamma(0.5 * free) - math.lgamma(half)
    loss += half * math.log1p(square)
    pull = (free + 1.0) / (1.0 + square) / free * error
    by_free = 0.5 / free + 0.5 * (digamma(0.5 * free) - digamma(half) + math.log1p(square))
    by_free -= half * square / free / (1.0 + square)
    return loss, -pull / sigma, (1.0 - pull * error) / sigma * slope, by_free * slope_w


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _counts(z, x, y, scale):
    mean, slope_mean = _positive(x)
    shape, slope_shape = _positive(y)
    mean, slope_mean = mean * scale, slope_mean * scale
    shape, slope_shape = shape / math.sqrt(scale), slope_shape / math.sqrt(scale)
    count, size = 1.0 / shape, shape * mean
    loss = math.lgamma(z + 1.0) + math.lgamma(count) - math.lgamma(z + count)
    loss += (count + z) * math.log1p(size) - z * math.log(size)
    by_size = (count + z) / (1.0 + size) - z / size
    by_count = digamma(count) - digamma(z + count) + math.log1p(size)
    return loss, by_size * shape * slope_mean, (by_size * mean - by_count * count * count) * slope_shape


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _beta(z, x, y):
    a, slope_a = _positive(x)
    b, slope_b = _positive(y)
    inside = min(max(z, EDGE), 1.0 - EDGE)
    loss = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    loss -= (a - 1.0) * math.log(inside) + (b - 1.0) * math.log1p(-inside)
    both = digamma(a + b)
    by_a, by_b = digamma(a) - both - math.log(inside), digamma(b) - both - math.log1p(-inside)
    return loss, by_a * slope_a, by_b * slope_b
