"""The walk of many rows through the trees.    n rows   d features   t trees   s points a tree   v nodes"""

from __future__ import annotations

import math

import numba
import numpy as np

from algorithms.randomcutforest.kernels.growth import box_of
from algorithms.randomcutforest.kernels.vectors import extension


@numba.njit(parallel=True, nogil=True, cache=True)
def walks(rows, points, feature, cut, child, span, mass, first, box, boxes, roots, s, size, result):
    """Sets result (n,) float64 to the mean over the trees of 1 / (depth + 1), for `size` rows at a time."""
    n = len(rows)
    for b in numba.prange((n + size - 1) // size):
        begin, end = b * size, min(n, (b + 1) * size)
        _block(rows[begin:end], points, feature, cut, child, span, mass, first, box, boxes, roots, s,
               result[begin:end])  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _block(rows, points, feature, cut, child, span, mass, first, box, boxes, roots, s, result):
    """Scores rows together: down each tree they are parted as its cuts say, and on the way up every node adds what it
    means to those of its rows that lie outside its box. Who is inside of one is inside of all above it."""
    n, d = rows.shape
    flat = rows.reshape(n * d)
    leaves = points.reshape(len(points) * d)
    ids, aside = np.empty(n, np.uint32), np.empty(n, np.uint32)
    value, total = np.empty(n, np.float32), np.zeros(n)
    visits = np.empty((2 * s + 1, 5), np.int32)  # node, begin, end, depth, first visit of a child
    alive = np.empty(2 * s + 1, np.int32)
    scratch = np.empty(2 * d, np.float32)
    for root in roots:
        count = _part(flat, d, root, feature, cut, child, ids, aside, visits)
        for v in range(count - 1, -1, -1):
            node, begin, end, depth, kid = visits[v]
            inverse = np.float32(1.0 / (depth + 1))
            if feature[node] < 0:
                known = _known(depth, mass[node], s)
                at = np.int64(first[node]) * d
                alive[v] = _leaf(flat, d, ids[begin:end], leaves, at, inverse, known, value)
                continue
            some = alive[kid]
            if visits[kid, 2] < end:
                other = visits[kid + 1, 1]
                for j in range(alive[kid + 1]):
                    ids[begin + some + j] = ids[other + j]
                some += alive[kid + 1]
            if some > 0:
                if box[node] >= 0:
                    some = _outside(flat, d, ids[begin : begin + some], boxes, np.int64(box[node]) * 2 * d,
                                    span[node], inverse, value)  # fmt: skip
                else:
                    box_of(points, first[node], mass[node], scratch)
                    some = _outside(flat, d, ids[begin : begin + some], scratch, 0, span[node], inverse, value)
            alive[v] = some
        for i in range(n):
            total[i] += value[i]
    for i in range(n):
        result[i] = total[i] / len(roots)


@numba.njit(nogil=True, cache=True)
def _part(flat, d, root, feature, cut, child, ids, aside, visits):
    """Sets `visits`: each node that rows come to, parents first, and ids[begin:end], which rows these are. How many."""
    n = len(ids)
    for i in range(n):
        ids[i] = i
    visits[0, 0], visits[0, 1], visits[0, 2], visits[0, 3] = root, 0, n, 0
    count, v = 1, 0
    while v < count:
        node, begin, end = visits[v, 0], visits[v, 1], visits[v, 2]
        f = feature[node]
        if f >= 0:
            where = cut[node]
            middle = np.uint64(begin)
            right = np.uint64(0)
            for j in range(begin, end):
                i = ids[j]
                over = flat[np.uint64(i) * np.uint64(d) + np.uint64(f)] > where
                ids[middle] = i
                aside[right] = i
                right += np.uint64(over)
                middle += np.uint64(not over)
            for j in range(np.int64(right)):
                ids[np.int64(middle) + j] = aside[j]
            visits[v, 4] = count
            depth = visits[v, 3] + 1
            if middle > begin:
                visits[count, 0], visits[count, 1], visits[count, 2] = child[node], begin, middle
                visits[count, 3] = depth
                count += 1
            if middle < end:
                visits[count, 0], visits[count, 1], visits[count, 2] = child[node] + 1, middle, end
                visits[count, 3] = depth
                count += 1
        v += 1
    return count


@numba.njit(nogil=True, cache=True)
def _known(depth, mass, s):
    """What a leaf says to a row equal to it: less, the more points there are of it."""
    return np.float32((1.0 - mass / (2.0 * s)) / (depth + math.log2(mass + 1.0)))


@numba.njit(nogil=True, cache=True)
def _leaf(flat, d, ids, leaves, at, inverse, known, value):
    """Sets the value of the rows of a leaf; moves those that differ from its point to the front. How many."""
    kept = np.uint64(0)
    for j in range(len(ids)):
        i = ids[j]
        row = np.int64(i) * d
        f = 0
        while f < d and flat[row + f] == leaves[at + f]:
            f += 1
        value[i] = inverse if f < d else known
        ids[kept] = i
        kept += np.uint64(f < d)
    return np.int64(kept)


@numba.njit(nogil=True, cache=True)
def _outside(flat, d, ids, boxes, at, span, inverse, value):
    """Mixes what the node says into the value of its rows; moves those outside its box to the front. How many."""
    kept = np.uint64(0)
    for j in range(len(ids)):
        i = ids[j]
        beyond = extension(flat, np.int64(i) * d, boxes, at, d)
        chance = beyond / (span + beyond)
        value[i] += chance * (inverse - value[i])
        ids[kept] = i
        kept += np.uint64(beyond > 0)
    return np.int64(kept)
