"""Sampled paths.    n series   s paths of each   t steps   y layers   h cells   l lags   o outputs of the network"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.neural.kernels.recurrence import activate_, curves, squash_
from algoport.algorithms.shared.randomness import draw, first_draw

# Paths that are computed together, a multiple of 4: their state and the weights stay in the cache of one core.
PATHS = 12
# Likelihoods by number.
GAUSSIAN, BETA, COUNTS, STUDENT, POINT = 0, 1, 2, 3, 4


def paths(
    gates,  # in (n, t, 4h) float32  first layer's, of all but what is sampled and the state
    own,  # in (l, 4h) float32       from lagged values to the first layer's gates
    lags,  # in (l,) int64           ascending
    first,  # in (h, 4h) float32     from the first layer's state to its gates
    upper,  # in (y - 1, 2h, 4h) float32  from the layer below and its own state to the gates of each other layer
    upper_bias,  # in (y - 1, 4h) float32
    head,  # in (o, h) float32
    head_bias,  # in (o,) float32
    linear,  # in (n, t) float32  what lagged targets of the history add to the location
    skip,  # in (l,) float32  from lagged targets to the location
    hidden,  # in (n, y, h) float32  state after the context
    cells,  # in (n, y, h) float32
    scales,  # in (n,) float32
    center,  # what is taken from lagged targets, in units of the scale
    keys,  # in (n,) uint64  of each series, from which its draws come
    rate,  # share of the state that is kept at each step
    likelihood,  # by number
    samples,  # paths of each series
) -> NDArray[np.float32]:
    """Paths (n, s, t): each step's draw is what the next steps look back at."""
    n, steps, _ = gates.shape
    drawn = np.empty((n, samples, steps), np.float32)
    _paths(
        const(gates, np.float32),
        const(own, np.float32),
        const(lags, np.int64),
        const(first, np.float32),
        const(upper, np.float32),
        const(upper_bias, np.float32),
        const(head, np.float32),
        const(head_bias, np.float32),
        const(linear, np.float32),
        const(skip, np.float32),
        const(hidden, np.float32),
        const(cells, np.float32),
        const(scales, np.float32),
        np.float32(center),
        const(keys, np.uint64),
        np.float32(rate),
        int(likelihood),
        drawn,
    )
    return drawn


