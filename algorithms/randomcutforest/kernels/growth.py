"""Growing trees of random cuts.    r points   d features   t trees   s points a tree"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.randomness import first_draw, share


@numba.njit(nogil=True, cache=True)
def _uniform(seed, tree, node, number):
    """A number from 0 to 1, 1 left out."""
    bits = seed
    for word in (tree, node, number):
        bits = first_draw(bits ^ np.uint64(word))
    return share(bits)


@numba.njit(parallel=True, nogil=True, cache=True)
def grow_trees(
    points,  # in   (r, d) float32
    order,  # moves (t * s,) int32  the points of each tree, into the order of its leaves
    start,  # int64  the first of the trees
    stop,  # int64  behind the last
    s,  # int64
    seed,  # uint64
    feature,  # sets (t, 2 s - 1) int32  that a node cuts; -1 of a leaf
    cut,  # sets (t, 2 s - 1) float32  up to which values go left
    child,  # sets (t, 2 s - 1) int32  the left one, which the right one follows
    span,  # sets (t, 2 s - 1) float32  sum of the sides of its box
    mass,  # sets (t, 2 s - 1) int32  points below it
    first,  # sets (t, 2 s - 1) int32  of these among the points
):
    """Grows the trees from `start` up to `stop`, each in its line of the arrays; how many nodes each has."""
    counts = np.zeros(stop - start, np.int64)
    for t in numba.prange(start, stop):
        counts[t - start] = _tree(
            points, order[t * s : (t + 1) * s], t, t * s, seed,
            feature[t], cut[t], child[t], span[t], mass[t], first[t],
        )  # fmt: skip
    return counts


@numba.njit(nogil=True, cache=True)
def _tree(
    points,  # in   (r, d) float32
    order,  # moves (s,) int32  the points of the tree, into the order of its leaves
    tree,  # int64  its number
    offset,  # int64  of its points among those of all trees
    seed,  # uint64
    feature,  # sets (2 s - 1,) int32  that a node cuts; -1 of a leaf
    cut,  # sets (2 s - 1,) float32  up to which values go left
    child,  # sets (2 s - 1,) int32  the left one, which the right one follows
    span,  # sets (2 s - 1,) float32  sum of the sides of its box
    mass,  # sets (2 s - 1,) int32  points below it
    first,  # sets (2 s - 1,) int32  of these among the points
):
    """Grows one tree; siblings lie side by side, behind their parent. Returns how many nodes it has."""
    d = points.shape[1]
    high, low = np.empty(d, np.float32), np.empty(d, np.float32)
    first[0], mass[0] = 0, len(order)
    count, node = 1, 0
    while node < count:
        begin, end = first[node], first[node] + mass[node]
        total = _bounds(points, order[begin:end], high, low)
        span[node], feature[node], child[node], cut[node] = total, -1, -1, 0
        if total > 0:
            f = _choose_feature(high, low, _uniform(seed, tree, node, 0) * total)
            side = np.float64(high[f]) - np.float64(low[f])
            where = np.float32(np.float64(low[f]) + _uniform(seed, tree, node, 1) * side)
            if not (where >= low[f] and where < high[f]):
                where = low[f]
            middle = begin
            for j in range(begin, end):
                if points[order[j], f] <= where:
                    order[middle], order[j] = order[j], order[middle]
                    middle += 1
            feature[node], cut[node], child[node] = f, where, count
            first[count], mass[count] = begin, middle - begin
            first[count + 1], mass[count + 1] = middle, end - middle
            count += 2
        node += 1
    for node in range(count):
        first[node] += offset
    return count


@numba.njit(nogil=True, cache=True)
def _bounds(points, ids, high, low):
    """Sets the highest and lowest value of each feature; the sum of the sides."""
    d = points.shape[1]
    for f in range(d):
        high[f] = low[f] = points[ids[0], f]
    for j in range(1, len(ids)):
        row = points[ids[j]]
        for f in range(d):
            value = row[f]
            high[f] = value if value > high[f] else high[f]
            low[f] = value if value < low[f] else low[f]
    total = 0.0
    for f in range(d):
        total += np.float64(high[f]) - np.float64(low[f])
    return total


@numba.njit(nogil=True, cache=True)
def _choose_feature(high, low, target):
    """The feature on whose side the target lies, when the sides are laid end to end."""
    last = 0
    for f in range(len(high)):
        side = np.float64(high[f]) - np.float64(low[f])
        if side > 0:
            last = f
            if target < side:
                return f
            target -= side
    return last


@numba.njit(nogil=True, cache=True)
def enclose_all(points, child, mass, first, box, boxes):
    """Sets the box of each node that has one, children before parents."""
    d = points.shape[1]
    for node in range(len(box) - 1, -1, -1):
        b = box[node]
        if b < 0:
            continue
        left, right = box[child[node]], box[child[node] + 1]
        if left >= 0 and right >= 0:
            for f in range(d):
                boxes[b, 0, f] = max(boxes[left, 0, f], boxes[right, 0, f])
                boxes[b, 1, f] = min(boxes[left, 1, f], boxes[right, 1, f])
        else:
            box_of(points, first[node], mass[node], boxes[b].reshape(2 * d))


@numba.njit(nogil=True, cache=True)
def box_of(points, first, mass, box):
    """Sets the box (2 d,) of neighboring points: highest, then lowest values."""
    d = points.shape[1]
    for f in range(d):
        box[f] = box[d + f] = points[first, f]
    for j in range(first + 1, first + mass):
        for f in range(d):
            value = points[j, f]
            box[f] = value if value > box[f] else box[f]
            box[d + f] = value if value < box[d + f] else box[d + f]
