"""When a row may be among the nearest, by a score that rounding has touched, and how far it is really.

n rows   d features

A score is |x'|^2 / 2 - x'.q' where squares of distances are sought, and -x'.q' where products are, of rows and queries
less an offset. What rounding does to it is bounded as in `algoport.algorithms.shared.linalg.distances`, with 3 in
place of 2, as norms here are sums in float32. A row whose score lies below the query's bound is measured in float64;
so the answer is that of exact distances, and the same on every processor and on any number of threads.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.shared.linalg.distances import square_distance
from algoport.algorithms.shared.linalg.fastmath import FAST

SQUARES, PRODUCTS = 0, 1  # what is compared: squares of distances, or products, the greatest first
WILD = 1e36  # squares of lengths from which on float32 may overflow; then everything is measured in float64
FAR = np.int64(1) << 62  # the number of a place that no row has taken


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _product(row, query):
    total = 0.0
    for f in range(len(row)):
        total += np.float64(row[f]) * np.float64(query[f])
    return total


@numba.njit(nogil=True, cache=True)
def measure(row, query, metric):
    """The square of the distance, or the product with its sign turned, in float64."""
    if metric == SQUARES:
        return square_distance(row, query)
    return -_product(row, query)


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def centered_square(row, offset):
    """The square of the length of a row less the offset."""
    total = 0.0
    for f in range(len(row)):
        value = np.float64(np.float32(row[f] - offset[f]))
        total += value * value
    return total


@numba.njit(nogil=True, cache=True)
def bound_of(worst, shift, slack, metric):
    """Below this lies the score of every row that is as near as `worst`; float32.

    `shift`: what the square of a query's distance less twice its score is, less; of products their part in the offset.
    """
    value = (0.5 * (worst + shift) if metric == SQUARES else worst + shift) + slack
    return np.float32(value + abs(value) * 2.0**-22 + 2.0**-120)


@numba.njit(nogil=True, cache=True)
def slack_of(square, reach, terms, metric):
    """What rounding may add to the score of a query of that square, where rows have `reach` at most."""
    unit = (terms + 16) * 2.0**-24
    if unit >= 0.5:
        return np.inf
    unit /= 1 - unit
    if metric == SQUARES:
        return 1.5 * unit * (square + reach) + terms * 2.0**-140
    return 2 * unit * math.sqrt(square) * math.sqrt(reach) + terms * 2.0**-140
