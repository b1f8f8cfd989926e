"""The losses, their derivatives, and what is counted for the metrics.    n rows"""

from __future__ import annotations

import math

import numba
import numpy as np

# Places of what is counted: rows; loss, squared error or log loss; absolute errors; right labels; of the label 1 those
# that are found, those taken for it wrongly, and those missed.
ROWS, LOSS, ABSOLUTE, RIGHT, TRUE, FALSE, MISSED = range(7)
COUNTS = 7


@numba.njit(nogil=True, cache=True, error_model="numpy")
def slopes(
    scores,  # in   (n,) float64  y
    labels,  # in   (n,) float32
    is_regression,  # in   bool
    counts,  # adds (COUNTS,) float64
    out,  # sets (n,) float32  the derivative of the loss by y: of half the squared error, or of the log loss
):
    """The derivative of each row's loss; the sum of them."""
    total = 0.0
    for i in range(scores.shape[0]):
        y, t = scores[i], np.float64(labels[i])
        if is_regression:
            slope = y - t
            counts[LOSS] += slope * slope
            counts[ABSOLUTE] += abs(slope)
        else:
            small = math.exp(-abs(y))  # which cannot overflow
            slope = (1.0 if y >= 0 else small) / (1.0 + small) - t
            counts[LOSS] += max(y, 0.0) - y * t + math.log1p(small)
            is_one, says_one = t > 0.5, y >= 0
            counts[RIGHT] += is_one == says_one
            counts[TRUE] += is_one and says_one
            counts[FALSE] += says_one and not is_one
            counts[MISSED] += is_one and not says_one
        out[i] = slope
        total += slope
    counts[ROWS] += scores.shape[0]
    return total
