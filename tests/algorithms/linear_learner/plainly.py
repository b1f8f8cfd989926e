"""The kernels of the linear learner, said in the shortest way, in float64."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from algoport.algorithms.linear_learner import kernels


def losses_and_slopes(scores, targets, loss, parameter, m):
    """Of scores (n, c): losses (n, m), and derivatives (n, c) by the scores."""
    s, y, p = scores, targets[:, None].astype(np.float64), parameter
    e = s - y
    if loss == kernels.LOGISTIC:
        return np.logaddexp(0, s) - y * s, (1 + np.tanh(s / 2)) / 2 - y
    if loss == kernels.HINGE:
        up, down = (p + 1) / 2 - s, (p - 1) / 2 + s
        return y * np.maximum(0, up) + (1 - y) * np.maximum(0, down), (1 - y) * (down > 0) - y * (up > 0)
    if loss == kernels.SQUARED:
        return e**2, 2 * e
    if loss == kernels.ABSOLUTE:
        return np.abs(e), np.sign(e)
    if loss == kernels.EPS_SQUARED:
        return np.maximum(0, e**2 - p**2), 2 * e * (np.abs(e) > p)
    if loss == kernels.EPS_ABSOLUTE:
        return np.maximum(0, np.abs(e) - p), np.sign(e) * (np.abs(e) > p)
    if loss == kernels.QUANTILE:
        return p * np.maximum(0, -e) + (1 - p) * np.maximum(0, e), (1 - p) * (e > 0) - p * (e < 0)
    if loss == kernels.HUBER:
        near = np.abs(e) < p
        return np.where(near, e**2 / 2, p * np.abs(e) - p**2 / 2), np.where(near, e, p * np.sign(e))
    s = s.reshape(len(s), m, s.shape[1] // m)
    s = s - s.max(axis=2, keepdims=True)
    whole = np.exp(s).sum(axis=2, keepdims=True)
    mine = targets[:, None, None] == np.arange(s.shape[2])
    slopes = np.exp(s) / whole - mine
    return np.log(whole[..., 0]) - (s * mine).sum(axis=2), slopes.reshape(scores.shape)


def scores(rows, shift, scale, weights, bias):
    """(n, c)"""
    moved = (rows.astype(np.float64) - shift) * scale
    return moved @ weights.astype(np.float64) + bias


def gradients(rows, shift, scale, targets, row_weights, positive, weights, bias, loss, parameter):
    """Of the weights (d, c), of the bias (c,), and the losses (m,)."""
    m = len(positive)
    losses, slopes = losses_and_slopes(scores(rows, shift, scale, weights, bias), targets, loss, parameter, m)
    heavy = np.repeat(row_weights[:, None].astype(np.float64), m, axis=1)
    if loss in (kernels.LOGISTIC, kernels.HINGE):
        heavy = np.where(targets[:, None] > 0.5, heavy * positive, heavy)
    slopes = slopes * np.repeat(heavy, len(bias) // m, axis=1)
    moved = (rows.astype(np.float64) - shift) * scale
    return moved.T @ slopes, slopes.sum(axis=0), (losses * heavy).sum(axis=0)


def problem(n, d, m, k, loss, seed):
    """Numbers with few digits, so that float32 is exact up to the exponential, and ties and corners are met."""
    random = np.random.default_rng(seed)

    def few(low, high, shape, unit=1.0):
        return (random.integers(low, high + 1, shape) * unit).astype(np.float32)

    k = k if loss == kernels.SOFTMAX else 1
    if loss in (kernels.LOGISTIC, kernels.HINGE):
        targets = few(0, 1, n)
    else:
        targets = few(0, k - 1, n) if loss == kernels.SOFTMAX else few(-8, 8, n, 0.25)
    given = {
        "rows": few(-3, 3, (n, d)) * (random.random((n, d)) < 0.7).astype(np.float32),
        "shift": few(-1, 1, d),
        "scale": 2 ** few(-1, 1, d),
        "targets": targets,
        "row_weights": few(0, 4, n, 0.5),
        "positive": few(1, 4, m, 0.5).astype(np.float64),
        "weights": few(-4, 4, (d, m * k), 0.25),
        "bias": few(-4, 4, m * k, 0.25),
        "loss": loss,
        "parameter": 0.25 if loss != kernels.HINGE else 1.5,
    }
    return SimpleNamespace(n=n, d=d, m=m, k=k, c=m * k, given=given)


def room(sizes):
    """Where a kernel adds: gradient, that of the bias, losses; not zero."""
    return np.ones((sizes.d, sizes.c), np.float32), np.ones(sizes.c, np.float32), np.ones(sizes.m)


def near(values, want, tolerance=2e-6):
    """Sums in float32, so that what counts is the largest."""
    np.testing.assert_allclose(values, want, rtol=0, atol=tolerance * (1 + np.abs(want).max(initial=0)))
