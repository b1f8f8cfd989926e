"""What topics a document has.    n documents   z entries   w numbers of a topic's row: k topics and zeros

The shares of topics in a document are the fixed point of expectation maximization with a Dirichlet prior, whose M-step
adds the prior to the expected counts: the posterior mean of CVB0 without its own count left out (Asuncion, Welling,
Smyth and Teh 2009, section 2.4). The words' rows of the topics lie word by word, so that a step reads a row an entry.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST

BLOCK = 16  # documents that a thread takes at a time
LEAST = np.float32(1e-30)  # what no topic makes more probable counts as a word that no topic has


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def infer(
    indptr,  # in   (n + 1,) int64
    words,  # in   (z,) int32
    values,  # in   (z,) float32
    topics,  # in   (v, w) float32  of a word, how probable each topic makes it
    prior,  # in   (w,) float32
    steps,  # at most so many
    tolerance,  # of the change of a step, as a share of the whole
    mixtures,  # sets (n, w) float32  expected counts and prior of each topic
    ratios,  # sets (z,) float32  values / (mixture . topics of the word), with that mixture; 0: no topic has the word
):
    """Steps of expectation maximization of each document, from the prior on; 4 z w flops a step. What comes out for a
    document depends on nothing beside it."""
    n, w = mixtures.shape
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        expected = np.empty(w, np.float32)
        for r in range(np.int64(block) * BLOCK, min(n, (np.int64(block) + 1) * BLOCK)):
            mixture = mixtures[r]
            for j in range(w):
                mixture[j] = prior[j]
            for step in range(steps):
                for j in range(w):
                    expected[j] = 0
                for e in range(indptr[r], indptr[r + 1]):
                    row = topics[words[e]]
                    probability = np.float32(0)
                    for j in range(w):
                        probability += mixture[j] * row[j]
                    ratio = values[e] / probability if probability > LEAST else np.float32(0)
                    ratios[e] = ratio
                    for j in range(w):
                        expected[j] += ratio * row[j]
                if step == steps - 1:
                    break  # the ratios are those of the mixture that stands
                change, whole = np.float32(0), np.float32(0)
                for j in range(w):
                    value = mixture[j] * expected[j] + prior[j]
                    change += abs(value - mixture[j])
                    whole += value
                    mixture[j] = value
                if change <= tolerance * whole:
                    break


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
