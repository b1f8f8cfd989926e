"""Softmax over a vocabulary by tiles of it: nothing of the size rows × words is written.

n rows   k numbers of a hidden row   v words   t = `TILE` words of a tile   m tiles   z entries of the targets

Weights lie tile by tile, (m, k, t), so that a tile is contiguous and stays in the cache while many rows pass by; behind
the last word they are zero. A first pass keeps the running maximum and sum of each row's exponentials; a second has the
logits again, and from them, while they are in the cache, all gradients. Blocks and spans of tiles are of fixed
size, and each number of a result has one writer and one order of additions: no bit depends on the number of threads.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.threads import share

TILE = 512  # words
ROWS = 16  # rows of a block
SPANS = 32  # parts of the vocabulary whose sums for a row are kept apart: what is kept does not grow with it

_LOG2E = np.float32(1.4426950408889634)
_LEAST = np.float32(-87.0)  # below it an exponential is as good as 0
# 2^f for f from -1/2 to 1/2: a polynomial within 2e-7 of it (least squares at Chebyshev's points).
_C = [np.float32(c) for c in (1.0, 0.6931471805599453, 0.24022650695910072, 0.055504108664821, 0.009618129107628)]
_C0, _C1, _C2, _C3, _C4 = _C
_C5, _C6 = np.float32(0.0013333558146428), np.float32(0.00015403530393381)


@intrinsic
def _real_of_bits(typing, bits):
    """The float32 that has these 32 bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@numba.njit(nogil=True, cache=True, fastmath=FAST, inline="always", error_model="numpy")
