"""Inner loops of linear models trained side by side.

n rows   d features   m candidates   k outputs of each   c = m k columns, column = candidate * k + output
"""

from __future__ import annotations

import numba
import numpy as np

LOGISTIC, HINGE, SQUARED, ABSOLUTE, EPS_SQUARED, EPS_ABSOLUTE, QUANTILE, HUBER, SOFTMAX = range(9)
SGD, ADAM, RMSPROP = range(3)

EPSILON = 1e-8


def gradients(
    rows, shift, scale, targets, row_weights, positive, weights, bias, loss, parameter, gradient, bias_gradient, losses
):
    """Adds the sums over the rows of the gradient (d, c), of that of the bias (c,), and of the losses (m,)."""
    moved = (_taken(rows) - _taken(shift)) * _taken(scale)
    slopes = moved @ weights + bias
    _slopes(slopes, targets, row_weights, positive, loss, parameter, losses)
    gradient += moved.T @ slopes
    bias_gradient += slopes.sum(axis=0, dtype=np.float64)


def sparse_gradients(
    indptr, indices, values, shift, scale, targets, row_weights, positive, weights, bias, loss, parameter,
    gradient, bias_gradient, losses,
):  # fmt: skip
    """As `gradients`, of rows in CSR."""
    slopes = np.empty((len(indptr) - 1, len(bias)), np.float32)
    sparse_scores(indptr, indices, values, shift, scale, weights, bias, slopes)
    _slopes(slopes, targets, row_weights, positive, loss, parameter, losses)
    sums = slopes.sum(axis=0, dtype=np.float64)
    bias_gradient += sums
    raw = np.zeros((len(weights), len(bias)))
    _transposed(indptr, indices, values, slopes, raw)
    gradient += scale[:, None] * (raw - np.outer(shift, sums))


def scores(rows, shift, scale, weights, bias, out):
    """Sets `out` (n, c): ((x - shift) * scale) @ weights + bias."""
    out[:] = ((rows - shift) * scale) @ weights + bias


def sparse_scores(indptr, indices, values, shift, scale, weights, bias, out):
    """As `scores`, of rows in CSR."""
    scaled = weights * scale[:, None]
    _sparse(indptr, indices, values, scaled, bias - shift @ scaled, out)


def loss_sums(scores, targets, row_weights, positive, loss, parameter, losses):
    """Adds the weighted sum of the losses over the rows to `losses` (m,)."""
    _slopes(np.array(scores, np.float32), targets, row_weights, positive, loss, parameter, losses)


def predict(rows, weights, bias):
    """Scores (n, k) of one model."""
    rows = _taken(rows)
    out = np.empty((len(rows), len(bias)), np.float32)
    scores(rows, np.zeros(rows.shape[1], np.float32), np.ones(rows.shape[1], np.float32), weights, bias, out)
    return out


def update(
    weights, bias, first, second, first_bias, second_bias, gradient, bias_gradient, weight_sum, step, optimizer,
    learning_rates, wd, l1, beta_1, beta_2, bias_lr_mult, bias_wd_mult, use_bias,
):  # fmt: skip
    """One step of every candidate. Sets weights and bias and their moments."""
    k = len(bias) // len(learning_rates)
    rates, decays, norms = (np.repeat(np.asarray(a, np.float32), k) for a in (learning_rates, wd, l1))
    _step(weights, first, second, gradient / weight_sum, rates, decays, norms, step, optimizer, beta_1, beta_2)
    if use_bias:
        _step(bias[None], first_bias[None], second_bias[None], (bias_gradient / weight_sum)[None],
              rates * np.float32(bias_lr_mult), decays * np.float32(bias_wd_mult), norms * 0, step, optimizer, beta_1, beta_2)  # fmt: skip


