"""Dense rows: products of all rows and all features.    n rows of a batch   d features   k factors

As the gradients are summed over hosts they stand in an array of their own: of a feature the sums of g x, of g x^2 and
of the rows in which it is not zero, and from FACTORS on those of g x s_f.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.factorization_machines.kernels import HEAD, SEEN, WEIGHT
from algoport.algorithms.factorization_machines.kernels.passes import _limited
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.neural.kernels.updates import adam_number
from algoport.algorithms.shared.neural.kernels.vectors import adam_row
from algoport.algorithms.shared.threads import share

ROWS, FEATURES = 32, 32  # that a thread takes at a time
SLOPE, SQUARE, COUNT, FACTORS = 0, 1, 2, 4


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _scores(block, x, weights, squares, factors, sums, scores):
    first, end = block * ROWS, min(x.shape[0], (block + 1) * ROWS)
    sums[first:end] = 0
    add_product_(end - first, x.shape[1], x[first:end], factors, sums[first:end])
    for r in range(first, end):
        linear, own, pairs = 0.0, 0.0, 0.0
        for i in range(x.shape[1]):
            linear += np.float64(x[r, i] * weights[i])
            own += np.float64(x[r, i] * x[r, i] * squares[i])
        for f in range(sums.shape[1]):
            pairs += np.float64(sums[r, f]) * np.float64(sums[r, f])
        scores[r] = linear + 0.5 * (pairs - own)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def forward(
    team,  # in   (2,) int64  as `threads.team` gives it
    x,  # in   (n, d) float32
    table,  # in   (d, width) float32
    k,  # in   int64
    sums,  # sets (n, k) float32  s
    scores,  # sets (n,) float64  y without w0
):
    """Sums and scores of rows."""
    d = x.shape[1]
    weights, squares, factors = np.empty(d, np.float32), np.empty(d, np.float32), np.empty((d, k), np.float32)
    for i in range(d):
        weights[i] = table[i, WEIGHT]
        square = np.float32(0)
        for f in range(k):
            v = table[i, HEAD + f]
            factors[i, f] = v
            square += v * v
        squares[i] = square
    share(team, _scores, (x.shape[0] + ROWS - 1) // ROWS, (x, weights, squares, factors, sums, scores))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _gradients(block, x, slopes, scaled, out):
    first, end = block * FEATURES, min(x.shape[1], (block + 1) * FEATURES)
    for i in range(first, end):
        for f in range(out.shape[1]):
            out[i, f] = 0
    for r in range(x.shape[0]):
        for i in range(first, end):
            g = slopes[r] * x[r, i]
            out[i, SLOPE] += g
            out[i, SQUARE] += g * x[r, i]
            out[i, COUNT] += np.float32(x[r, i] != 0)
    add_product_(end - first, x.shape[0], x[:, first:end].T, scaled, out[first:end, FACTORS:])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def gradients(
    team,  # in   (2,) int64  as `threads.team` gives it
    x,  # in   (n, d) float32
    slopes,  # in   (n,) float32  the derivative of the loss by each row's score
    sums,  # in   (n, k) float32
    out,  # sets (d, FACTORS + k) float32
):
    """The sums over rows of which the gradients are made."""
    scaled = np.empty(sums.shape, np.float32)
    for r in range(sums.shape[0]):
        for f in range(sums.shape[1]):
            scaled[r, f] = slopes[r] * sums[r, f]
    share(team, _gradients, (x.shape[1] + FEATURES - 1) // FEATURES, (x, slopes, scaled, out))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def update(
    gradients,  # in   (d, FACTORS + k) float32  of all rows of the batch
    table,  # sets (d, width) float32
    k,  # in   int64
    part,  # in   int64  how long a part of a record is
    linear,  # in   (8,) float32  what `rates.Rates.packed` says
    pairs,  # in   (2,) float32
):
    """One step of Adam with each feature that was not zero in all rows."""
    scale, one, two, clip, inverse, eps = linear[0], linear[1], linear[2], linear[3], linear[4], linear[5]
    for i in range(gradients.shape[0]):
        if gradients[i, COUNT] == 0:
            continue
        table[i, SEEN] = 1
        if linear[6] != 0:
            w = table[i, WEIGHT]
            whole = _limited(scale * gradients[i, SLOPE] + linear[7] * w, clip)
            table[i, WEIGHT], table[i, WEIGHT + 1], table[i, WEIGHT + 2] = adam_number(
                w, whole, table[i, WEIGHT + 1], table[i, WEIGHT + 2], one, two, linear[6], np.float32(1) / inverse, eps
            )
        first = i * table.shape[1] + HEAD
        adam_row(table, first, first + part, first + 2 * part, k, gradients[i, FACTORS:], scale, gradients[i, SQUARE],
                 pairs[1], clip, one, two, pairs[0], inverse, eps)  # fmt: skip
