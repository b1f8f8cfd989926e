"""The softmax over the vocabulary in some rows of logits, its loss and gradient in place.    n rows   v words"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.vocabulary import exponential
from algoport.algorithms.shared.threads import share

LANES = 64  # running maxima that are kept apart, so that a loop over them is of vectors
ROWS, PART = 8, 4096  # rows of a block; words of a part


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _larger(x, y):
    return x if x > y else y


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def add_bias(line, bias, most):
    """Adds the bias to a row; its largest number. `most`: scratch (LANES,)."""
    v = line.shape[0]
    whole = v // LANES * LANES
    most[:] = -np.inf
    for i in range(0, whole, LANES):
        for j in range(LANES):
            value = line[i + j] + bias[i + j]
            line[i + j] = value
            most[j] = _larger(value, most[j])
    largest = np.float32(-np.inf)
    for j in range(LANES):
        largest = _larger(most[j], largest)
    for i in range(whole, v):
        line[i] += bias[i]
        largest = _larger(line[i], largest)
    return largest


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def sum_of_powers(line, most):
    """Sum of the exponentials of a row's numbers less its largest."""
    total = np.float32(0)
    for j in range(line.shape[0]):
        total += exponential(line[j] - most)
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _powers_(line, most):
    total = np.float32(0)
    for j in range(line.shape[0]):
        value = exponential(line[j] - most)
        line[j] = value
        total += value
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _scale_(line, scale, sums):
    for j in range(line.shape[0]):
        value = line[j] * scale
        line[j] = value
        sums[j] += value


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _softmax_of_block(
    block,  # in   of rows, which
    logits,  # sets (n, v) float32
    bias,  # in   (v,) float32
    labels,  # in   (n,) int64
    losses,  # sets (n,) float64
    right,  # sets (n,) bool
    slopes,  # in   bool
    sums,  # sets (blocks, v) float32  of the block's gradients, while they are in the cache
):
    most = np.empty(LANES, np.float32)
    for r in range(block * ROWS, min(logits.shape[0], (block + 1) * ROWS)):
        line, label = logits[r], labels[r]
        largest = add_bias(line, bias, most)
        own = line[label]
        right[r] = own >= largest
        total = _powers_(line, largest) if slopes else sum_of_powers(line, largest)
        losses[r] = np.float64(largest) + math.log(np.float64(total)) - np.float64(own)
        if slopes:
            _scale_(line, np.float32(1) / total, sums[block])
            line[label] -= np.float32(1)
            sums[block, label] -= np.float32(1)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _add_sums_(part, sums, by_bias):
    for b in range(len(sums)):
        for j in range(part * PART, min(len(by_bias), (part + 1) * PART)):
            by_bias[j] += sums[b, j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def softmax_(
    team,  # in   threads
    logits,  # sets (n, v) float32  without bias; where `slopes`, they become the loss's gradient by them
    bias,  # in   (v,) float32
    labels,  # in   (n,) int64
    losses,  # sets (n,) float64
    right,  # sets (n,) bool  whether no word is likelier than the label
    slopes,  # in   bool
    by_bias,  # adds (v,) float32  the sum of the rows' gradients, where `slopes`
):
    """Cross entropy of each row."""
    blocks, v = (logits.shape[0] + ROWS - 1) // ROWS, logits.shape[1]
    sums = np.zeros((blocks if slopes else 0, v), np.float32)
    share(team, _softmax_of_block, blocks, (logits, bias, labels, losses, right, slopes, sums))
    if slopes:
        share(team, _add_sums_, (v + PART - 1) // PART, (sums, by_bias))
