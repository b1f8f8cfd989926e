"""Inner loops: arrays in, arrays out.    n rows   d features"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST


def add_rows(
    rows,  # in   (n, d) float32
    sums,  # adds (d,) float64  sum of each feature
) -> None:
    """First pass over a batch."""
    _add_rows(const(rows), sums)


def add_squares(
    rows,  # in   (n, d) float32
    mean,  # in   (d,) float64
    squares,  # adds (d,) float64  sum of the squared differences to the mean
) -> None:
    """Second pass over a batch: two passes, as a sum of squares less a squared sum would cancel."""
    _add_squares(const(rows), const(mean, np.float64), squares)


def squared_distances(
    rows,  # in   (n, d) float32
    mean,  # in   (d,) float64
    variance,  # in   (d,) float64  above 0
) -> NDArray[np.float64]:
    """Mean over the features (n,) float64 of the squared difference to the mean, in variances."""
    squared: NDArray[np.float64] = _squared_distances(const(rows), const(mean, np.float64), const(variance, np.float64))
    return squared


def finite(rows) -> bool:
    """True where no value (n, d) is missing or infinite."""
    return bool(np.isfinite(rows).all())


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _add_rows(rows, sums):
    for i in range(rows.shape[0]):
        for f in range(rows.shape[1]):
            sums[f] += rows[i, f]


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _add_squares(rows, mean, squares):
    for i in range(rows.shape[0]):
        for f in range(rows.shape[1]):
            difference = rows[i, f] - mean[f]
            squares[f] += difference * difference


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _squared_distances(rows, mean, variance):
    n, d = rows.shape
    result = np.empty(n, np.float64)
    for i in range(n):
        total = 0.0
        for f in range(d):
            difference = rows[i, f] - mean[f]
            total += difference * difference / variance[f]
        result[i] = total / d
    return result
