"""Optimizer updates in a processor's memory: of whole arrays, and of the rows of a table that a batch touched.

p parameters   v rows of the table   r touched rows   d numbers of a row

A row-sparse update is lazy: state and weight decay of a row that is not touched stay as they are, as with MXNet's
`lazy_update`. Each number is updated by itself, so that nothing depends on the number of threads. No fast-math flags: a
compiler free to contract would give other last digits than NumPy, and than itself on another processor.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.arrays import const

BLOCK = 1 << 13  # numbers of a block of a whole array
ROWS = 16  # touched rows of a block


def clip_norm_(
    gradient,  # sets (p,) float32
    most: float,
) -> float:
    """Shorten a gradient to the norm `most` where it is longer (Pascanu et al. 2013); the norm that it had."""
    norm = float(np.sqrt(np.square(gradient, dtype=np.float64).sum()))
    if norm > most:
        gradient *= np.float32(most / norm)
    return norm


def adam_(
    weights,  # sets (p,) float32
    gradient,  # in   (p,) float32
    mean,  # sets (p,) float32
    square,  # sets (p,) float32
    *,
    rate: float,
    updates: int,  # this one included
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    eps: float = 1e-8,
) -> None:
    """One step of Adam (Kingma and Ba 2015, algorithm 1): `eps` stands beside the corrected root."""
    first, second = _corrections(beta_1, beta_2, updates)
    with np.errstate(over="ignore"):  # a rate that is far too large ends in weights that are not finite
        numbers = [np.float32(number) for number in (1 - beta_1, 1 - beta_2, rate / first, second, eps)]
    _adam_(weights, const(gradient, np.float32), mean, square, *numbers)


def sgd_rows_(
    table,  # sets (v, d) float32
    momentum,  # sets (v, d) float32
    rows,  # in   (r,) int64  each once
    values,  # in   (r, d) float32  gradients
    *,
    rate: float,
    share: float = 0.0,  # of the last step in the next
    decay: float = 0.0,
    clip: float = math.inf,
) -> None:
    """Stochastic gradient descent with momentum; the gradient is clipped, and weight decay added behind that."""
    numbers = (np.float32(number) for number in (rate, share, decay, clip))
    _sgd_rows_(table, momentum, const(rows, np.int64), const(values, np.float32), *numbers)


def adagrad_rows_(
    table,  # sets (v, d) float32
    history,  # sets (v, d) float32  sums of squares
    rows,  # in   (r,) int64  each once
    values,  # in   (r, d) float32  gradients
    *,
    rate: float,
    eps: float = 1e-7,
    decay: float = 0.0,
    clip: float = math.inf,
) -> None:
    """Adagrad (Duchi, Hazan and Singer 2011); `eps` stands within the root, and weight decay is not divided by it."""
    numbers = (np.float32(number) for number in (rate, eps, decay, clip))
    _adagrad_rows_(table, history, const(rows, np.int64), const(values, np.float32), *numbers)


def adam_rows_(
    table,  # sets (v, d) float32
    mean,  # sets (v, d) float32
    square,  # sets (v, d) float32
    rows,  # in   (r,) int64  each once
    values,  # in   (r, d) float32  gradients
    *,
    rate: float,
    updates: int,  # of the table, this one included
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    eps: float = 1e-8,
    decay: float = 0.0,
    clip: float = math.inf,
) -> None:
    """Adam; `eps` stands beside the uncorrected root, as in MXNet. Decay is added, and the sum clipped."""
    first, second = _corrections(beta_1, beta_2, updates)
    sizes = (1 - beta_1, 1 - beta_2, rate / first, second, eps / math.sqrt(second), decay, clip)
    with np.errstate(over="ignore"):
        numbers = [np.float32(number) for number in sizes]
    _adam_rows_(table, mean, square, const(rows, np.int64), const(values, np.float32), *numbers)


def _corrections(beta_1: float, beta_2: float, updates: int) -> tuple[float, float]:
    """What both means are divided by to be unbiased."""
    first = 1 - beta_1**updates if beta_1 < 1 else 1.0
    return first, 1 - beta_2**updates if beta_2 < 1 else 1.0


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def adam_number(
    weight,  # in  float32, as are all
    gradient,  # in
    mean,  # in
    square,  # in
    one,  # in  1 - beta_1
    two,  # in  1 - beta_2
    size,  # in  the rate, corrected by beta_1
    correction,  # in  what the mean of squares is divided by to be unbiased
    eps,  # in  beside the corrected root
):
    """Weight, mean and mean of squares after a step of Adam: the one definition of it for kernels."""
    mean += one * (gradient - mean)
    square += two * (gradient * gradient - square)
    return weight - size * mean / (np.sqrt(square / correction) + eps), mean, square


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _adam_(
    weights,  # sets (p,) float32
    gradient,  # in   (p,) float32
    mean,  # sets (p,) float32
    square,  # sets (p,) float32
    one,  # in   float32, as are all below
    two,  # in
    size,  # in
    correction,  # in
    eps,  # in
):
    p = weights.shape[0]
    for block in numba.prange((p + BLOCK - 1) // BLOCK):
        for i in range(block * BLOCK, min(p, (block + 1) * BLOCK)):
            weights[i], mean[i], square[i] = adam_number(
                weights[i], gradient[i], mean[i], square[i], one, two, size, correction, eps
            )


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _clipped(x, most):
    if x > most:
        return most
    return -most if x < -most else x  # NaN stays what it is


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _sgd_rows_(
    table,  # sets (v, d) float32
    momentum,  # sets (v, d) float32
    rows,  # in   (r,) int64
    values,  # in   (r, d) float32
    rate,  # in   float32, as are all below
    share,  # in
    decay,  # in
    clip,  # in
):
    r, d = values.shape
    for block in numba.prange((r + ROWS - 1) // ROWS):
        for k in range(block * ROWS, min(r, (block + 1) * ROWS)):
            row = rows[k]
            for j in range(d):
                gradient = _clipped(values[k, j], clip) + decay * table[row, j]
                step = share * momentum[row, j] - rate * gradient
                momentum[row, j] = step
                table[row, j] += step


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _adagrad_rows_(
    table,  # sets (v, d) float32
    history,  # sets (v, d) float32
    rows,  # in   (r,) int64
    values,  # in   (r, d) float32
    rate,  # in   float32, as are all below
    eps,  # in
    decay,  # in
    clip,  # in
):
    r, d = values.shape
    for block in numba.prange((r + ROWS - 1) // ROWS):
        for k in range(block * ROWS, min(r, (block + 1) * ROWS)):
            row = rows[k]
            for j in range(d):
                gradient = _clipped(values[k, j], clip)
                history[row, j] += gradient * gradient
                table[row, j] -= rate * (gradient / np.sqrt(history[row, j] + eps) + decay * table[row, j])


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _adam_rows_(
    table,  # sets (v, d) float32
    mean,  # sets (v, d) float32
    square,  # sets (v, d) float32
    rows,  # in   (r,) int64
    values,  # in   (r, d) float32
    one,  # in   float32, as are all below
    two,  # in
    size,  # in
    correction,  # in
    eps,  # in
    decay,  # in
    clip,  # in
):
    r, d = values.shape
    for block in numba.prange((r + ROWS - 1) // ROWS):
        for k in range(block * ROWS, min(r, (block + 1) * ROWS)):
            row = rows[k]
            for j in range(d):
                gradient = _clipped(values[k, j] + decay * table[row, j], clip)
                table[row, j], mean[row, j], square[row, j] = adam_number(
                    table[row, j], gradient, mean[row, j], square[row, j], one, two, size, correction, eps
                )
