"""What comes before the search and after it.    n rows   d features   q queries   k neighbors   t columns"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.knn.kernels.candidates import centered_square
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.threads import share


@numba.njit(nogil=True, cache=True)
def longest(rows, offset):
    """The square of the longest row less the offset; float64."""
    most = 0.0
    for i in range(len(rows)):
        most = max(most, centered_square(rows[i], offset))
    return most


@numba.njit(nogil=True, cache=True)
def votes(labels):
    """The most frequent label of each query's neighbors, the lowest of several."""
    q, k = labels.shape
    chosen, own = np.empty(q, np.float32), np.empty(k, np.float32)
    for i in range(q):
        count = 0
        for place in range(k):
            label = labels[i, place]
            if label != label:
                continue
            at = count
            while at > 0 and own[at - 1] > label:
                own[at] = own[at - 1]
                at -= 1
            own[at] = label
            count += 1
        chosen[i] = np.nan
        most, run = 0, 0
        for place in range(count):
            run = run + 1 if place > 0 and own[place] == own[place - 1] else 1
            if run > most:
                most, chosen[i] = run, own[place]
    return chosen


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _hadamard(i, rows, signs, columns, out):
    """A row's transform: fast, in place, with one pass over the numbers for each factor 2 of the order."""
    d, p = rows.shape[1], len(signs)
    values = np.zeros(p, np.float32)
    for f in range(d):
        values[f] = rows[i, f] * signs[f]
    half = 1
    while half < p:
        for first in range(0, p, 2 * half):
            for f in range(first, first + half):
                one, other = values[f], values[f + half]
                values[f], values[f + half] = one + other, one - other
        half *= 2
    for j in range(len(columns)):
        out[i, j] = values[columns[j]]


@numba.njit(nogil=True, cache=True)
def hadamard(team, rows, signs, columns, out):
    """Sets out (n, t)."""
    share(team, _hadamard, len(rows), (rows, signs, columns, out))
