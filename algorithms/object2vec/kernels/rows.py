"""Adam on the rows of a table that a batch uses, and what it would have done to them since they were used last.

v rows of the table   r used rows   d numbers of a row   p places   m gradients

Without weight decay a row without a gradient is moved by what is left of its mean: m and v shrink by a factor a step,
and so does the step, so that the sum over many steps is one number times m / (sqrt(v) + eps), the same for all numbers
of a row (exact but for eps, which shrinks with the root here).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.threads import share, team

Array = NDArray[np.float32]
BLOCK = 8  # rows


def sums_of_rows(
    gradients: Array,  # in   (m, d)
    places: NDArray[np.int64],  # in   (p,)  whose gradient each place has, the places of a row side by side
    scales: Array,  # in   (p,)  what it is multiplied by
    begins: NDArray[np.int64],  # in   (r + 1,)
) -> Array:
    """The gradient of each used row (r, d)."""
    out = np.empty((len(begins) - 1, gradients.shape[1]), np.float32)
    given = const(gradients), const(places, np.int64), const(scales), const(begins, np.int64)
    _sums(team(len(places) * gradients.shape[1]), *given, out)
    return out


def adam_(
    table: Array,  # sets (v, d)
    mean: Array,  # sets (v, d)
    square: Array,  # sets (v, d)
    rows: NDArray[np.int64],  # in   (r,)  each once
    values: Array,  # in   (r, d), or (0, d): there are no gradients
    late: Array,  # in   (3, r)  what each row's lost steps are: factor of m / (sqrt(v) + eps), of m, and of v
    numbers: tuple[float, float, float, float, float],  # scale, 1 - beta_1, 1 - beta_2, rate, epsilon
) -> None:
    """The lost steps of some rows, and then one with their gradients."""
    scale, one, two, rate, eps = (np.float32(number) for number in numbers)
    given = const(rows, np.int64), const(values), const(late), scale, one, two, rate, eps
    _adam(team(len(rows) * table.shape[1]), table, mean, square, *given)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _sums_block(block, gradients, places, scales, begins, out):
    for i in range(block * BLOCK, min(len(out), (block + 1) * BLOCK)):
        own = out[i]
        for j in range(len(own)):
            own[j] = 0
        for p in range(begins[i], begins[i + 1]):
            row, scale = gradients[places[p]], scales[p]
            for j in range(len(own)):
                own[j] += scale * row[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sums(workers, gradients, places, scales, begins, out):
    share(workers, _sums_block, (len(out) + BLOCK - 1) // BLOCK, (gradients, places, scales, begins, out))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adam_block(
    block,  # of rows
    table,  # sets (v, d) float32
    mean,  # sets (v, d) float32
    square,  # sets (v, d) float32
    rows,  # in   (r,) int64
    values,  # in   (r, d) float32
    late,  # in   (3, r) float32
    scale,  # in   of gradients
    one,  # in   1 - beta_1
    two,  # in   1 - beta_2
    rate,  # in   corrected
    eps,  # in   beside the uncorrected root
):
    for i in range(block * BLOCK, min(len(rows), (block + 1) * BLOCK)):
        weight, m, v = table[rows[i]], mean[rows[i]], square[rows[i]]
        step, first, second = late[0, i], late[1, i], late[2, i]
        if step != 0:
            for j in range(len(weight)):
                weight[j] -= step * m[j] / (np.sqrt(v[j]) + eps)
                m[j] *= first
                v[j] *= second
        if len(values):
            given = values[i]
            for j in range(len(weight)):
                gradient = scale * given[j]
                m[j] += one * (gradient - m[j])
                v[j] += two * (gradient * gradient - v[j])
                weight[j] -= rate * m[j] / (np.sqrt(v[j]) + eps)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adam(
    workers,  # in   threads
    table,  # sets (v, d) float32
    mean,  # sets (v, d) float32
    square,  # sets (v, d) float32
    rows,  # in   (r,) int64
    values,  # in   (r, d) float32
    late,  # in   (3, r) float32
    scale,  # in   of gradients
    one,  # in   1 - beta_1
    two,  # in   1 - beta_2
    rate,  # in   corrected
    eps,  # in   beside the uncorrected root
):
    blocks = (len(rows) + BLOCK - 1) // BLOCK
    share(workers, _adam_block, blocks, (table, mean, square, rows, values, late, scale, one, two, rate, eps))
