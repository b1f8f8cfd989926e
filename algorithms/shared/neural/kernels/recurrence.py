"""The recurrence of an LSTM, with zoneout or without: forward and backward pass.    b rows   t steps   h cells

Gates stand in the order of torch: input, forget, cell, output. What does not depend on the step before, the product
with a layer's inputs, is one matrix product before; here is what must be done step by step, for a few rows at a time
from the first step to the last, so that their state stays in the cache of one core.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.randomness import first_draw

# Rows that are computed together.
ROWS = 8
# How zoneout keeps units at their state (Krueger et al. 2016): not, by draws, or by the share that it keeps on average.
NEVER, DRAWN, EXPECTED = 0, 1, 2


def forward_(
    gates,  # sets (b, t, 4h) float32  products with the inputs become the activated gates
    weights,  # in   (h, 4h) float32     from the state to the gates
    hidden,  # sets (b, t + 1, h) float32  [:, 0] is given
    cells,  # sets (b, t + 1, h) float32  [:, 0] is given
    keys,  # in   (b,) uint64  each row's, from which its draws come
    rate,  # of zoneout
    zoneout,  # NEVER, DRAWN or EXPECTED
) -> None:
    """From the first step to the last."""
    _forward_(gates, const(weights, np.float32), hidden, cells, const(keys, np.uint64), np.float32(rate), int(zoneout))


def backward_(
    gates,  # sets (b, t, 4h) float32  activated gates become the loss's gradient by what they were before
    weights,  # in   (4h, h) float32     transposed
    cells,  # in   (b, t + 1, h) float32
    gradients,  # in   (b, t, h) float32  of the loss by each hidden state, as far as others use it
    keys,  # in   (b,) uint64
    rate,  # of zoneout
    zoneout,  # NEVER or DRAWN
) -> None:
    """From the last step to the first (Hochreiter and Schmidhuber 1997, with forget gates)."""
    h = weights.shape[1]
    padded = np.zeros((weights.shape[0], -(-h // 16) * 16), np.float32)  # whole vectors
    padded[:, :h] = weights
    _backward_(
        gates,
        const(padded, np.float32),
        const(cells, np.float32),
        const(gradients, np.float32),
        const(keys, np.uint64),
        np.float32(rate),
        int(zoneout),
    )


def zoneout_masks(
    keys,  # in   (b,) uint64
    step,  # which
    h,  # cells
    rate,  # of zoneout
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Which hidden units and cells (b, h) zoneout keeps at a step, as the passes draw it: 1 where it does."""
    hidden, cells = np.empty((len(keys), h), np.float32), np.empty((len(keys), h), np.float32)
    _zoneout_masks(const(keys, np.uint64), int(step), np.float32(rate), hidden, cells)
    return hidden, cells


