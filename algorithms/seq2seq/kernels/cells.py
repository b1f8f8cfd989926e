"""One step of a recurrent cell behind its products, forward and backward.    n rows   h cells

Gates stand in the order of torch: input, forget, cell, output of an LSTM; reset, update, new of a GRU, whose state is
multiplied before its reset gate is applied (Cho et al. 2014 as cuDNN has it), which makes it two products.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.recurrence import tanh

_HALF, _ONE = np.float32(0.5), np.float32(1)


@numba.njit(nogil=True, cache=True, fastmath=FAST, inline="always", error_model="numpy")
def _sigmoid(x):
    return _HALF * tanh(_HALF * x) + _HALF


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def lstm_(
    gates,  # sets (n, 4h) float32  products with the inputs become the activated gates
    products,  # in   (n, 4h) float32  with the state before
    state,  # sets (n, h) float32  hidden
    cells,  # sets (n, h) float32
    hidden,  # sets (n, h) float32  the same as `state`, where a pass keeps it
    before,  # sets (n, h) float32  the cells before this step
):
    """A step of an LSTM."""
    n, h = state.shape
    for r in range(n):
        g, p, c, b = gates[r], products[r], cells[r], before[r]
        for j in range(2 * h):
            g[j] = _sigmoid(g[j] + p[j])
        for j in range(2 * h, 3 * h):
            g[j] = tanh(g[j] + p[j])
        for j in range(3 * h, 4 * h):
            g[j] = _sigmoid(g[j] + p[j])
        for j in range(h):
            b[j] = c[j]
            c[j] = g[h + j] * c[j] + g[j] * g[2 * h + j]
        for j in range(h):
            value = g[3 * h + j] * tanh(c[j])
            state[r, j] = value
            hidden[r, j] = value


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def lstm_back_(
    gates,  # sets (n, 4h) float32  activated gates become the gradient by what they were before
    before,  # in   (n, h) float32  the cells before this step
    slopes,  # in   (n, h) float32  gradient by the hidden state, all of it
    by_cells,  # sets (n, h) float32  gradient by the cells: behind this step's, before it
):
    """The backward pass of `lstm_`."""
    n, h = slopes.shape
    for r in range(n):
        g, b, s, dc = gates[r], before[r], slopes[r], by_cells[r]
        for j in range(h):
            i, f, c, o = g[j], g[h + j], g[2 * h + j], g[3 * h + j]
            thin = tanh(f * b[j] + i * c)
            cell = s[j] * o * (_ONE - thin * thin) + dc[j]
            g[j] = cell * c * i * (_ONE - i)
            g[h + j] = cell * b[j] * f * (_ONE - f)
            g[2 * h + j] = cell * i * (_ONE - c * c)
            g[3 * h + j] = s[j] * thin * o * (_ONE - o)
            dc[j] = cell * f


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def gru_(
    gates,  # sets (n, 3h) float32  products with the inputs become the activated gates
    products,  # in   (n, 3h) float32  with the state before, and their bias
    state,  # sets (n, h) float32
    hidden,  # sets (n, h) float32  the same, where a pass keeps it
):
    """A step of a GRU."""
    n, h = state.shape
    for r in range(n):
        g, p, s = gates[r], products[r], state[r]
        for j in range(2 * h):
            g[j] = _sigmoid(g[j] + p[j])
        for j in range(h):
            new = tanh(g[2 * h + j] + g[j] * p[2 * h + j])
            g[2 * h + j] = new
            value = new + g[h + j] * (s[j] - new)
            s[j] = value
            hidden[r, j] = value


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def gru_back_(
    gates,  # sets (n, 3h) float32  activated gates become the gradient by the products with the inputs
    products,  # sets (n, 3h) float32  become the gradient by the products with the state
    before,  # in   (n, h) float32  the state before this step
    slopes,  # in   (n, h) float32  gradient by the state behind it
    direct,  # sets (n, h) float32  the gradient by the state before, but for the part through the products
):
    """The backward pass of `gru_`."""
    n, h = slopes.shape
    for row in range(n):
        g, p, b, s, d = gates[row], products[row], before[row], slopes[row], direct[row]
        for j in range(h):
            r, z, new, own = g[j], g[h + j], g[2 * h + j], p[2 * h + j]
            inner = s[j] * (_ONE - z) * (_ONE - new * new)
            reset, update = inner * own * r * (_ONE - r), s[j] * (b[j] - new) * z * (_ONE - z)
            g[j], g[h + j], g[2 * h + j] = reset, update, inner
            p[j], p[h + j], p[2 * h + j] = reset, update, inner * r
            d[j] = s[j] * z
