"""What topics a document has.    n documents   z entries   w numbers of a topic's row: k topics and zeros

The shares of topics in a document are the fixed point of expectation maximization with a Dirichlet prior, whose M-step
adds the prior to the expected counts: the posterior mean of CVB0 without its own count left out (Asuncion, Welling,
Smyth and Teh 2009, section 2.4). The words' rows of the topics lie word by word; those of a document are copied, topic
by topic, before its first step (`lanes`).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.lda.kernels.lanes import ENTRIES, LANES, advance, gather, weigh
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.threads import share, team

Array = NDArray[np.float32]

BLOCK = 16  # documents that a thread takes at a time
ROOM = 1 << 18  # numbers of the panels of a document that are kept from step to step: a megabyte
LEAST = np.float32(1e-30)  # what no topic makes more probable counts as a word that no topic has


def infer(
    indptr: NDArray[np.int64],  # (n + 1,)
    words: NDArray[np.int32],  # (z,)
    values: Array,  # (z,)
    topics: Array,  # (v, w) of a word, how probable each topic makes it
    prior: Array,  # (w,)
    k: int,  # how many topics there are; behind them rows and prior are zero
    steps: int,  # at most so many
    tolerance: float = 0.0,  # of the change of a step, as a share of the whole
) -> tuple[Array, Array]:
    """Expected counts and prior of each topic (n, w) float32, and values / (mixture . topics of the word) (z,) float32
    with the mixture of the last step, 0 where no topic has the word. Steps of expectation maximization of each
    document, from the prior on; 4 z k flops a step. What comes out for a document depends on nothing beside it."""
    mixtures, ratios = np.empty((len(indptr) - 1, topics.shape[1]), np.float32), np.empty(len(words), np.float32)
    workers = team(len(words) * topics.shape[1])
    given = indptr, words, values, topics, prior
    _infer(workers, *given, k + k % 2, steps, np.float32(tolerance), mixtures, ratios)
    return mixtures, ratios


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _infer(
    workers,  # in   threads
    indptr,  # in   (n + 1,) int64
    words,  # in   (z,) int32
    values,  # in   (z,) float32
    topics,  # in   (v, w) float32
    prior,  # in   (w,) float32
    k,  # topics, an even number
    steps,  # at most so many
    tolerance,  # float32
    mixtures,  # sets (n, w) float32
    ratios,  # sets (z,) float32
):
    given = indptr, words, values, topics, prior, k, steps, tolerance, mixtures, ratios
    share(workers, _infer_block, (len(mixtures) + BLOCK - 1) // BLOCK, given)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _infer_block(
    block,  # which documents
    indptr,  # in   (n + 1,) int64
    words,  # in   (z,) int32
    values,  # in   (z,) float32
    topics,  # in   (v, w) float32
    prior,  # in   (w,) float32
    k,  # topics, an even number
    steps,  # at most so many
    tolerance,  # float32
    mixtures,  # sets (n, w) float32
    ratios,  # sets (z,) float32
):
    n, w = mixtures.shape
    first, last = block * BLOCK, min(n, (block + 1) * BLOCK)
    most = 0
    for r in range(first, last):
        most = max(most, indptr[r + 1] - indptr[r])
    most = (most + ENTRIES - 1) // ENTRIES
    # Of a document with more words than there is room for, the panels are made anew in each step.
    panels = np.empty(max(1, min(most, ROOM // (w * ENTRIES))) * w * ENTRIES, np.float32)
    own, quotients = np.empty((2, most * ENTRIES), np.float32)
    expected = np.zeros(w * LANES, np.float32)
    for r in range(first, last):
        begin, z = indptr[r], indptr[r + 1] - indptr[r]
        count = (z + ENTRIES - 1) // ENTRIES
        fits = count * w * ENTRIES <= len(panels)
        own[:z] = values[begin : begin + z]
        own[z : count * ENTRIES] = 0
        mixture = mixtures[r]
        mixture[:] = prior
        for step in range(steps):
            more = np.int64(step < steps - 1)  # else the ratios are those of the mixture that stands
            for number in range(count):
                place = number * w * ENTRIES if fits else 0
                if step == 0 or not fits:
                    gather(topics, w, words, begin + number * ENTRIES, begin + z - 1, panels, place)
                weigh(panels, place, k, mixture, own, number * ENTRIES, LEAST, quotients, expected, more)
            if not more or advance(expected, w, prior, tolerance, mixture) <= 0:
                break
        ratios[begin : begin + z] = quotients[:z]


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def log_likelihoods(
    indptr,  # in   (n + 1,) int64
    words,  # in   (z,) int32
    values,  # in   (z,) float32
    topics,  # in   (v, w) float32
    mixtures,  # in   (n, w) float32  that sum to 1
    least,  # how probable a word counts that no topic has
    sums,  # sets (n,) float64
):
    """Of each document, the sum over its words of the logarithm of their probability."""
    n, w = mixtures.shape
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        for r in range(np.int64(block) * BLOCK, min(n, (np.int64(block) + 1) * BLOCK)):
            mixture, total = mixtures[r], 0.0
            for e in range(indptr[r], indptr[r + 1]):
                row = topics[words[e]]
                probability = np.float32(0)
                for j in range(w):
                    probability += mixture[j] * row[j]
                total += values[e] * math.log(max(np.float64(probability), least))
            sums[r] = total