@numba.njit(nogil=True, cache=True, fastmath=FAST, inline="always", error_model="numpy")
def tanh(x):
    """Within 4e-7 of it: a rational function, as a vector of which needs no calls (Eigen, ptanh_float)."""
    x = min(max(x, np.float32(-9)), np.float32(9))
    s = x * x
    p = np.float32(-2.76076847742355e-16) * s + np.float32(2.00018790482477e-13)
    p = p * s + np.float32(-8.60467152213735e-11)
    p = p * s + np.float32(5.12229709037114e-08)
    p = p * s + np.float32(1.48572235717979e-05)
    p = p * s + np.float32(6.37261928875436e-04)
    p = p * s + np.float32(4.89352455891786e-03)
    q = np.float32(1.19825839466702e-06) * s + np.float32(1.18534705686654e-04)
    q = q * s + np.float32(2.26843463243900e-03)
    q = q * s + np.float32(4.89352518554385e-03)
    return x * p / q


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def curves(h):
    """Factors outside and inside and summands (3, 4h) with which a hyperbolic tangent is what each gate needs: three
    of the four are sigmoids. So all of a row are one loop, whose vectors are full more often than those of each."""
    factors = np.full((3, 4 * h), np.float32(0.5), np.float32)
    for j in range(2 * h, 3 * h):
        factors[0, j], factors[1, j], factors[2, j] = 1, 1, 0
    return factors


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def activate_(rows, g, factors):
    """Gates (rows, 4h) become what they let through."""
    for r in range(rows):
        for j in range(g.shape[1]):
            g[r, j] = factors[0, j] * tanh(factors[1, j] * g[r, j]) + factors[2, j]


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def squash_(rows, values):
    """The hyperbolic tangent of each of the first rows, which lie one behind the other."""
    flat = values.reshape(-1)
    for m in range(rows * values.shape[1]):
        flat[m] = tanh(flat[m])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _keep_(key, step, rate, hidden, cells):
    """Sets (h,) of one row and step: 1 where a unit keeps its state."""
    h, bound = hidden.shape[0], np.uint64(rate * np.float32(65536))
    base = first_draw(key + np.uint64(step))
    for j in range(h):
        bits = first_draw(base + np.uint64(j))
        hidden[j] = np.float32((bits & np.uint64(0xFFFF)) < bound)
        cells[j] = np.float32(((bits >> np.uint64(16)) & np.uint64(0xFFFF)) < bound)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _zoneout_masks(keys, step, rate, hidden, cells):
    for i in range(keys.shape[0]):
        _keep_(keys[i], step, rate, hidden[i], cells[i])


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _forward_(gates, weights, hidden, cells, keys, rate, zoneout):
    n, steps, width = gates.shape
    h = width // 4
    for block in numba.prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(n, (block + 1) * ROWS)
        rows = last - first
        x, g = np.zeros((ROWS, h), np.float32), np.empty((ROWS, width), np.float32)
        squashed, factors = np.empty((ROWS, h), np.float32), curves(h)
        keep_h, keep_c = np.full(h, rate, np.float32), np.full(h, rate, np.float32)
        for b in range(first, last):
            for j in range(h):
                x[b - first, j] = hidden[b, 0, j]
        for t in range(steps):
            for b in range(first, last):
                for j in range(width):
                    g[b - first, j] = gates[b, t, j]
            add_product_(rows, h, x, weights, g)
            activate_(rows, g, factors)
            for b in range(first, last):
                own, r = gates[b, t], b - first
                before, after = cells[b, t], cells[b, t + 1]
                for j in range(width):
                    own[j] = g[r, j]
                for j in range(h):
                    new = g[r, h + j] * before[j] + g[r, j] * g[r, 2 * h + j]
                    after[j] = new
                    squashed[r, j] = new
            squash_(rows, squashed)
            for b in range(first, last):
                r = b - first
                before, after, state = cells[b, t], cells[b, t + 1], hidden[b, t + 1]
                if zoneout == DRAWN:
                    _keep_(keys[b], t, rate, keep_h, keep_c)
                for j in range(h):
                    state[j] = g[r, 3 * h + j] * squashed[r, j]
                if zoneout != NEVER:
                    for j in range(h):
                        after[j] += keep_c[j] * (before[j] - after[j])
                        state[j] += keep_h[j] * (x[r, j] - state[j])
                for j in range(h):
                    x[r, j] = state[j]


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _backward_(gates, weights, cells, gradients, keys, rate, zoneout):
    n, steps, width = gates.shape
    h = width // 4
    for block in numba.prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(n, (block + 1) * ROWS)
        rows = last - first
        g = np.zeros((ROWS, width), np.float32)
        by_hidden, by_cell = np.zeros((ROWS, weights.shape[1]), np.float32), np.zeros((ROWS, h), np.float32)
        squashed = np.empty((ROWS, h), np.float32)
        keep_h, keep_c = np.zeros(h, np.float32), np.zeros(h, np.float32)
        for t in range(steps - 1, -1, -1):
            for b in range(first, last):
                own, before, r = gates[b, t], cells[b, t], b - first
                for j in range(h):
                    squashed[r, j] = own[h + j] * before[j] + own[j] * own[2 * h + j]
            squash_(rows, squashed)
            for b in range(first, last):
                own, before, given, r = gates[b, t], cells[b, t], gradients[b, t], b - first
                if zoneout == DRAWN:
                    _keep_(keys[b], t, rate, keep_h, keep_c)
                for j in range(h):
                    i, f, c, o = own[j], own[h + j], own[2 * h + j], own[3 * h + j]
                    thin = squashed[r, j]
                    dh, dc = by_hidden[r, j] + given[j], by_cell[r, j]
                    new = (np.float32(1) - keep_h[j]) * dh
                    cell = new * o * (np.float32(1) - thin * thin) + (np.float32(1) - keep_c[j]) * dc
                    g[r, j] = cell * c * i * (np.float32(1) - i)
                    g[r, h + j] = cell * before[j] * f * (np.float32(1) - f)
                    g[r, 2 * h + j] = cell * i * (np.float32(1) - c * c)
                    g[r, 3 * h + j] = new * thin * o * (np.float32(1) - o)
                    by_cell[r, j] = keep_c[j] * dc + cell * f
                    by_hidden[r, j] = keep_h[j] * dh
                # Not own[:] = g[r]: in a parallel loop numba 0.68 loses what is written so through a name of a part.
                for j in range(width):
                    own[j] = g[r, j]
            add_product_(rows, width, g, weights, by_hidden)
