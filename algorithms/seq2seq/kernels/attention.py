"""Attention of rows of a decoder to the states of their sentences (Bahdanau et al. 2015; Luong et al. 2015).

n rows   a numbers of a query and a key   s numbers of a state   p states of all sentences   m states of a sentence

The states of a sentence lie one after another, those of the first at `begins[0]`.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.recurrence import tanh
from algoport.algorithms.shared.threads import share

DOT, MLP = 0, 1
ROWS = 8  # rows of a block, or sentences


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _dot(x, y):
    total = np.float32(0)
    for j in range(x.shape[0]):
        total += x[j] * y[j]
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _curved_dot(x, y, score):
    total = np.float32(0)
    for j in range(x.shape[0]):
        total += score[j] * tanh(x[j] + y[j])
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _add(scale, x, y):
    for j in range(x.shape[0]):
        y[j] += scale * x[j]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _attend_in_block(
    block,  # of ROWS rows
    kind,  # DOT or MLP
    queries,  # in   (n, a) float32
    keys,  # in   (p, a) float32
    states,  # in   (p, s) float32
    score,  # in   (a,) float32  of MLP
    begins,  # in   (sentences + 1,) int64
    owners,  # in   (n,) int64  the sentence of each row
    weights,  # sets (n, longest) float32  0 behind a sentence's end
    contexts,  # sets (n, s) float32
):
    for r in range(block * ROWS, min(queries.shape[0], (block + 1) * ROWS)):
        first = begins[owners[r]]
        m = begins[owners[r] + 1] - first
        own, context, query = weights[r], contexts[r], queries[r]
        most = np.float32(-np.inf)
        for j in range(m):
            value = _curved_dot(query, keys[first + j], score) if kind == MLP else _dot(query, keys[first + j])
            own[j] = value
            if value > most:
                most = value
        total = np.float32(0)
        for j in range(m):
            own[j] = np.float32(math.exp(own[j] - most))
            total += own[j]
        for j in range(m, own.shape[0]):
            own[j] = 0
        context[:] = 0
        for j in range(m):
            own[j] /= total
            _add(own[j], states[first + j], context)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def attend_(
    team,  # who shares the rows
    kind,  # DOT or MLP
    queries,  # in   (n, a) float32
    keys,  # in   (p, a) float32
    states,  # in   (p, s) float32
    score,  # in   (a,) float32  of MLP
    begins,  # in   (sentences + 1,) int64
    owners,  # in   (n,) int64  the sentence of each row
    weights,  # sets (n, longest) float32  0 behind a sentence's end
    contexts,  # sets (n, s) float32
):
    """Weights and contexts. A sentence without states gets a context of zeros."""
    blocks = (queries.shape[0] + ROWS - 1) // ROWS
    share(team, _attend_in_block, blocks, (kind, queries, keys, states, score, begins, owners, weights, contexts))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _curved_back(slope, query, key, score, by_query, by_key, by_score):
    for j in range(query.shape[0]):
        thin = tanh(query[j] + key[j])
        inner = slope * score[j] * (np.float32(1) - thin * thin)
        by_query[j] += inner
        by_key[j] += inner
        by_score[j] += slope * thin


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _attend_back_of_sentences(
    block,  # of ROWS ranks
    kind,  # DOT or MLP
    queries,  # in   (n, a) float32
    keys,  # in   (p, a) float32
    states,  # in   (p, s) float32
    score,  # in   (a,) float32  of MLP
    begins,  # in   (sentences + 1,) int64
    owners,  # in   (ranks,) int64  the sentence of each rank
    sizes,  # in   (t,) int64
    starts,  # in   (t,) int64
    weights,  # in   (n, longest) float32
    slopes,  # in   (n, s) float32
    by_queries,  # sets (n, a) float32
    by_keys,  # adds (p, a) float32
    by_states,  # adds (p, s) float32
    by_scores,  # adds (ranks, a) float32
    scratch,  # sets (ranks, longest) float32
):
    for rank in range(block * ROWS, min(sizes[0], (block + 1) * ROWS)):
        first = begins[owners[rank]]
        m = begins[owners[rank] + 1] - first
        own = scratch[rank]
        for t in range(sizes.shape[0]):
            if rank >= sizes[t]:
                break
            r = starts[t] + rank
            mean = np.float32(0)
            for j in range(m):
                own[j] = _dot(slopes[r], states[first + j])
                mean += own[j] * weights[r, j]
                _add(weights[r, j], slopes[r], by_states[first + j])
            by_queries[r, :] = 0
            for j in range(m):
                slope = weights[r, j] * (own[j] - mean)
                if kind == MLP:
                    _curved_back(
                        slope, queries[r], keys[first + j], score, by_queries[r], by_keys[first + j], by_scores[rank]
                    )
                else:
                    _add(slope, keys[first + j], by_queries[r])
                    _add(slope, queries[r], by_keys[first + j])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def attend_back_(
    team,  # who shares the ranks
    kind,  # DOT or MLP
    queries,  # in   (n, a) float32  step by step: at each, the sentences of the first ranks, as many as it has
    keys,  # in   (p, a) float32
    states,  # in   (p, s) float32
    score,  # in   (a,) float32
    begins,  # in   (sentences + 1,) int64
    owners,  # in   (ranks,) int64  the sentence of each rank
    sizes,  # in   (t,) int64  rows of each step, none more than the step before
    starts,  # in   (t,) int64  the first row of each step
    weights,  # in   (n, longest) float32
    slopes,  # in   (n, s) float32  gradient by the contexts
    by_queries,  # sets (n, a) float32
    by_keys,  # adds (p, a) float32
    by_states,  # adds (p, s) float32
    by_scores,  # adds (ranks, a) float32
    scratch,  # sets (ranks, longest) float32
):
    """The backward pass of `attend_`. A sentence's rows are one thread's, so that sums have one order."""
    share(
        team,
        _attend_back_of_sentences,
        (sizes[0] + ROWS - 1) // ROWS,
        (kind, queries, keys, states, score, begins, owners, sizes, starts, weights, slopes, by_queries, by_keys,
         by_states, by_scores, scratch),
    )  # fmt: skip
