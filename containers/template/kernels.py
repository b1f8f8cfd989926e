"""Inner loops: arrays in, arrays out.    n rows   d features"""

import numba
import numpy as np

# Every liberty LLVM offers but nnan and ninf: a missing value must stay recognizable.
FAST = {"afn", "arcp", "contract", "nsz", "reassoc"}


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def add_rows(
    rows,  # in   (n, d) float32
    sums,  # adds (d,) float64  sum of each feature
):
    """First pass over a batch."""
    for i in range(rows.shape[0]):
        for f in range(rows.shape[1]):
            sums[f] += rows[i, f]


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def add_squares(
    rows,  # in   (n, d) float32
    mean,  # in   (d,) float64
    squares,  # adds (d,) float64  sum of the squared differences to the mean
):
    """Second pass over a batch: two passes, as a sum of squares less a squared sum would cancel."""
    for i in range(rows.shape[0]):
        for f in range(rows.shape[1]):
            difference = rows[i, f] - mean[f]
            squares[f] += difference * difference


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def squared_distances(
    rows,  # in   (n, d) float32
    mean,  # in   (d,) float64
    variance,  # in   (d,) float64  above 0
):
    """Mean over the features (n,) float64 of the squared difference to the mean, in variances."""
    n, d = rows.shape
    result = np.empty(n, np.float64)
    for i in range(n):
        total = 0.0
        for f in range(d):
            difference = rows[i, f] - mean[f]
            total += difference * difference / variance[f]
        result[i] = total / d
    return result


@numba.njit(nogil=True, cache=True)
def finite(rows):
    """True where no value (n, d) is missing or infinite."""
    for i in range(rows.shape[0]):
        for f in range(rows.shape[1]):
            if not np.isfinite(rows[i, f]):
                return False
    return True