def draws(
    outputs,  # in (n, o) float32 of the network
    scales,  # in (n,) float32
    keys,  # in (n,) uint64
    likelihood,  # by number
) -> NDArray[np.float32]:
    """One draw (n,) for each output."""
    drawn = np.empty(len(scales), np.float32)
    _draws(
        const(outputs, np.float32),
        const(scales, np.float32),
        const(keys, np.uint64),
        int(likelihood),
        drawn,
    )
    return drawn


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _paths(
    gates,  # in   (n, t, 4h) float32
    own,  # in   (l, 4h) float32
    lags,  # in   (l,) int64
    first,  # in   (h, 4h) float32
    upper,  # in   (y - 1, 2h, 4h) float32
    upper_bias,  # in   (y - 1, 4h) float32
    head,  # in   (o, h) float32
    head_bias,  # in   (o,) float32
    linear,  # in   (n, t) float32
    skip,  # in   (l,) float32
    hidden,  # in   (n, y, h) float32
    cells,  # in   (n, y, h) float32
    scales,  # in   (n,) float32
    center,  # in   float32
    keys,  # in   (n,) uint64
    rate,  # in   float32
    likelihood,  # in   int64  by number
    drawn,  # sets (n, s, t) float32
):
    n, samples, steps = drawn.shape
    layers, h = hidden.shape[1], hidden.shape[2]
    blocks = (samples + PATHS - 1) // PATHS
    for task in numba.prange(n * blocks):
        i, begin = task // blocks, task % blocks * PATHS
        count = min(PATHS, samples - begin)
        state, cell = np.empty((layers, PATHS, h), np.float32), np.empty((layers, PATHS, h), np.float32)
        for y in range(layers):
            for r in range(PATHS):
                for j in range(h):
                    state[y, r, j], cell[y, r, j] = hidden[i, y, j], cells[i, y, j]
        g = np.empty((PATHS, 4 * h), np.float32)
        squashed, factors = np.empty((PATHS, h), np.float32), curves(h)
        looks, path = np.zeros((PATHS, lags.shape[0]), np.float32), np.zeros((PATHS, steps), np.float32)
        for t in range(steps):
            reached = 0
            while reached < lags.shape[0] and lags[reached] <= t:
                for r in range(count):
                    looks[r, reached] = path[r, t - lags[reached]]
                reached += 1
            for r in range(count):
                for j in range(4 * h):
                    g[r, j] = gates[i, t, j]
            add_product_(count, reached, looks, own, g)
            add_product_(count, h, state[0], first, g)
            _advance_(count, g, factors, squashed, state[0], cell[0], rate)
            for y in range(1, layers):
                for r in range(count):
                    for j in range(4 * h):
                        g[r, j] = upper_bias[y - 1, j]
                add_product_(count, h, state[y - 1], upper[y - 1, :h], g)
                add_product_(count, h, state[y], upper[y - 1, h:], g)
                _advance_(count, g, factors, squashed, state[y], cell[y], rate)
            for r in range(count):
                key = first_draw(keys[i] ^ first_draw(np.uint64((begin + r) * steps + t)))
                shift = np.float64(linear[i, t])
                for k in range(reached):
                    shift += skip[k] * looks[r, k]
                value = _draw(state[layers - 1, r], head, head_bias, shift, scales[i], likelihood, key)
                drawn[i, begin + r, t] = value
                path[r, t] = value / scales[i] - center


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _advance_(rows, g, factors, squashed, state, cell, rate):
    """Sets state and cell (rows, h) after a step."""
    h = state.shape[1]
    stays = np.float32(1) - rate
    activate_(rows, g, factors)
    for r in range(rows):
        for j in range(h):
            new = g[r, h + j] * cell[r, j] + g[r, j] * g[r, 2 * h + j]
            squashed[r, j] = new
            cell[r, j] = rate * cell[r, j] + stays * new
    squash_(rows, squashed)
    for r in range(rows):
        for j in range(h):
            state[r, j] = rate * state[r, j] + stays * g[r, 3 * h + j] * squashed[r, j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _draws(outputs, scales, keys, likelihood, drawn):
    head, bias = np.eye(outputs.shape[1], dtype=np.float32), np.zeros(outputs.shape[1], np.float32)
    for i in range(scales.shape[0]):
        drawn[i] = _draw(outputs[i], head, bias, 0.0, scales[i], likelihood, keys[i])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _draw(state, head, bias, shift, scale, likelihood, key):
    """A draw from the distribution whose parameters a state determines; `shift` is added to the first of them."""
    a, b, c = np.float64(bias[0]) + shift, 0.0, 0.0
    for j in range(state.shape[0]):
        a += head[0, j] * state[j]
    if head.shape[0] > 1:
        b = np.float64(bias[1])
        for j in range(state.shape[0]):
            b += head[1, j] * state[j]
    if head.shape[0] > 2:
        c = np.float64(bias[2])
        for j in range(state.shape[0]):
            c += head[2, j] * state[j]
    if likelihood == POINT:
        return np.float32(scale * a)
    if likelihood == GAUSSIAN:
        return np.float32(scale * (a + _softplus(b) * _normal(key)))
    if likelihood == STUDENT:
        return np.float32(scale * (a + _softplus(b) * _student(key, 2.0 + _softplus(c))))
    if likelihood == BETA:
        x, y = _gamma(key, _softplus(a)), _gamma(first_draw(key), _softplus(b))
        return np.float32(x / (x + y)) if x + y > 0 else np.float32(0.5)
    mean, shape = scale * _softplus(a), _softplus(b) / math.sqrt(scale)
    return np.float32(_poisson(first_draw(key), _gamma(key, 1.0 / shape) * shape * mean))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _softplus(x):
    """log(1 + exp(x)), and a little, so that it is never 0."""
    return (x if x > 30.0 else math.log1p(math.exp(x))) + 1e-5


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _uniform(key, number):
    """A number between 0 and 1, neither of which it is."""
    return (np.float64(draw(key, np.uint64(number)) >> np.uint64(12)) + 0.5) * 2.0**-52


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _normal(key):
    """Standard normal (Box and Muller 1958)."""
    return math.sqrt(-2.0 * math.log(_uniform(key, 0))) * math.cos(2.0 * math.pi * _uniform(key, 1))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _student(key, freedom):
    """Student's t, of any degrees of freedom, without rejection (Bailey 1994)."""
    size = math.sqrt(freedom * math.expm1(-2.0 / freedom * math.log(_uniform(key, 0))))
    return size * math.cos(2.0 * math.pi * _uniform(key, 1))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _gamma(key, shape):
    """Gamma of that shape and scale 1 (Marsaglia and Tsang 2000)."""
    boost = 1.0
    if shape < 1.0:
        boost = math.exp(math.log(_uniform(key, 0)) / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    number = 1
    while True:
        x = _normal(first_draw(key + np.uint64(number)))
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            if math.log(_uniform(key, number)) < 0.5 * x * x + d - d * v + d * math.log(v):
                return boost * d * v
        number += 1


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _poisson(key, mean):
    """Poisson: by multiplication where the mean is small, else by transformed rejection (Hoermann 1993, PTRS)."""
    if mean < 10.0:
        bound, product, count = math.exp(-mean), 1.0, 0
        while True:
            product *= _uniform(key, count)
            if product <= bound:
                return float(count)
            count += 1
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse, narrow = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0)
    number = 0
    while True:
        u, v = _uniform(key, number) - 0.5, _uniform(key, number + 1)
        number += 2
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= narrow:
            return k
        if k < 0.0 or (us < 0.013 and v > us):
            continue
        likely = -mean + k * math.log(mean) - math.lgamma(k + 1.0)
        if math.log(v) + math.log(inverse) - math.log(a / (us * us) + b) <= likely:
            return k
