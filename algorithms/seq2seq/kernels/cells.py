"""One step of a recurrent cell behind its products, forward and backward.    n rows   h cells

Gates stand in the order of torch: input, forget, cell, output of an LSTM; reset, update, new of a GRU, whose state is
multiplied before its reset gate is applied (Cho et al. 2014 as cuDNN has it), which makes it two products.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.recurrence import tanh
from algoport.algorithms.shared.threads import share

ROWS = 8  # of a block
_HALF, _ONE = np.float32(0.5), np.float32(1)


@numba.njit(nogil=True, cache=True, fastmath=FAST, inline="always", error_model="numpy")
def _sigmoid(x):
    return _HALF * tanh(_HALF * x) + _HALF


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _lstm(block, gates, state, cells, hidden, before):
    h = state.shape[1]
    for r in range(block * ROWS, min(state.shape[0], (block + 1) * ROWS)):
        g, c, b = gates[r], cells[r], before[r]
        for j in range(2 * h):
            g[j] = _sigmoid(g[j])
        for j in range(2 * h, 3 * h):
            g[j] = tanh(g[j])
        for j in range(3 * h, 4 * h):
            g[j] = _sigmoid(g[j])
        for j in range(h):
            b[j] = c[j]
            c[j] = g[h + j] * c[j] + g[j] * g[2 * h + j]
        for j in range(h):
            value = g[3 * h + j] * tanh(c[j])
            state[r, j] = value
            hidden[r, j] = value


@numba.njit(nogil=True, cache=True, error_model="numpy")
def lstm_(
    team,  # who shares the rows
    gates,  # sets (n, 4h) float32  products with the inputs and with the state before become the activated gates
    state,  # sets (n, h) float32  hidden
    cells,  # sets (n, h) float32
    hidden,  # sets (n, h) float32  the same as `state`, where a pass keeps it
    before,  # sets (n, h) float32  the cells before this step
):
    """A step of an LSTM."""
    share(team, _lstm, (state.shape[0] + ROWS - 1) // ROWS, (gates, state, cells, hidden, before))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _lstm_back(block, gates, before, slopes, by_cells):
    h = slopes.shape[1]
    for r in range(block * ROWS, min(slopes.shape[0], (block + 1) * ROWS)):
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


@numba.njit(nogil=True, cache=True, error_model="numpy")
def lstm_back_(
    team,  # who shares the rows
    gates,  # sets (n, 4h) float32  activated gates become the gradient by what they were before
    before,  # in   (n, h) float32  the cells before this step
    slopes,  # in   (n, h) float32  gradient by the hidden state, all of it
    by_cells,  # sets (n, h) float32  gradient by the cells: behind this step's, before it
):
    """The backward pass of `lstm_`."""
    share(team, _lstm_back, (slopes.shape[0] + ROWS - 1) // ROWS, (gates, before, slopes, by_cells))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _gru(block, gates, products, state, hidden):
    h = state.shape[1]
    for r in range(block * ROWS, min(state.shape[0], (block + 1) * ROWS)):
        g, p, s = gates[r], products[r], state[r]
        for j in range(2 * h):
            g[j] = _sigmoid(g[j] + p[j])
        for j in range(h):
            new = tanh(g[2 * h + j] + g[j] * p[2 * h + j])
            g[2 * h + j] = new
            value = new + g[h + j] * (s[j] - new)
            s[j] = value
            hidden[r, j] = value


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gru_(
    team,  # who shares the rows
    gates,  # sets (n, 3h) float32  products with the inputs become the activated gates
    products,  # in   (n, 3h) float32  with the state before, and their bias
    state,  # sets (n, h) float32
    hidden,  # sets (n, h) float32  the same, where a pass keeps it
):
    """A step of a GRU."""
    share(team, _gru, (state.shape[0] + ROWS - 1) // ROWS, (gates, products, state, hidden))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _gru_back(block, gates, products, before, slopes, direct):
    h = slopes.shape[1]
    for row in range(block * ROWS, min(slopes.shape[0], (block + 1) * ROWS)):
        g, p, b, s, d = gates[row], products[row], before[row], slopes[row], direct[row]
        for j in range(h):
            r, z, new, own = g[j], g[h + j], g[2 * h + j], p[2 * h + j]
            inner = s[j] * (_ONE - z) * (_ONE - new * new)
            reset, update = inner * own * r * (_ONE - r), s[j] * (b[j] - new) * z * (_ONE - z)
            g[j], g[h + j], g[2 * h + j] = reset, update, inner
            p[j], p[h + j], p[2 * h + j] = reset, update, inner * r
            d[j] = s[j] * z


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gru_back_(
    team,  # who shares the rows
    gates,  # sets (n, 3h) float32  activated gates become the gradient by the products with the inputs
    products,  # sets (n, 3h) float32  become the gradient by the products with the state
    before,  # in   (n, h) float32  the state before this step
    slopes,  # in   (n, h) float32  gradient by the state behind it
    direct,  # sets (n, h) float32  the gradient by the state before, but for the part through the products
):
    """The backward pass of `gru_`."""
    share(team, _gru_back, (slopes.shape[0] + ROWS - 1) // ROWS, (gates, products, before, slopes, direct))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _continue_lstm(row, products, earlier, gates, cells, hidden):
    h = cells.shape[0]
    for j in range(2 * h):
        gates[j] = _sigmoid(row[j] + products[j])
    for j in range(2 * h, 3 * h):
        gates[j] = tanh(row[j] + products[j])
    for j in range(3 * h, 4 * h):
        gates[j] = _sigmoid(row[j] + products[j])
    for j in range(h):
        cells[j] = gates[h + j] * earlier[j] + gates[j] * gates[2 * h + j]
    for j in range(h):
        hidden[j] = gates[3 * h + j] * tanh(cells[j])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _continue_block(
    block,  # of ROWS rows
    table,  # in   (t, 4h) float32
    places,  # in   (n,) int64
    products,  # in   (m, 4h) float32
    parents,  # in   (n,) int64
    before,  # in   (m, h) float32
    cells,  # sets (n, h) float32
    hidden,  # sets (n, h) float32
):
    gates = np.empty(table.shape[1], np.float32)
    for r in range(block * ROWS, min(cells.shape[0], (block + 1) * ROWS)):
        own = parents[r]
        _continue_lstm(table[places[r]], products[own], before[own], gates, cells[r], hidden[r])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def continue_lstm_(
    team,  # who shares the rows
    table,  # in   (t, 4h) float32  products of inputs, with the bias
    places,  # in   (n,) int64  each row's in the table
    products,  # in   (m, 4h) float32  with the states before
    parents,  # in   (n,) int64  which of these each row continues
    before,  # in   (m, h) float32  the cells before
    cells,  # sets (n, h) float32
    hidden,  # sets (n, h) float32
):
    """A step of an LSTM for rows many of which continue the same state."""
    share(
        team,
        _continue_block,
        (cells.shape[0] + ROWS - 1) // ROWS,
        (table, places, products, parents, before, cells, hidden),
    )


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _squash(line, bias):
    for j in range(line.shape[0]):
        line[j] = tanh(line[j] + bias[j])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _squash_block(block, rows, bias):
    for r in range(block * ROWS, min(rows.shape[0], (block + 1) * ROWS)):
        _squash(rows[r], bias)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def squash_(
    team,  # who shares the rows
    rows,  # sets (n, h) float32
    bias,  # in   (h,) float32
):
    """Adds the bias to each row, of which hyperbolic tangents are made."""
    share(team, _squash_block, (rows.shape[0] + ROWS - 1) // ROWS, (rows, bias))
