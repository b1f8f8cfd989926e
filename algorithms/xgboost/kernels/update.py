"""What a round changes in the margins of the rows.    n rows   m nodes   k margins of a row"""

import numba
import numpy as np

BLOCK = 8192


@numba.njit(parallel=True, nogil=True, cache=True)
def add(
    values,  # in   (m,) float32, what each leaf adds
    leaf,  # in   (n,) int32, the leaf of each row
    margins,  # adds (n, k) float32
    column,  # to which of the k
):
    """Add to each row's margin what its leaf says."""
    n = leaf.shape[0]
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        for i in range(block * BLOCK, min(n, (block + 1) * BLOCK)):
            margins[i, column] += values[leaf[i]]


@numba.njit(nogil=True, cache=True)
def spread(
    left,  # in   (m,) int32, -1 at leaves
    right,  # in   (m,) int32
    sums,  # adds (m, 2) float64: known at leaves, set at the nodes above them
):
    """Give every node of a tree the sum of the leaves below it. A child may have any number, also a lower one."""
    m = left.shape[0]
    order = np.empty(m, np.int64)
    count, order[0] = 1, 0
    at = 0
    while at < count:
        node = order[at]
        if left[node] >= 0:
            order[count], order[count + 1] = left[node], right[node]
            count += 2
        at += 1
    for place in range(count - 1, -1, -1):
        node = order[place]
        if left[node] >= 0:
            for j in range(2):
                sums[node, j] = sums[left[node], j] + sums[right[node], j]


@numba.njit(nogil=True, cache=True)
def sides(
    features,  # in   (n, d) float32
    rows,  # in   (r,) int32, which rows the tree was grown on
    left,  # in   (m,) int32, -1 at leaves
    right,  # in   (m,) int32
    feature,  # in   (m,) int32
    threshold,  # in   (m,) float32
    default_left,  # in   (m,) uint8
    low,  # sets (m,) float32: of each split, the greatest value that goes left; -infinity where none does
    high,  # sets (m,) float32: the least value that goes right; infinity where none does
):
    """Between which values of its rows each node of a tree splits."""
    low[:], high[:] = -np.inf, np.inf
    for i in rows:
        node = 0
        while left[node] >= 0:
            value = features[i, feature[node]]
            if np.isnan(value):
                node = left[node] if default_left[node] else right[node]
            elif value < threshold[node]:
                low[node] = max(low[node], value)
                node = left[node]
            else:
                high[node] = min(high[node], value)
                node = right[node]
