"""Comparisons of pairs of vectors: their product, both side by side, the size of their difference.

m pairs   n vectors of encoder 0, k of encoder 1   e numbers of a vector   c numbers of a comparison
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import share, team

Array = NDArray[np.float32]
Whole = NDArray[np.int64]
HADAMARD, CONCAT, ABS_DIFF = range(3)
BLOCK = 64  # numbers of a vector that a task goes through
ROWS = 16  # pairs of a task


def compared(
    left: Array,  # in   (n, e)
    right: Array,  # in   (k, e)
    pairs: tuple[Whole, Whole],  # in   (m,) each  which vectors each pair is of
    kinds: NDArray[np.int64],  # in   (q,)  what stands side by side
) -> Array:
    """The comparison of each pair (m, c)."""
    e = left.shape[1]
    out = np.empty((len(pairs[0]), e * int(np.where(kinds == CONCAT, 2, 1).sum())), np.float32)
    given = const(left), const(right), const(pairs[0], np.int64), const(pairs[1], np.int64), const(kinds, np.int64)
    _compared(team(out.size), *given, out)
    return out


def compared_backward(
    left: Array,  # in   (n, e)
    right: Array,  # in   (k, e)
    pairs: tuple[Whole, Whole],  # in   (m,) each
    kinds: NDArray[np.int64],  # in   (q,)
    given: Array,  # in   (m, c)  gradient of the comparisons
) -> tuple[Array, Array]:
    """The gradients of the vectors of both encoders."""
    by_left, by_right = np.zeros_like(left), np.zeros_like(right)
    arrays = const(left), const(right), const(pairs[0], np.int64), const(pairs[1], np.int64), const(kinds, np.int64)
    _backward(team(given.size), *arrays, const(given), by_left, by_right)
    return by_left, by_right


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _compared_block(block, left, right, firsts, seconds, kinds, out):
    e = left.shape[1]
    for i in range(block * ROWS, min(len(firsts), (block + 1) * ROWS)):
        u, v, own, at = left[firsts[i]], right[seconds[i]], out[i], 0
        for kind in kinds:
            if kind == HADAMARD:
                for j in range(e):
                    own[at + j] = u[j] * v[j]
            elif kind == CONCAT:
                for j in range(e):
                    own[at + j] = u[j]
                at += e
                for j in range(e):
                    own[at + j] = v[j]
            else:
                for j in range(e):
                    own[at + j] = abs(u[j] - v[j])
            at += e


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _compared(workers, left, right, firsts, seconds, kinds, out):
    share(workers, _compared_block, (len(firsts) + ROWS - 1) // ROWS, (left, right, firsts, seconds, kinds, out))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _backward_block(
    block,  # of columns
    left,  # in   (n, e) float32
    right,  # in   (k, e) float32
    firsts,  # in   (m,) int64
    seconds,  # in   (m,) int64
    kinds,  # in   (q,) int64
    given,  # in   (m, c) float32
    by_left,  # adds (n, e) float32
    by_right,  # adds (k, e) float32
):
    e = left.shape[1]
    low, high = block * BLOCK, min(e, (block + 1) * BLOCK)
    for i in range(len(firsts)):
        u, v, own, at = left[firsts[i]], right[seconds[i]], given[i], 0
        to_u, to_v = by_left[firsts[i]], by_right[seconds[i]]
        for kind in kinds:
            if kind == HADAMARD:
                for j in range(low, high):
                    to_u[j] += own[at + j] * v[j]
                    to_v[j] += own[at + j] * u[j]
            elif kind == CONCAT:
                for j in range(low, high):
                    to_u[j] += own[at + j]
                at += e
                for j in range(low, high):
                    to_v[j] += own[at + j]
            else:
                for j in range(low, high):
                    gap = u[j] - v[j]
                    slope = own[at + j] * (np.float32(gap > 0) - np.float32(gap < 0))
                    to_u[j] += slope
                    to_v[j] -= slope
            at += e


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _backward(
    workers,  # in   threads
    left,  # in   (n, e) float32
    right,  # in   (k, e) float32
    firsts,  # in   (m,) int64
    seconds,  # in   (m,) int64
    kinds,  # in   (q,) int64
    given,  # in   (m, c) float32
    by_left,  # adds (n, e) float32
    by_right,  # adds (k, e) float32
):
    blocks = (left.shape[1] + BLOCK - 1) // BLOCK
    share(workers, _backward_block, blocks, (left, right, firsts, seconds, kinds, given, by_left, by_right))
