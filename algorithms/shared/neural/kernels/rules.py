"""One step of MXNet's optimizers on whole arrays in a processor's memory, in one pass over them.    p parameters

The same rules as `neural.optimizers`, which has them for torch: where clipping and weight decay meet differs by rule.
Each number is updated by itself, so nothing depends on the number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share

BLOCK = 1 << 14  # numbers of a block
LINES = 64  # rows of a block, of few
SGD, ADAM, ADAGRAD, ADADELTA, RMSPROP = range(5)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def step_(
    team,  # in   threads
    kind,  # in   one of those above
    weights,  # sets (p,) float32
    gradient,  # in   (p,) float32
    first,  # sets (p,) float32  the optimizer's first array, () where it has none
    second,  # sets (p,) float32  and its second
    numbers,  # in   scale, clip, decay, rate, one less the first share that stays, and the second; epsilon
):
    """One update."""
    blocks = (weights.shape[0] + BLOCK - 1) // BLOCK
    share(team, _step_of_block, blocks, (kind, weights, gradient, first, second, numbers))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _step_of_block(block, kind, weights, gradient, first, second, numbers):
    begin, end = block * BLOCK, min((block + 1) * BLOCK, weights.shape[0])
    _step(kind, weights[begin:end], gradient[begin:end], first[begin:end], second[begin:end], numbers)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def step_rows_(
    team,  # in   threads
    kind,  # in   one of those above, but ADAM
    rows,  # in   (r,) int64   ascending: those that have a gradient
    weights,  # sets (v, g) float32  of these rows
    gradient,  # sets (v, g) float32  of these rows, to 0 when it is used
    first,  # sets (v, g) float32  of these rows: the optimizer's first array, (v, 0) where it has none
    second,  # sets (v, g) float32  and its second
    last,  # sets (v,) int64  of these rows: the update up to which the optimizer's arrays stand
    update,  # in   the number of this one
    numbers,  # in   as of `step_`; no decay
):
    """One update of a table that has a gradient in few of its rows: the same bits as `step_`, with what other rows'
    arrays would have faded made up for when a row has a gradient again."""
    count = (rows.shape[0] + LINES - 1) // LINES
    share(team, _rows_of_block, count, (kind, rows, weights, gradient, first, second, last, update, numbers))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _rows_of_block(
    block,  # in   of rows, which
    kind,  # in   one of those above, but ADAM
    rows,  # in   (r,) int64
    weights,  # sets (v, g) float32
    gradient,  # sets (v, g) float32
    first,  # sets (v, g) float32
    second,  # sets (v, g) float32
    last,  # sets (v,) int64
    update,  # in   the number of this one
    numbers,  # in   as of `step_`
):
    for row in rows[block * LINES : (block + 1) * LINES]:
        g, a, b = gradient[row], first[row], second[row]
        _fade(kind, update - 1 - last[row], a, b, numbers)
        _step(kind, weights[row], g, a, b, numbers)
        g[:] = 0
        last[row] = update


@numba.njit(nogil=True, cache=True, error_model="numpy")
def fade_rows_(kind, first, second, last, update, numbers):
    """Brings the arrays of all rows to where `step_` would have them after this update; arguments as of
    `step_rows_`."""
    for row in range(len(last)):
        _fade(kind, update - last[row], first[row], second[row], numbers)
        last[row] = update


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _fade(kind, times, first, second, numbers):
    """What so many gradients of 0 make of an optimizer's arrays, step by step, as rounding is by steps. Behind the
    smallest numbers there are nothing changes any more."""
    one = numbers[4]
    if kind == ADADELTA or kind == RMSPROP:
        for _ in range(min(times, np.int64(250 / one))):
            for i in range(len(first)):
                first[i] += one * (np.float32(0) - first[i])
            for i in range(len(second)):
                second[i] += one * (np.float32(0) - second[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _step(kind, w, g, a, b, numbers):
    if kind == SGD:
        _sgd(w, g, numbers)
    elif kind == ADAM:
        _adam(w, g, a, b, numbers)
    elif kind == ADAGRAD:
        _adagrad(w, g, a, numbers)
    elif kind == ADADELTA:
        _adadelta(w, g, a, b, numbers)
    else:
        _rmsprop(w, g, a, numbers)


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _clipped(x, most):
    low = -most if x < -most else x
    return most if low > most else low


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sgd(w, g, numbers):
    scale, clip, decay, rate, _, _, _ = numbers
    for i in range(len(w)):
        w[i] -= rate * (_clipped(g[i] * scale, clip) + decay * w[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adam(w, g, mean, square, numbers):
    """Kingma and Ba 2015; the rate has the corrections of both means."""
    scale, clip, decay, rate, one, two, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale + decay * w[i], clip)
        m, s = mean[i] + one * (x - mean[i]), square[i] + two * (x * x - square[i])
        mean[i], square[i] = m, s
        w[i] -= rate * m / (np.sqrt(s) + eps)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adagrad(w, g, history, numbers):
    """Duchi, Hazan and Singer 2011."""
    scale, clip, decay, rate, _, _, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale, clip)
        s = history[i] + x * x
        history[i] = s
        w[i] -= rate * (x / np.sqrt(s + eps) + decay * w[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adadelta(w, g, square, delta, numbers):
    """Zeiler 2012; uses no rate."""
    scale, clip, decay, _, one, _, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale, clip)
        s = square[i] + one * (x * x - square[i])
        square[i] = s
        step = np.sqrt((delta[i] + eps) / (s + eps)) * x
        delta[i] += one * (step * step - delta[i])
        w[i] -= step + decay * w[i]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _rmsprop(w, g, square, numbers):
    """Tieleman and Hinton 2012."""
    scale, clip, decay, rate, one, _, eps = numbers
    for i in range(len(w)):
        x = _clipped(g[i] * scale + decay * w[i], clip)
        s = square[i] + one * (x * x - square[i])
        square[i] = s
        w[i] -= rate * x / np.sqrt(s + eps)
