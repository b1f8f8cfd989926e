"""What a round changes in the margins of the rows.    n rows   d features   m nodes   k margins of a row"""

import numba
import numpy as np

from algoport.algorithms.shared.threads import share

BLOCK = 8192
NEAR = 1024  # rows that a thread takes down a tree at a time


@numba.njit(nogil=True, cache=True)
def add(
    team,  # in   (2,) int64  as `threads.team` gives it
    values,  # in   (m,) float32, what each leaf adds
    leaf,  # in   (n,) int32, the leaf of each row
    margins,  # adds (n, k) float32
    column,  # to which of the k
):
    """Add to each row's margin what its leaf says."""
    share(team, _add, (len(leaf) + BLOCK - 1) // BLOCK, (values, leaf, margins, column))


@numba.njit(nogil=True, cache=True)
def _add(block, values, leaf, margins, column):
    """A block of rows."""
    to = np.uint64(column)
    for i in range(np.uint64(block * BLOCK), np.uint64(min(len(leaf), (block + 1) * BLOCK))):
        margins[i, to] += values[np.uint64(leaf[i])]


@numba.njit(nogil=True, cache=True)
def answer(
    team,  # in   (2,) int64
    rows,  # in   (n, d) float32
    left,  # in   (m,) int32, -1 at leaves
    right,  # in   (m,) int32
    features,  # in   (m,) int32
    thresholds,  # in   (m,) float32; at leaves what they add
    default_left,  # in   (m,) uint8
    margins,  # adds (n, k) float32
    column,  # to which of the k
):
    """Add to each row's margin what a tree says of it.

    Every row takes all steps, at leaves in place, so that the processor works on several rows at once.
    """
    m, depth, steps = left.shape[0], _depths(left, right), 0
    children = np.empty((2, m), np.uint64)
    for j in range(m):
        children[0, j] = np.uint64(left[j] if left[j] >= 0 else j)
        children[1, j] = np.uint64(right[j] if left[j] >= 0 else j)
        steps = max(steps, depth[j])
    count = (len(margins) + NEAR - 1) // NEAR
    share(team, _answer, count, (rows, children, features, thresholds, default_left, steps, margins, column))


@numba.njit(nogil=True, cache=True)
def _answer(
    block,  # in   int64  which block of rows
    rows,  # in   (n, d) float32
    children,  # in   (2, m) uint64  left and right ones; a leaf's are itself
    features,  # in   (m,) int32
    thresholds,  # in   (m,) float32
    default_left,  # in   (m,) uint8
    steps,  # the depth of the tree
    margins,  # adds (n, k) float32
    column,  # to which of the k
):
    """A block of rows."""
    to_left, to_right = children[0], children[1]
    for i in range(np.uint64(block * NEAR), np.uint64(min(len(margins), (block + 1) * NEAR))):
        j = np.uint64(0)
        for _ in range(steps):
            value = rows[i, np.uint64(features[j])]
            goes = (value < thresholds[j]) | ((value != value) & (default_left[j] != 0))
            j = to_left[j] if goes else to_right[j]
        margins[i, column] += thresholds[j]


@numba.njit(nogil=True, cache=True)
def _depths(left, right):
    """(m,) of each node of a tree."""
    depth, waiting = np.zeros(left.shape[0], np.int64), np.zeros(left.shape[0] + 1, np.int64)
    top = 1
    while top > 0:
        top -= 1
        node = waiting[top]
        if left[node] >= 0:
            waiting[top], waiting[top + 1] = left[node], right[node]
            depth[left[node]] = depth[right[node]] = depth[node] + 1
            top += 2
    return depth


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
