"""One coordinate of a linear model.    n rows   v values that are there"""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True, error_model="numpy")
def slope(
    rows,  # in   (v,) int32, which rows have a value
    values,  # in   (v,) float32
    gradients,  # in   (n, 2) float32
):
    """The first and second derivative of the loss by the weight of a feature."""
    g, h = 0.0, 0.0
    for i in range(rows.shape[0]):
        v = values[i]
        g += gradients[rows[i], 0] * v
        h += gradients[rows[i], 1] * v * v
    return g, h


@numba.njit(nogil=True, cache=True, error_model="numpy")
def move(
    rows,  # in   (v,) int32
    values,  # in   (v,) float32
    step,  # float32, by what the weight has changed
    gradients,  # adds (n, 2) float32: to the first column
):
    """What the gradients are after the step."""
    for i in range(rows.shape[0]):
        row = rows[i]
        gradients[row, 0] += gradients[row, 1] * values[i] * step


@numba.njit(nogil=True, cache=True, error_model="numpy")
def shift(
    step,  # float32, by what the bias has changed
    gradients,  # adds (n, 2) float32: to the first column
):
    """What the gradients are after the bias has moved."""
    for i in range(gradients.shape[0]):
        gradients[i, 0] += gradients[i, 1] * step


@numba.njit(nogil=True, cache=True, error_model="numpy")
def best_step(
    g,  # first derivative
    h,  # second derivative
    weight,
    l1,
    l2,
):
    """By what a weight should change: Newton's step under both penalties, not beyond 0."""
    if h < np.float32(1e-5):
        return 0.0
    above, below = g + l2 * weight, h + l2
    if weight - above / below >= 0:
        return max(-(above + l1) / below, -weight)
    return min(-(above - l1) / below, -weight)
