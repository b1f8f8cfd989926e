"""The walk of many rows through the trees.    n rows   d features   t trees   s points a tree   v nodes"""

from __future__ import annotations

import math

import numba
import numpy as np

from algorithms.randomcutforest.kernels.growth import box_of
from algorithms.randomcutforest.kernels.vectors import LANES, SPARE, climb, part

# What is written down of a node that is still to be visited.
NODE, BEGIN, SOME, DEPTH, WORDS = range(5)
LEAST = 4  # a node with fewer points has no box


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
    """Scores rows together: down each tree they are parted as its cuts say, a subtree at a time; and those that came
    to the same leaf go up again to where they lie inside a box."""
    n, d = rows.shape
    flat, stride = _padded(rows), _stride(d)
    ids, aside, values = np.zeros(n + SPARE, np.int32), np.empty(n + SPARE, np.int32), np.empty(n + SPARE, np.float32)
    total = np.zeros(n)
    stack = np.empty((s + 1, WORDS), np.int64)
    path, spans = np.empty(s, np.int64), np.empty(s, np.float32)
    columns = np.empty(stride * LANES, np.float32)
    near = np.empty(LEAST * 2 * d, np.float32)  # boxes of a leaf, and of nodes of two and three points above it
    for i in range(n):
        ids[i] = i
    for root in roots:
        stack[0, NODE], stack[0, BEGIN], stack[0, SOME], stack[0, DEPTH] = root, 0, n, 0
        height = 1
        while height > 0:
            height -= 1
            node, begin, some, depth = stack[height]
            leaf = feature[node] < 0
            spans[depth] = span[node]
            if box[node] >= 0:
                path[depth] = np.int64(box[node]) * 2 * d
            else:
                place = 0 if leaf else mass[node] * 2 * d
                box_of(points, first[node], 1 if leaf else mass[node], near[place : place + 2 * d])
                path[depth] = -1 - place
            if leaf:
                climb(flat, d, ids, begin, some, boxes, near, path, spans, depth, _known(depth, mass[node], s), columns, values)
                continue
            less = part(flat, stride, ids, begin, begin + some, np.int64(feature[node]), cut[node], aside)
            for side, start, count in ((1, begin + less, some - less), (0, begin, less)):
                if count > 0:
                    stack[height, NODE], stack[height, BEGIN] = child[node] + side, start
                    stack[height, SOME], stack[height, DEPTH] = count, depth + 1
                    height += 1
        for j in range(n):
            total[np.uint32(ids[j])] += values[j]
    for i in range(n):
        result[i] = total[i] / len(roots)


@numba.njit(nogil=True, cache=True)
def _stride(d):
    """How far padded rows of d numbers lie apart."""
    return (d + LANES - 1) // LANES * LANES


@numba.njit(nogil=True, cache=True)
def _padded(rows):
    """The rows, flat, with zeros up to whole vectors, and on the borders of cache lines: a vector that lies across
    two of them takes twice as long to load."""
    n, d = rows.shape
    stride = _stride(d)
    room = np.zeros(n * stride + LANES, np.float32)
    start = (-room.ctypes.data % (4 * LANES)) // 4
    flat = room[start : start + n * stride]
    for i in range(n):
        flat[i * stride : i * stride + d] = rows[i]
    return flat


@numba.njit(nogil=True, cache=True)
def _known(depth, mass, s):
    """What a leaf says to a row equal to it: less, the more points there are of it."""
    if mass == 1:
        return np.float32((1.0 - 1 / (2.0 * s)) / (depth + 1))
    return np.float32((1.0 - mass / (2.0 * s)) / (depth + math.log2(mass + 1.0)))
