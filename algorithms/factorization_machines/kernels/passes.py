"""The forward and the backward pass over sparse rows; the second ends in the update of Adam.

n rows of a batch   e entries   u features that they touch   k factors   c features seen   p spans of factors

y(x) = w0 + sum_i w_i x_i + 1/2 sum_f [(sum_i v_if x_i)^2 - sum_i v_if^2 x_i^2] (Rendle 2010, equation 1 and lemma 3.1).
With s_f = sum_i v_if x_i and a row's derivative of the loss g, the gradient of v_if is the sum over rows of
g x_i s_f - g x_i^2 v_if: it needs of a row s and g alone, and is summed feature by feature.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.factorization_machines.kernels import HEAD, LINE, SEEN, SPAN, WEIGHT
from algoport.algorithms.factorization_machines.kernels.losses import slopes as slopes_of
from algoport.algorithms.factorization_machines.kernels.vectors import feature_span, row_span
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.updates import adam_number
from algoport.algorithms.shared.neural.kernels.vectors import fetch
from algoport.algorithms.shared.threads import share

ROWS = 32  # that a task takes
FEATURES = 32
NEAR = 1 << 20  # numbers of a table up to which nothing need be called for, as a cache has it
AHEAD = 3  # features whose records are called for before they are needed


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _forward(
    task,  # int64  which span, and which ROWS of the rows
    blocks,  # int64  of rows
    own,  # in   (m,) int64  as `forward` has these and all below
    bounds,  # in   (n + 1,) int32
    values,  # in   (e,) float32
    numbers,  # in   (e,) int32
    touched,  # in   (u,) int32
    table,  # in   (c, width) float32
    k,  # in   int64
    sums,  # sets (m, k) float32
    parts,  # sets (p, m) float64  what each span adds to the scores
):
    span, block = task // blocks, task % blocks
    at, w = span * SPAN, table.shape[1]
    last = bounds[bounds.shape[0] - 1] if table.shape[0] * w > NEAR else 0
    for r in range(block * ROWS, min(own.shape[0], (block + 1) * ROWS)):
        begin, end = np.int64(bounds[own[r]]), np.int64(bounds[own[r] + 1])
        pairs = row_span(table, np.int64(w), HEAD + at, min(SPAN, k - at), touched, numbers, values, begin, end,
                         np.int64(last), sums, r * k + at)  # fmt: skip
        score = 0.5 * np.float64(pairs)
        if span == 0:
            for i in range(begin, end):
                if numbers[i] >= 0:
                    score += np.float64(values[i]) * np.float64(table[touched[numbers[i]], WEIGHT])
        parts[span, r] = score


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
    sums,  # sets (m, k) float32  s
    scores,  # sets (m,) float64  y without w0
):
    """Sums and scores of rows."""
    blocks, spans = (own.shape[0] + ROWS - 1) // ROWS, (k + SPAN - 1) // SPAN
    parts = np.empty((spans, own.shape[0]))
    share(team, _forward, blocks * spans, (blocks, own, bounds, values, numbers, touched, table, k, sums, parts))
    for r in range(own.shape[0]):
        score = 0.0
        for span in range(spans):
            score += parts[span, r]
        scores[r] = score


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _limited(gradient, clip):
    # Comparisons and no min and max, which would lose NaN.
    gradient = clip if gradient > clip else gradient
    return -clip if gradient < -clip else gradient


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _backward(
    task,  # int64  which span, and which FEATURES of the features
    blocks,  # int64  of features
    begins,  # in   (u + 1,) int64  as `backward` has these and all below
    rows,  # in   (e,) int32
    factors,  # in   (e,) float32
    slopes,  # in   (n,) float32
    sums,  # in   (n, k) float32
    touched,  # in   (u,) int32
    table,  # sets (c, width) float32
    k,  # in   int64
    part,  # in   int64
    linear,  # in   (8,) float32
    pairs,  # in   (2,) float32
):
    span, block = task // blocks, task % blocks
    at, w, u = span * SPAN, np.int64(table.shape[1]), touched.shape[0]
    count, far = min(SPAN, k - at), table.shape[0] * w > NEAR
    scale, one, two, clip, inverse, eps = linear[0], linear[1], linear[2], linear[3], linear[4], linear[5]
    numbers = scale, pairs[1], clip, one, two, pairs[0], inverse, eps
    for i in range(block * FEATURES, min(u, (block + 1) * FEATURES)):
        record = np.int64(touched[i])
        if far and i + AHEAD < u:
            coming = np.int64(touched[i + AHEAD]) * w + HEAD + at
            for place in range(coming, coming + 3 * part, part):
                fetch(table, place, count)
            if span == 0:
                fetch(table, coming - HEAD, LINE)
        slope = feature_span(table, record * w + HEAD + at, part, count, rows, factors, slopes, sums, k, at,
                             begins[i], begins[i + 1], numbers)  # fmt: skip
        if span == 0:
            table[record, SEEN] = 1
            if linear[6] != 0:
                weight = table[record, WEIGHT]
                whole = _limited(scale * np.float32(slope) + linear[7] * weight, clip)
                table[record, WEIGHT], table[record, WEIGHT + 1], table[record, WEIGHT + 2] = adam_number(
                    weight, whole, table[record, WEIGHT + 1], table[record, WEIGHT + 2], one, two, linear[6],
                    np.float32(1) / inverse, eps,
                )  # fmt: skip


@numba.njit(nogil=True, cache=True, error_model="numpy")
def backward(
    team,  # in   (2,) int64  as `threads.team` gives it
    scores,  # in   (n,) float64  y without w0
    bias,  # in   float64  w0
    labels,  # in   (n,) float32
    is_regression,  # in   bool
    begins,  # in   (u + 1,) int64  where the entries of each feature begin
    rows,  # in   (e,) int32  their rows
    factors,  # in   (e,) float32  their values
    sums,  # in   (n, k) float32
    touched,  # in   (u,) int32
    table,  # sets (c, width) float32
    k,  # in   int64
    part,  # in   int64  how long a part of a record is
    linear,  # in   (8,) float32  what `rates.Rates` has for the step
    pairs,  # in   (2,) float32
    counts,  # adds (losses.COUNTS,) float64
):
    """Gradients of all touched features, and one step of Adam with each; returns that of w0."""
    whole, slopes = np.empty(scores.shape[0]), np.empty(scores.shape[0], np.float32)
    for r in range(scores.shape[0]):
        whole[r] = scores[r] + bias
    total = slopes_of(whole, labels, is_regression, counts, slopes)
    blocks, spans = (touched.shape[0] + FEATURES - 1) // FEATURES, (k + SPAN - 1) // SPAN
    share(
        team,
        _backward,
        blocks * spans,
        (blocks, begins, rows, factors, slopes, sums, touched, table, k, part, linear, pairs),
    )
    return total
