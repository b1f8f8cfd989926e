"""The recurrence of an LSTM over sequences of differing lengths, in both directions.    h cells   p tokens   s steps

Tokens lie step by step with the longest sequence first (`sequences.lengths.Steps`), so that nothing is computed for a
sequence that is over. Both directions have the same steps, and each block of sequences in each direction is one task,
from the first step to the last: no thread waits for another. Gates stand in the order of torch: input, forget, cell,
output.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.linalg.gemm import HEIGHT, WIDTH, pack_panels_, pack_rows_, panel_tiles_
from algoport.algorithms.shared.neural.kernels.recurrence import activate_, curves, tanh
from algoport.algorithms.shared.threads import share, team

Array = NDArray[np.float32]

# Sequences of a task. Few, where the recurrent weights stay in a core's cache; many, where they are read from memory
# at every step.
FEW, MANY, LARGE = HEIGHT, 4 * HEIGHT, 512


def forward_(
    gates: Array,  # sets (2, p, 4h)  products with the inputs become the activated gates
    weights: Array,  # in   (2, h, 4h)  from the state to the gates
    begins: NDArray[np.int64],  # in   (s + 1,)
    hidden: Array,  # sets (2, p, h)
    cells: Array,  # sets (2, p, h)
) -> None:
    """Both directions, from a state of zeros."""
    h = weights.shape[1]
    panels = _panels(weights, turned=False)
    block = FEW if h <= LARGE else MANY
    _forward_(team(gates.size * h), block, gates, panels, const(begins, np.int64), hidden, cells)


def backward_(
    gates: Array,  # sets (2, p, 4h)  activated gates become the loss's gradient by what they were before
    weights: Array,  # in   (2, h, 4h)
    begins: NDArray[np.int64],  # in   (s + 1,)
    cells: Array,  # in   (2, p, h)
    gradients: Array,  # in   (2, p, h)  of the loss by each hidden state, as far as others use it
) -> None:
    """From the last step to the first."""
    h = weights.shape[1]
    panels = _panels(weights, turned=True)
    block = FEW if h <= LARGE else MANY
    _backward_(team(gates.size * h), block, gates, panels, const(begins, np.int64), const(cells), const(gradients))


def _panels(weights: Array, *, turned: bool) -> Array:
    """Weights of both directions, or transposed ones, in panels of columns (2, q, k, WIDTH)."""
    k, n = weights.shape[1:] if not turned else weights.shape[:0:-1]
    panels = np.empty((2, -(-n // WIDTH), k, WIDTH), np.float32)
    for own, out in zip(weights, panels, strict=True):
        pack_panels_(team(own.size), const(own), turned, out)
    return panels


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _states(
    rows,  # how many
    gates,  # in   (p, 4h) float32  activated
    at,  # the first row
    before,  # in   (p, h) float32  cells
    first,  # the first row of the step before
    from_before,  # whether there is one
    cells,  # sets (p, h) float32
    hidden,  # sets (p, h) float32
    h,  # cells
):
    """Cells and hidden states of a step's rows from their gates; those before stand at `first`."""
    for r in range(rows):
        own, cell, state = gates[at + r], cells[at + r], hidden[at + r]
        if from_before:
            earlier = before[first + r]
            for j in range(h):
                cell[j] = own[h + j] * earlier[j] + own[j] * own[2 * h + j]
        else:
            for j in range(h):
                cell[j] = own[j] * own[2 * h + j]
        for j in range(h):
            state[j] = own[3 * h + j] * tanh(cell[j])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _forward_task(task, block, gates, panels, begins, hidden, cells):
    direction, top = task % 2, task // 2 * block
    g, state, cell, own = gates[direction], hidden[direction], cells[direction], panels[direction]
    h = state.shape[1]
    factors = curves(h)
    packed = np.empty((block + HEIGHT - 1) // HEIGHT * HEIGHT * h, np.float32)
    for step in range(len(begins) - 1):
        rows = min(top + block, begins[step + 1] - begins[step]) - top
        if rows <= 0:
            return
        at, before = begins[step] + top, 0
        if step:
            before = begins[step - 1] + top
            pack_rows_(state, before, rows, packed)
            panel_tiles_(packed, rows, h, own, g, at, 4 * h, 0)
        activate_(rows, g[at : at + rows], factors)
        _states(rows, g, at, cell, before, step > 0, cell, state, h)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _forward_(workers, block, gates, panels, begins, hidden, cells):
    n = begins[1] if len(begins) > 1 else 0
    share(workers, _forward_task, (n + block - 1) // block * 2, (block, gates, panels, begins, hidden, cells))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _slopes(
    rows,  # how many
    g,  # sets (p, 4h) float32
    at,  # the first row
    cells,  # in   (p, h) float32
    before,  # the first row of the step before
    from_before,  # whether there is one
    given,  # in   (p, h) float32
    by_hidden,  # sets (block, h) float32
    by_cell,  # sets (block, h) float32
    continues,  # rows that have a step behind this one
    h,  # cells
):
    """Gates of a step become gradients, and `by_cell` that by the cells before. The first `continues` rows have a step
    behind this one."""
    for r in range(rows):
        own, cell, out = g[at + r], cells[at + r], given[at + r]
        carried, inner = by_hidden[r], by_cell[r]
        if r >= continues:
            for j in range(h):
                carried[j] = 0
                inner[j] = 0
        for j in range(h):
            i, f, c, o = own[j], own[h + j], own[2 * h + j], own[3 * h + j]
            thin = tanh(cell[j])
            by_state = out[j] + carried[j]
            whole = by_state * o * (np.float32(1) - thin * thin) + inner[j]
            own[j] = whole * c * i * (np.float32(1) - i)
            own[2 * h + j] = whole * i * (np.float32(1) - c * c)
            own[3 * h + j] = by_state * thin * o * (np.float32(1) - o)
            inner[j] = whole * f
            own[h + j] = whole * f * (np.float32(1) - f)
        if from_before:
            earlier = cells[before + r]
            for j in range(h):
                own[h + j] *= earlier[j]
        else:
            for j in range(h):
                own[h + j] = 0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _backward_task(task, block, gates, panels, begins, cells, given):
    direction, top = task % 2, task // 2 * block
    g, cell, out, own = gates[direction], cells[direction], given[direction], panels[direction]
    h = cell.shape[1]
    packed = np.empty((block + HEIGHT - 1) // HEIGHT * HEIGHT * 4 * h, np.float32)
    by_hidden, by_cell = np.empty((block, h), np.float32), np.empty((block, h), np.float32)
    behind = 0
    for step in range(len(begins) - 2, -1, -1):
        rows = min(top + block, begins[step + 1] - begins[step]) - top
        if rows <= 0:
            continue
        at, before = begins[step] + top, 0
        if step:
            before = begins[step - 1] + top
        _slopes(rows, g, at, cell, before, step > 0, out, by_hidden, by_cell, behind, h)
        if step:
            pack_rows_(g, at, rows, packed)
            panel_tiles_(packed, rows, 4 * h, own, by_hidden, 0, h, 1)
        behind = rows


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _backward_(workers, block, gates, panels, begins, cells, given):
    n = begins[1] if len(begins) > 1 else 0
    share(workers, _backward_task, (n + block - 1) // block * 2, (block, gates, panels, begins, cells, given))
