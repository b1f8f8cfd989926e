"""The normalization of a decoder's logits, a tile of words at a time.    k topics   m tiles of t words

A BLAS library would share each tile's small products out among threads that wait for each other.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.neural.kernels.vocabulary import TILE
from algoport.algorithms.shared.threads import share

SPANS = 8  # parts of the vocabulary whose sums are kept apart


@numba.njit(nogil=True, cache=True, error_model="numpy")
def scale_(
    team,  # in   threads
    mean,  # in   (k,) float32
    covariance,  # in   (k, k) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    eps,  # in   float32
    scaled,  # sets (m, k, t) float32  weights over the deviation of a word's logits
    shifted,  # sets (m, t) float32  bias less what the mean of topic weights adds
    inverse,  # sets (m, t) float32  one over the deviation
):
    """Weights and bias of normalized logits. 2 k² v flops."""
    share(team, _scale_tile, len(weights), (mean, covariance, weights, bias, eps, scaled, shifted, inverse))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _scale_tile(
    tile,  # in   which
    mean,  # in   (k,) float32
    covariance,  # in   (k, k) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    eps,  # in   added to a variance
    scaled,  # sets (m, k, t) float32
    shifted,  # sets (m, t) float32
    inverse,  # sets (m, t) float32
):
    k, t = weights.shape[1:]
    own, out, root, moved = weights[tile], scaled[tile], inverse[tile], shifted[tile]
    product, variance = np.zeros((k, t), np.float32), np.zeros(t, np.float32)
    add_product_(k, k, covariance, own, product)
    for i in range(k):
        for j in range(t):
            variance[j] += own[i, j] * product[i, j]
    for j in range(t):
        root[j] = np.float32(1) / np.sqrt((variance[j] if variance[j] > 0 else np.float32(0)) + eps)
        moved[j] = bias[tile, j]
    for i in range(k):
        for j in range(t):
            out[i, j] = own[i, j] * root[j]
            moved[j] -= mean[i] * out[i, j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def unscale_(
    team,  # in   threads
    mean,  # in   (k,) float32
    covariance,  # in   (k, k) float32
    weights,  # in   (m, k, t) float32
    scaled,  # in   (m, k, t) float32
    inverse,  # in   (m, t) float32
    by_bias,  # in   (m, t) float32
    by_weights,  # sets (m, k, t) float32  from the gradient by the scaled weights
    by_mean,  # sets (SPANS, k) float32
    by_covariance,  # sets (SPANS, k, k) float32
):
    """Gradients by weights, mean and covariance from those by scaled weights and bias. 4 k² v flops."""
    share(
        team,  # in   threads
        _unscale_span,
        SPANS,
        (mean, covariance, weights, scaled, inverse, by_bias, by_weights, by_mean, by_covariance),
    )


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _unscale_span(
    span,  # in   which part of the vocabulary
    mean,  # in   (k,) float32
    covariance,  # in   (k, k) float32
    weights,  # in   (m, k, t) float32
    scaled,  # in   (m, k, t) float32
    inverse,  # in   (m, t) float32
    by_bias,  # in   (m, t) float32
    by_weights,  # sets (m, k, t) float32
    by_mean,  # sets (SPANS, k) float32
    by_covariance,  # sets (SPANS, k, k) float32
):
    m, k, t = weights.shape
    middle, square = by_mean[span], by_covariance[span]
    middle[:] = 0
    square[:] = 0
    for tile in range(span * m // SPANS, (span + 1) * m // SPANS):
        own, out, root, given = weights[tile], by_weights[tile], inverse[tile], by_bias[tile]
        product, slope = np.zeros((k, t), np.float32), np.zeros(t, np.float32)
        add_product_(k, k, covariance, own, product)
        for i in range(k):
            total = np.float32(0)
            for j in range(t):
                total += scaled[tile, i, j] * given[j]
                out[i, j] -= mean[i] * given[j]
                slope[j] += out[i, j] * own[i, j]
            middle[i] -= total
        for j in range(t):
            slope[j] *= np.float32(-0.5) * root[j] * root[j] * root[j]  # by the variance
        for i in range(k):
            for j in range(t):
                out[i, j] = out[i, j] * root[j] + np.float32(2) * slope[j] * product[i, j]
                product[i, j] = own[i, j] * slope[j]
        _add_dots_(k, product, own, square)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _add_dots_(rows, slopes, weights, sums):
    """Adds to sums (rows, k) the products of each row of slopes with each of a tile's rows, four by two at a time."""
    k, high, even = weights.shape[0], rows // 4 * 4, weights.shape[0] // 2 * 2
    for r in range(0, high, 4):
        for i in range(0, even, 2):
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
            for j in range(TILE):
                a, b = weights[i, j], weights[i + 1, j]
                c, d, e, f = slopes[r, j], slopes[r + 1, j], slopes[r + 2, j], slopes[r + 3, j]
                s0 += a * c
                s1 += a * d
                s2 += a * e
                s3 += a * f
                s4 += b * c
                s5 += b * d
                s6 += b * e
                s7 += b * f
            sums[r, i] += s0
            sums[r + 1, i] += s1
            sums[r + 2, i] += s2
            sums[r + 3, i] += s3
            sums[r, i + 1] += s4
            sums[r + 1, i + 1] += s5
            sums[r + 2, i + 1] += s6
            sums[r + 3, i + 1] += s7
    for r in range(rows):
        for i in range(even if r < high else 0, k):
            total = np.float32(0)
            for j in range(TILE):
                total += slopes[r, j] * weights[i, j]
            sums[r, i] += total