def _step(weights, first, second, mean, rates, decays, norms, step, optimizer, beta_1, beta_2):
    g = (mean + 2 * decays * weights).astype(np.float32)
    if optimizer == SGD:
        first[:] = beta_1 * first + g
        pace = rates
        weights -= rates * first
        threshold = rates * norms / (1 - beta_1)
    elif optimizer == ADAM:
        first[:] = beta_1 * first + (1 - beta_1) * g
        second[:] = beta_2 * second + (1 - beta_2) * g * g
        pace = rates / (1 - beta_1**step) / (np.sqrt(second / (1 - beta_2**step)) + EPSILON)
        weights -= (pace * first).astype(np.float32)
        threshold = pace * (1 - beta_1**step) * norms
    else:
        second[:] = beta_2 * second + (1 - beta_2) * g * g
        pace = rates / (np.sqrt(second) + EPSILON)
        weights -= (pace * g).astype(np.float32)
        threshold = pace * norms
    weights[:] = np.where(norms > 0, np.sign(weights) * np.maximum(np.abs(weights) - threshold, 0), weights)


def _taken(array):
    return np.asarray(array, np.float32)


@numba.njit(nogil=True, cache=True)
def _sparse(indptr, indices, values, weights, bias, out):
    for r in range(len(out)):
        out[r] = bias
        for i in range(indptr[r], indptr[r + 1]):
            for j in range(out.shape[1]):
                out[r, j] += values[i] * weights[indices[i], j]


@numba.njit(nogil=True, cache=True)
def _transposed(indptr, indices, values, slopes, raw):
    for r in range(len(slopes)):
        for i in range(indptr[r], indptr[r + 1]):
            for j in range(slopes.shape[1]):
                raw[indices[i], j] += values[i] * slopes[r, j]


def _slopes(scores, targets, row_weights, positive, loss, parameter, losses):
    """Turns scores (n, c) into the losses' derivatives, adds the losses."""
    m = len(positive)
    y, s = targets[:, None].astype(np.float64), scores.astype(np.float64)
    w = np.repeat(row_weights[:, None].astype(np.float64), m, axis=1)
    e = s - y
    if loss in (LOGISTIC, HINGE):
        w = np.where(y > 0.5, w * positive, w)
    if loss == LOGISTIC:
        value = np.logaddexp(0, s) - y * s
        slope = 1 / (1 + np.exp(-s)) - y
    elif loss == HINGE:
        up, down = (parameter + 1) / 2 - s, (parameter - 1) / 2 + s
        value = y * np.maximum(0, up) + (1 - y) * np.maximum(0, down)
        slope = -y * (up > 0) + (1 - y) * (down > 0)
    elif loss == SQUARED:
        value, slope = e * e, 2 * e
    elif loss == ABSOLUTE:
        value, slope = np.abs(e), np.sign(e)
    elif loss == EPS_SQUARED:
        far = np.abs(e) > parameter
        value, slope = np.where(far, e * e - parameter**2, 0), np.where(far, 2 * e, 0)
    elif loss == EPS_ABSOLUTE:
        far = np.abs(e) > parameter
        value, slope = np.where(far, np.abs(e) - parameter, 0), np.where(far, np.sign(e), 0)
    elif loss == QUANTILE:
        value = parameter * np.maximum(0, -e) + (1 - parameter) * np.maximum(0, e)
        slope = np.where(e > 0, 1 - parameter, np.where(e < 0, -parameter, 0))
    elif loss == HUBER:
        near = np.abs(e) < parameter
        value = np.where(near, e * e / 2, parameter * np.abs(e) - parameter**2 / 2)
        slope = np.where(near, e, parameter * np.sign(e))
    else:
        n = len(s)
        s = s.reshape(n, m, -1)
        top = s.max(axis=2, keepdims=True)
        exp = np.exp(s - top)
        whole = exp.sum(axis=2, keepdims=True)
        mine = targets[:, None] == np.arange(s.shape[2])
        value = (np.log(whole) + top)[:, :, 0] - (s * mine[:, None]).sum(axis=2)
        slope = (exp / whole - mine[:, None]) * w[:, :, None]
        losses += (value * w).sum(axis=0)
        scores[:] = slope.reshape(n, -1)
        return
    losses += (value * w).sum(axis=0)
    scores[:] = slope * w
