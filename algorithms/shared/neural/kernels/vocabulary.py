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
from algoport.algorithms.shared.linalg.gemm import HEIGHT
from algoport.algorithms.shared.neural.kernels.word_panels import (
    PANEL,
    ROWS,
    add_dots_,
    add_outer_,
    high,
    largest_,
    logits_,
    lot,
    pack_,
    unpack_,
)
from algoport.algorithms.shared.threads import share

TILE = 512  # words
BLOCK = ROWS * PANEL  # numbers of a panel's logits
SPANS = 32  # parts of the vocabulary, at the most, whose sums for a row are kept apart: what is kept does not grow

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
def _sums_of_powers_(count, panels, logits, shift, sums):
    """Sets sums[i] to the sum of the exponentials of the numbers i of all panels, less shift[i]."""
    for i in range(count):
        sums[i] = 0
    for p in range(panels):
        line = logits[p * BLOCK : p * BLOCK + count]
        for i in range(count):
            sums[i] += exponential(line[i] - shift[i])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _chances_(count, panels, logits, shift, masses):
    """Logits become the probabilities of words, times the row's mass."""
    for p in range(panels):
        line = logits[p * BLOCK : p * BLOCK + count]
        for i in range(count):
            line[i] = masses[i] * exponential(line[i] - shift[i])


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _whole(rows):
    return (rows + HEIGHT - 1) // HEIGHT * HEIGHT


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sums_of_span(
    span,  # in   which part of the vocabulary
    hidden,  # in   (blocks, b, g) float32  by `word_panels.blocks`
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,  # in   words
    most,  # sets (spans, n) float32  the largest logit of each row
    total,  # sets (spans, n) float64  the sum of the exponentials of all, less that one
):
    m, k, spans, n = weights.shape[0], weights.shape[1], *most.shape
    flat, some = hidden.reshape(-1), lot(k, TILE)
    packed, logits = np.empty(some * high(k) * PANEL, np.float32), np.empty(some * BLOCK, np.float32)
    shift, sums = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for d in range(n):
        most[span, d], total[span, d] = -np.inf, 0
    for tile in range(span * m // spans, (span + 1) * m // spans):
        width = min(TILE, v - tile * TILE)
        for begin in range(0, width, some * PANEL):
            panels = (min(width - begin, some * PANEL) + PANEL - 1) // PANEL
            pack_(weights[tile], bias[tile], begin, width, panels, packed)
            for first in range(0, n, ROWS):
                rows = min(ROWS, n - first)
                block = flat[first * high(k) : (first + ROWS) * high(k)]
                logits_(rows, k, block, packed, panels, logits)
                largest_(logits, rows * PANEL, panels, shift)
                for r in range(rows):
                    new = most[span, first + r]
                    for j in range(PANEL):
                        new = max(new, shift[r * PANEL + j])
                    for j in range(PANEL):
                        shift[r * PANEL + j] = new
                _sums_of_powers_(rows * PANEL, panels, logits, shift, sums)
                for r in range(rows):
                    d, new, more = first + r, shift[r * PANEL], 0.0
                    for j in range(PANEL):
                        more += np.float64(sums[r * PANEL + j])
                    total[span, d] = total[span, d] * math.exp(np.float64(most[span, d] - new)) + more
                    most[span, d] = new


@numba.njit(nogil=True, cache=True, error_model="numpy")
def log_sums_(
    team,  # in   threads
    hidden,  # in   (blocks, b, g) float32  by `word_panels.blocks`
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,  # in   how many words count
    log_sums,  # sets (n,) float64  logarithm of the sum of the exponentials of a row's logits
):
    """The first pass. 2 n k v flops and n v exponentials."""
    n, spans = len(log_sums), min(SPANS, len(weights))
    most, total = np.empty((spans, n), np.float32), np.empty((spans, n), np.float64)
    share(team, _sums_of_span, spans, (hidden, weights, bias, v, most, total))
    for d in range(n):
        top, whole = np.float64(-np.inf), 0.0
        for span in range(spans):
            top = max(top, np.float64(most[span, d]))
        for span in range(spans):
            if total[span, d] != 0:
                whole += total[span, d] * math.exp(np.float64(most[span, d]) - top)
        log_sums[d] = top + math.log(whole)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _targets_(
    row,  # in   of the block
    entry,  # in   the first that may lie here
    end,  # in   behind the row's last
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    first,  # in   the lot's first word
    last,  # in   behind its last
    slopes,  # sets (l b PANEL,) float32
    subtracts,  # in   whether values are subtracted, or their products with what is there summed up
):
    """Goes through a row's entries in a lot: where they end, and the sum."""
    total = 0.0
    while entry < end and indices[entry] < last:
        word = indices[entry] - first
        place = word // PANEL * BLOCK + row * PANEL + word % PANEL
        if subtracts:
            slopes[place] -= values[entry]
        else:
            total += np.float64(values[entry]) * np.float64(slopes[place])
        entry += 1
    return entry, total


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _gradients_of_span(
    span,  # in   which part of the vocabulary
    hidden,  # in   (blocks, b, g) float32  by `word_panels.blocks`
    turned,  # in   (blocks, g, b) float32  the same, with rows for columns
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,  # in   words
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32   ascending in a row
    values,  # in   (z,) float32
    masses,  # in   (n,) float32  sum of a row's values
    log_sums,  # in   (n,) float64
    matches,  # sets (spans, n) float64  sum of values times logits
    by_hidden,  # sets (spans, blocks, b, g) float32
    by_weights,  # sets (m, k, t) float32
    by_bias,  # sets (m, t) float32
):
    n, m, k = len(masses), weights.shape[0], weights.shape[1]
    some, g = lot(k, TILE), high(k)
    whole, columns, out = hidden.reshape(-1), turned.reshape(-1), by_hidden[span].reshape(-1)
    packed, sums = np.empty(some * g * PANEL, np.float32), np.empty(some * g * PANEL, np.float32)
    slopes, shift, mass = np.zeros(some * BLOCK, np.float32), np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    first_tile, last_tile = span * m // len(matches), (span + 1) * m // len(matches)
    places = np.empty(n, np.int64)
    for d in range(n):
        places[d] = indptr[d] + np.searchsorted(indices[indptr[d] : indptr[d + 1]], np.int32(first_tile * TILE))
        matches[span, d] = 0
    out[:] = 0
    for tile in range(first_tile, last_tile):
        width = min(TILE, v - tile * TILE)
        by_weights[tile] = 0
        by_bias[tile] = 0
        for begin in range(0, width if n else 0, some * PANEL):
            panels = (min(width - begin, some * PANEL) + PANEL - 1) // PANEL
            word, last = tile * TILE + begin, tile * TILE + min(width, begin + some * PANEL)
            pack_(weights[tile], bias[tile], begin, width, panels, packed)
            for first in range(0, n, ROWS):
                rows = min(ROWS, n - first)
                logits_(rows, k, whole[first * g : (first + ROWS) * g], packed, panels, slopes)
                for r in range(rows):
                    d = first + r
                    given = r, places[d], indptr[d + 1], indices, values, word, last, slopes
                    matches[span, d] += _targets_(*given, False)[1]
                    for j in range(PANEL):
                        shift[r * PANEL + j], mass[r * PANEL + j] = np.float32(log_sums[d]), masses[d]
                for i in range(rows * PANEL, _whole(rows) * PANEL):
                    mass[i] = 0  # of no row
                _chances_(_whole(rows) * PANEL, panels, slopes, shift, mass)
                for r in range(rows):
                    d = first + r
                    given = r, places[d], indptr[d + 1], indices, values, word, last, slopes
                    places[d] = _targets_(*given, True)[0]
                block = columns[first * g : (first + ROWS) * g]
                add_outer_(rows, k, block, slopes, panels, sums, 1 if first == 0 else 0)
                add_dots_(rows, k, slopes, packed, panels, out, first * g)
            unpack_(sums, begin, width, panels, by_weights[tile], by_bias[tile])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gradients_(
    team,  # in   threads
    hidden,  # in   (blocks, b, g) float32  by `word_panels.blocks`
    turned,  # in   (blocks, g, b) float32
    weights,  # in   (m, k, t) float32
    bias,  # in   (m, t) float32
    v,  # in   words
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    masses,  # in   (n,) float32
    log_sums,  # in   (n,) float64
    matches,  # sets (spans, n) float64
    by_hidden,  # sets (spans, blocks, b, g) float32  behind the k numbers of a row stands what is of no meaning
    by_weights,  # sets (m, k, t) float32
    by_bias,  # sets (m, t) float32
):
    """The second pass; arguments as in `_gradients_of_span`. 6 n k v flops and n v exponentials."""
    share(
        team,
        _gradients_of_span,
        len(matches),
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
