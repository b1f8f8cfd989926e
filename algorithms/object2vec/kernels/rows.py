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
BLOCK = 8  # rows of a task
NUMBERS = 1 << 11  # weights of a task


def sums_of_rows(
    gradients: Array,  # in   (m, d)
    places: NDArray[np.int64],  # in   (p,)  whose gradient each place has, the places of a row side by side
    scales: Array,  # in   (p,)  what it is multiplied by
    begins: NDArray[np.int64],  # in   (r + 1,)
) -> Array:
    """The gradient of each used row (r, d)."""
    out = np.empty((len(begins) - 1, gradients.shape[1]), np.float32)
    given = const(gradients), const(places, np.int64), const(scales), const(begins, np.int64)
    sums_(team(len(places) * gradients.shape[1]), *given, out)
    return out


def adam_(
    table: Array,  # sets (v, d)
    mean: Array,  # sets (v, d)
    square: Array,  # sets (v, d)
    last: NDArray[np.int64],  # sets (v,)  the update up to which each row is moved; 0: it has had no gradient
    rows: NDArray[np.int64],  # in   (r,)  each once
    values: Array,  # in   (r, d), or (0, d): there are no gradients
    done: int,  # updates so far
    sums: NDArray[np.float64],  # in   (> done,)  by update: of the sizes of all steps behind it
    late: tuple[float, float, float],  # what the size of such a step, m and v shrink by each update
    numbers: tuple[float, float, float, float, float],  # scale, 1 - beta_1, 1 - beta_2, rate, epsilon
) -> None:
    """The steps that some rows have missed, and then one with their gradients."""
    given = last, const(rows, np.int64), const(values), done, sums, (*late, *numbers)
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
def sums_(workers, gradients, places, scales, begins, out):
    """`sums_of_rows`, for kernels."""
    share(workers, _sums_block, (len(out) + BLOCK - 1) // BLOCK, (gradients, places, scales, begins, out))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _step(
    weight,  # sets (w,) float32
    m,  # sets (w,) float32  means of gradients
    v,  # sets (w,) float32  means of their squares
    given,  # in   (w,) float32  gradients
    scale,  # of them
    one,  # 1 less the decay of the means
    two,  # 1 less that of the squares
    rate,  # of the step
    eps,  # below the fraction
):
    """A step of some numbers with their gradients."""
    for j in range(len(weight)):
        gradient = scale * given[j]
        mean = m[j] + one * (gradient - m[j])
        square = v[j] + two * (gradient * gradient - v[j])
        m[j], v[j] = mean, square
        weight[j] -= rate * mean / (np.sqrt(square) + eps)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _missed(weight, m, v, step, first, second, eps):
    """The steps that a row has missed."""
    for j in range(len(weight)):
        weight[j] -= step * m[j] / (np.sqrt(v[j]) + eps)
        m[j] *= first
        v[j] *= second


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adam_block(
    block,  # of rows
    table,  # sets (v, d) float32
    mean,  # sets (v, d) float32
    square,  # sets (v, d) float32
    last,  # sets (v,) int64
    rows,  # in   (r,) int64
    values,  # in   (r, d) float32
    done,  # in   updates so far
    sums,  # in   (> done,) float64
    numbers,  # in   of a missed step; of gradients
):
    ratio, one_late, two_late = numbers[:3]
    scale, one, two = np.float32(numbers[3]), np.float32(numbers[4]), np.float32(numbers[5])
    rate, eps = np.float32(numbers[6]), np.float32(numbers[7])
    for i in range(block * BLOCK, min(len(rows), (block + 1) * BLOCK)):
        row = rows[i]
        weight, m, v = table[row], mean[row], square[row]
        gap = done - last[row]
        if 0 < gap < done:
            step = np.float32(sums[last[row]] - ratio**gap * sums[done])
            _missed(weight, m, v, step, np.float32(one_late**gap), np.float32(two_late**gap), eps)
            last[row] = done
        if len(values):
            _step(weight, m, v, values[i], scale, one, two, rate, eps)
            last[row] = done + 1


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adam(
    workers,  # in   threads
    table,  # sets (v, d) float32
    mean,  # sets (v, d) float32
    square,  # sets (v, d) float32
    last,  # sets (v,) int64
    rows,  # in   (r,) int64
    values,  # in   (r, d) float32
    done,  # in   updates so far
    sums,  # in   (> done,) float64
    numbers,  # in   of a missed step; of gradients
):
    blocks = (len(rows) + BLOCK - 1) // BLOCK
    share(workers, _adam_block, blocks, (table, mean, square, last, rows, values, done, sums, numbers))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def adam_of_all_(
    workers,  # in   threads
    weights,  # sets (p,) float32
    gradient,  # in   (p,) float32, or (0,): there are no gradients, and only rows catch up
    mean,  # sets (p,) float32
    square,  # sets (p,) float32
    tables,  # sets two of (v, d), (v, d), (v, d) float32 and (v,) int64  as `adam_` has them
    rows,  # in   two (r,) int64
    values,  # in   two (r, d) float32, or (0, d)
    done,  # in   updates so far
    sums,  # in   (> done,) float64
    numbers,  # in   as `adam_` has them, of both kinds
):
    """`adam_` for two tables, and the same step for weights, in one go."""
    tasks = (len(gradient) + NUMBERS - 1) // NUMBERS
    blocks = (len(rows[0]) + BLOCK - 1) // BLOCK, (len(rows[1]) + BLOCK - 1) // BLOCK
    given = (tasks, blocks[0], weights, gradient, mean, square, tables, rows, values, done, sums, numbers)
    share(workers, _adam_task, tasks + blocks[0] + blocks[1], given)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _adam_task(
    task,  # a block
    tasks,  # of which so many are of weights
    blocks,  # and so many of rows of the first table
    weights,  # sets (p,) float32
    gradient,  # in   (p,) float32
    mean,  # sets (p,) float32
    square,  # sets (p,) float32
    tables,  # sets two of (v, d), (v, d), (v, d) float32 and (v,) int64
    rows,  # in   two (r,) int64
    values,  # in   two (r, d) float32
    done,  # in   updates so far
    sums,  # in   (> done,) float64
    numbers,  # in   of a missed step; of gradients
):
    """A block of weights, or of the rows of one table or the other."""
    if task < tasks:
        first, last = task * NUMBERS, min(len(gradient), (task + 1) * NUMBERS)
        own, m, v, given = weights[first:last], mean[first:last], square[first:last], gradient[first:last]
        scale, one, two = np.float32(numbers[3]), np.float32(numbers[4]), np.float32(numbers[5])
        _step(own, m, v, given, scale, one, two, np.float32(numbers[6]), np.float32(numbers[7]))
    elif task < tasks + blocks:
        table, m, v, last = tables[0]
        _adam_block(task - tasks, table, m, v, last, rows[0], values[0], done, sums, numbers)
    else:
        table, m, v, last = tables[1]
        _adam_block(task - tasks - blocks, table, m, v, last, rows[1], values[1], done, sums, numbers)