def exponential(x):
    """exp(x) within 3e-7 of it, for float32; a loop over it becomes vectors, as it calls nothing."""
    scaled = max(x, _LEAST) * _LOG2E
    whole = np.floor(scaled + np.float32(0.5))
    f = scaled - whole
    power = ((((_C6 * f + _C5) * f + _C4) * f + _C3) * f + _C2) * f + _C1
    return (power * f + _C0) * _real_of_bits((np.int32(whole) + np.int32(127)) << np.int32(23))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _logits_(rows, width, hidden, weights, bias, logits):
    """Sets the logits (rows, t) of a tile's words."""
    for r in range(rows):
        for j in range(width):
            logits[r, j] = bias[j]
        for j in range(width, TILE):
            logits[r, j] = 0
    add_product_(rows, hidden.shape[1], hidden, weights, logits)


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _larger(x, y):
    return x if x > y else y


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _largest(line, width, scratch):
    """Of a tile's logits. Halves are compared number by number: that is vectors, which a running maximum is not. A NaN
    may be lost here; the sum that follows has it."""
    if width < TILE:
        most = line[0]
        for j in range(width):
            most = _larger(line[j], most)
        return most
    for j in range(128):
        scratch[j] = _larger(_larger(line[j], line[j + 128]), _larger(line[j + 256], line[j + 384]))
    for j in range(32):
        scratch[j] = _larger(_larger(scratch[j], scratch[j + 32]), _larger(scratch[j + 64], scratch[j + 96]))
    most = scratch[0]
    for j in range(32):
        most = _larger(scratch[j], most)
    return most


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _sum_of_powers(line, width, most):
    total = np.float32(0)
    for j in range(width):
        total += exponential(line[j] - most)
    return total


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _log_sums_of_block(
    block,
    hidden,  # in   (n, k) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,
    log_sums,  # sets (n,) float64
):
    first = block * ROWS
    rows = min(ROWS, hidden.shape[0] - first)
    logits, scratch = np.empty((ROWS, TILE), np.float32), np.empty(128, np.float32)
    most, total = np.full(ROWS, -np.inf, np.float32), np.zeros(ROWS, np.float64)
    for tile in range(weights.shape[0]):
        width = min(TILE, v - tile * TILE)
        _logits_(rows, width, hidden[first : first + rows], weights[tile], bias[tile], logits)
        for r in range(rows):
            line = logits[r]
            new = max(most[r], _largest(line, width, scratch))
            total[r] = total[r] * math.exp(np.float64(most[r] - new)) + _sum_of_powers(line, width, new)
            most[r] = new
    for r in range(rows):
        log_sums[first + r] = most[r] + math.log(total[r])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def log_sums_(
    team,
    hidden,  # in   (n, k) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,  # in   how many words count
    log_sums,  # sets (n,) float64  logarithm of the sum of the exponentials of a row's logits
):
    """The first pass. 2 n k v flops and n v exponentials."""
    share(team, _log_sums_of_block, (hidden.shape[0] + ROWS - 1) // ROWS, (hidden, weights, bias, v, log_sums))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _chances_(line, width, log_sum, mass):
    """Logits become the probabilities of words, times the row's mass."""
    for j in range(width):
        line[j] = mass * exponential(line[j] - log_sum)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _add_sums_(rows, slopes, sums):
    for r in range(rows):
        for j in range(TILE):
            sums[j] += slopes[r, j]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def add_dots_(rows, slopes, weights, sums):
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


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _gradients_of_span(
    span,  # in   which part of the vocabulary
    hidden,  # in   (n, k) float32
    turned,  # in   (blocks, k, ROWS) float32  the same, block by block, with rows for columns; zero behind the last
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,  # in   words
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32   ascending in a row
    values,  # in   (z,) float32
    masses,  # in   (n,) float32  sum of a row's values
    log_sums,  # in   (n,) float64
    matches,  # sets (SPANS, n) float64  sum of values times logits
    by_hidden,  # sets (SPANS, n, k) float32
    by_weights,  # sets (m, k, t) float32
    by_bias,  # sets (m, t) float32
):
    n, m, k = hidden.shape[0], weights.shape[0], hidden.shape[1]
    first_tile, last_tile = span * m // SPANS, (span + 1) * m // SPANS
    places = np.empty(n, np.int64)
    for d in range(n):
        places[d] = indptr[d] + np.searchsorted(indices[indptr[d] : indptr[d + 1]], np.int32(first_tile * TILE))
        matches[span, d] = 0
    by_hidden[span] = 0
    slopes = np.zeros((ROWS, TILE), np.float32)
    for tile in range(first_tile, last_tile):
        begin, width = tile * TILE, min(TILE, v - tile * TILE)
        by_weights[tile] = 0
        by_bias[tile] = 0
        for first in range(0, n, ROWS):
            rows = min(ROWS, n - first)
            _logits_(rows, width, hidden[first : first + rows], weights[tile], bias[tile], slopes)
            for r in range(rows):
                d, line = first + r, slopes[r]
                at, match = places[d], 0.0
                while at < indptr[d + 1] and indices[at] < begin + width:
                    match += np.float64(values[at]) * np.float64(line[indices[at] - begin])
                    at += 1
                matches[span, d] += match
                _chances_(line, width, np.float32(log_sums[d]), masses[d])
                for e in range(places[d], at):
                    line[indices[e] - begin] -= values[e]
                places[d] = at
            for r in range(rows, ROWS):
                slopes[r] = 0
            add_product_(k, ROWS, turned[first // ROWS], slopes, by_weights[tile])
            _add_sums_(rows, slopes, by_bias[tile])
            add_dots_(rows, slopes, weights[tile], by_hidden[span, first : first + rows])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gradients_(
    team,  # in   threads
    hidden,  # in   (n, k) float32
    turned,  # in   (blocks, k, ROWS) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,  # in   words
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    masses,  # in   (n,) float32
    log_sums,  # in   (n,) float64
    matches,  # sets (SPANS, n) float64
    by_hidden,  # sets (SPANS, n, k) float32
    by_weights,  # sets (m, k, t) float32
    by_bias,  # sets (m, t) float32
):
    """The second pass; arguments as in `_gradients_of_span`. 6 n k v flops and n v exponentials."""
    share(
        team,
        _gradients_of_span,
        SPANS,
        (hidden, turned, weights, bias, v, indptr, indices, values, masses, log_sums, matches, by_hidden, by_weights,
         by_bias),
    )  # fmt: skip


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _matches_of_block(
    block,  # in   of rows, which
    hidden,  # in   (n, k) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    matches,  # sets (n,) float64
):
    first = block * ROWS
    for d in range(first, min(first + ROWS, hidden.shape[0])):
        total = 0.0
        for e in range(indptr[d], indptr[d + 1]):
            tile, j = indices[e] // TILE, indices[e] % TILE
            logit = np.float64(bias[tile, j])
            for i in range(hidden.shape[1]):
                logit += np.float64(hidden[d, i]) * np.float64(weights[tile, i, j])
            total += np.float64(values[e]) * logit
        matches[d] = total


@numba.njit(nogil=True, cache=True, error_model="numpy")
def matches_(
    team,  # in   threads
    hidden,  # in   (n, k) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    matches,  # sets (n,) float64
):
    """Sums of values times logits, where no gradient is wanted; arguments as in `_matches_of_block`."""
    share(
        team,
        _matches_of_block,
        (hidden.shape[0] + ROWS - 1) // ROWS,
        (hidden, weights, bias, indptr, indices, values, matches),
    )
