"""The symmetric tensor that sums of triple products come to, and what its decomposition multiplies it with."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def symmetrized(
    sums,  # in   (width, width, width) float64  where i <= j, and j <= m unless whole
    whole,
):
    """The symmetric tensor: each entry where i <= j <= m for all six places; or, of a whole one, the sum of the three
    in which another axis is the last."""
    width = len(sums)
    tensor = np.empty((width, width, width))
    for i in range(width):
        for j in range(i, width):
            for m in range(j, width):
                value = sums[i, j, m]
                if whole:
                    value += sums[i, m, j] + sums[j, m, i]
                tensor[i, j, m] = tensor[i, m, j] = tensor[j, i, m] = value
                tensor[j, m, i] = tensor[m, i, j] = tensor[m, j, i] = value
    return tensor


@numba.njit(nogil=True, cache=True)
def pair_products(
    columns,  # in   (r, c) float64
    products,  # sets (r (r + 1) / 2, c) float64
):
    """Each row times itself and each later one, in the order of `np.triu_indices`."""
    at = 0
    for i in range(len(columns)):
        one = columns[i]
        for j in range(i, len(columns)):
            other, line = columns[j], products[at]
            for m in range(len(one)):
                line[m] = one[m] * other[m]
            at += 1
