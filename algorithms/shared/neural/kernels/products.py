"""Products of matrices of the sizes that a small recurrent network has.    b windows   t steps   d inputs   g outputs

A BLAS library shares each product out among threads that wait for each other, which on a machine that has other
things to do took five milliseconds for half a millisecond of work. Here windows are shared out, and all kernels of
this algorithm run on the same threads.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST

# Windows of a partial sum: the result must not depend on the number of threads.
BLOCK = 16


def products(
    x,  # in (b, s, d) float32
    w,  # in (d, g) float32
    start,  # in (b or 1, g) float32  what is added to each step of a window
    first,  # step of x that is the first to count
    steps,  # t, how many count
) -> NDArray[np.float32]:
    """start + x @ w (b, t, g)."""
    out = np.empty((len(x), steps, w.shape[1]), np.float32)
    _products(const(x, np.float32), const(w, np.float32), const(start, np.float32), int(first), out)
    return out


def outer(
    x,  # in (b, s, d) float32
    y,  # in (b, t, g) float32
    first,  # step of x that is beside the first of y
) -> NDArray[np.float32]:
    """Sum over windows and steps of the products of each number of x with each of y (g, d)."""
    sums = np.zeros((-(-len(x) // BLOCK), x.shape[2], y.shape[2]), np.float32)
    _outer(const(x, np.float32), const(y, np.float32), int(first), sums)
    return np.asarray(sums.sum(axis=0).T)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def add_product_(
    rows,  # how many count
    depth,  # how many columns of x and rows of w count
    x,  # in   (>= rows, >= depth) float32
    w,  # in   (>= depth, g) float32
    out,  # adds (>= rows, g) float32
):
    """out += x @ w, four rows and four columns of x at a time, so that what is loaded is used four times."""
    g, whole, high = w.shape[1], depth // 4 * 4, rows // 4 * 4
    for r in range(0, high, 4):
        for k in range(0, whole, 4):
            a0, a1, a2, a3 = x[r, k], x[r, k + 1], x[r, k + 2], x[r, k + 3]
            b0, b1, b2, b3 = x[r + 1, k], x[r + 1, k + 1], x[r + 1, k + 2], x[r + 1, k + 3]
            c0, c1, c2, c3 = x[r + 2, k], x[r + 2, k + 1], x[r + 2, k + 2], x[r + 2, k + 3]
            d0, d1, d2, d3 = x[r + 3, k], x[r + 3, k + 1], x[r + 3, k + 2], x[r + 3, k + 3]
            for j in range(g):
                w0, w1, w2, w3 = w[k, j], w[k + 1, j], w[k + 2, j], w[k + 3, j]
                out[r, j] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
                out[r + 1, j] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
                out[r + 2, j] += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
                out[r + 3, j] += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3
        for k in range(whole, depth):
            a0, b0, c0, d0 = x[r, k], x[r + 1, k], x[r + 2, k], x[r + 3, k]
            for j in range(g):
                out[r, j] += a0 * w[k, j]
                out[r + 1, j] += b0 * w[k, j]
                out[r + 2, j] += c0 * w[k, j]
                out[r + 3, j] += d0 * w[k, j]
    for r in range(high, rows):
        for k in range(depth):
            a = x[r, k]
            for j in range(g):
                out[r, j] += a * w[k, j]


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _products(x, w, start, first, out):
    steps = out.shape[1]
    for b in numba.prange(x.shape[0]):
        own = start[b % start.shape[0]]
        for t in range(steps):
            for j in range(w.shape[1]):
                out[b, t, j] = own[j]
        add_product_(steps, w.shape[0], x[b, first : first + steps], w, out[b])


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _outer(x, y, first, sums):
    steps = y.shape[1]
    for block in numba.prange(sums.shape[0]):
        for b in range(block * BLOCK, min(np.int64(x.shape[0]), (np.int64(block) + 1) * BLOCK)):
            add_product_(x.shape[2], steps, x[b, first : first + steps].T, y[b], sums[block])
