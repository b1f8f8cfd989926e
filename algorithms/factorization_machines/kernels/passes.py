"""The forward and the backward pass over sparse rows; the second ends in the update of Adam.

n rows of a batch   e entries   u features that they touch   k factors   c features seen

y(x) = w0 + sum_i w_i x_i + 1/2 sum_f [(sum_i v_if x_i)^2 - sum_i v_if^2 x_i^2] (Rendle 2010, equation 1 and lemma 3.1).
With s_f = sum_i v_if x_i and a row's derivative of the loss g, the gradient of v_if is the sum over rows of
g x_i s_f - g x_i^2 v_if: it needs of a row s and g alone, and is summed feature by feature.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.factorization_machines.kernels import HEAD, SEEN, WEIGHT
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.updates import adam_number
from algoport.algorithms.shared.neural.kernels.vectors import adam_row, fetch
from algoport.algorithms.shared.threads import share

ROWS = 16  # that a thread takes at a time
FEATURES = 32
NEAR = 1 << 20  # numbers of a table up to which nothing need be called for, as a cache has it
AHEAD = 3  # features whose records are called for before they are needed


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _forward(
    block,  # int64  which ROWS of the rows
    own,  # in   (m,) int64  as `forward` has these and all below
    bounds,  # in   (n + 1,) int32
    values,  # in   (e,) float32
    numbers,  # in   (e,) int32
    touched,  # in   (u,) int32
    table,  # in   (c, width) float32
    k,  # in   int64
    ones,  # in   bool
    sums,  # sets (m, k) float32
    scores,  # sets (m,) float64
):
    squares, far = np.empty(k, np.float32), table.shape[0] * table.shape[1] > NEAR
    for r in range(block * ROWS, min(own.shape[0], (block + 1) * ROWS)):
        row = own[r]
        linear = 0.0
        for f in range(k):
            sums[r, f] = 0
            squares[f] = 0
        for i in range(bounds[row], bounds[row + 1]):
            number = numbers[i]
            if far and i + AHEAD < values.shape[0] and numbers[i + AHEAD] >= 0:
                fetch(table, np.int64(touched[numbers[i + AHEAD]]) * table.shape[1], HEAD + k)
            if number < 0:
                continue
            record = touched[number]
            if ones:
                linear += table[record, WEIGHT]
                for f in range(k):
                    v = table[record, HEAD + f]
                    sums[r, f] += v
                    squares[f] += v * v
            else:
                x = values[i]
                linear += np.float64(x) * table[record, WEIGHT]
                for f in range(k):
                    v = x * table[record, HEAD + f]
                    sums[r, f] += v
                    squares[f] += v * v
        pairs = 0.0
        for f in range(k):
            pairs += np.float64(sums[r, f]) * np.float64(sums[r, f]) - np.float64(squares[f])
        scores[r] = linear + 0.5 * pairs


@numba.njit(nogil=True, cache=True, error_model="numpy")
def forward(
    team,  # in   (2,) int64  as `threads.team` gives it
    own,  # in   (m,) int64  the rows to score
    bounds,  # in   (n + 1,) int32  where the entries of each row begin
    values,  # in   (e,) float32
    numbers,  # in   (e,) int32  which of u each entry's feature is; -1: an entry of 0
    touched,  # in   (u,) int32  the record of each
    table,  # in   (c, width) float32
    k,  # in   int64
    ones,  # in   bool  whether all values are 1
    sums,  # sets (m, k) float32  s
    scores,  # sets (m,) float64  y without w0
):
    """Sums and scores of rows."""
    blocks = (own.shape[0] + ROWS - 1) // ROWS
    share(team, _forward, blocks, (own, bounds, values, numbers, touched, table, k, ones, sums, scores))


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _limited(gradient, clip):
    # Comparisons and no min and max, which would lose NaN.
    gradient = clip if gradient > clip else gradient
    return -clip if gradient < -clip else gradient


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _backward(
    block,  # int64  which FEATURES of the features
    begins,  # in   (u + 1,) int64  as `backward` has these and all below
    rows,  # in   (e,) int32
    factors,  # in   (e,) float32
    slopes,  # in   (n,) float32
    sums,  # in   (n, k) float32
    touched,  # in   (u,) int32
    table,  # sets (c, width) float32
    k,  # in   int64
    part,  # in   int64
    ones,  # in   bool
    linear,  # in   (8,) float32
    pairs,  # in   (2,) float32
):
    gradient, far = np.empty(k, np.float32), table.shape[0] * table.shape[1] > NEAR
    scale, one, two, clip, correction, eps = linear[0], linear[1], linear[2], linear[3], linear[4], linear[5]
    for u in range(block * FEATURES, min(touched.shape[0], (block + 1) * FEATURES)):
        record = touched[u]
        if far and u + AHEAD < touched.shape[0]:
            fetch(table, np.int64(touched[u + AHEAD]) * table.shape[1], table.shape[1])
        begin, end = begins[u], begins[u + 1]
        g = slopes[rows[begin]] * factors[begin]
        slope = np.float64(g)
        square = np.float64(g) * np.float64(factors[begin])
        row = rows[begin]
        for f in range(k):
            gradient[f] = g * sums[row, f]
        for i in range(begin + 1, end):
            row = rows[i]
            g = slopes[row] if ones else slopes[row] * factors[i]
            slope += np.float64(g)
            square += np.float64(g) * np.float64(factors[i])
            for f in range(k):
                gradient[f] += g * sums[row, f]
        table[record, SEEN] = 1
        if linear[6] != 0:
            w = table[record, WEIGHT]
            whole = _limited(scale * np.float32(slope) + linear[7] * w, clip)
            table[record, WEIGHT], table[record, WEIGHT + 1], table[record, WEIGHT + 2] = adam_number(
                w,
                whole,
                table[record, WEIGHT + 1],
                table[record, WEIGHT + 2],
                one,
                two,
                linear[6],
                np.float32(1) / correction,
                eps,
            )
        first = np.int64(record) * table.shape[1] + HEAD
        adam_row(table, first, first + part, first + 2 * part, k, gradient, scale, np.float32(square), pairs[1], clip,
                 one, two, pairs[0], correction, eps)  # fmt: skip


@numba.njit(nogil=True, cache=True, error_model="numpy")
def backward(
    team,  # in   (2,) int64  as `threads.team` gives it
    begins,  # in   (u + 1,) int64  where the entries of each feature begin
    rows,  # in   (e,) int32  their rows
    factors,  # in   (e,) float32  their values
    slopes,  # in   (n,) float32  the derivative of the loss by each row's score
    sums,  # in   (n, k) float32
    touched,  # in   (u,) int32
    table,  # sets (c, width) float32
    k,  # in   int64
    part,  # in   int64  how long a part of a record is
    ones,  # in   bool
    linear,  # in   (8,) float32  what `rates.Rates.packed` says
    pairs,  # in   (2,) float32
):
    """Gradients of all touched features, and one step of Adam with each."""
    blocks = (touched.shape[0] + FEATURES - 1) // FEATURES
    share(
        team,  # in   (2,) int64  as `threads.team` gives it
        _backward,
        blocks,
        (begins, rows, factors, slopes, sums, touched, table, k, part, ones, linear, pairs),
    )
