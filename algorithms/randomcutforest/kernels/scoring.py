"""The walk of many rows through the trees.    n rows   d features   t trees   s points a tree   v nodes"""

from __future__ import annotations

import math

import numba
import numpy as np

from algorithms.randomcutforest.kernels.growth import box_of
from algorithms.randomcutforest.kernels.vectors import LANES, SPARE, join, part, rise

# What is written down of a visit.
NODE, BEGIN, SOME, DEPTH, LEFT, RIGHT, WORDS = range(7)


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
    flat, stride, leaves = _padded(rows), _stride(d), points.reshape(len(points) * d)
    ids, values = np.zeros(n + SPARE, np.int32), np.empty(n + SPARE, np.float32)
    done_ids, done_values = np.empty(n + SPARE, np.int32), np.empty(n + SPARE, np.float32)
    total = np.zeros(n)
    visits, stack = np.empty((2 * s, WORDS), np.int64), np.empty((2 * s, WORDS), np.int64)
    scratch = np.empty(2 * d, np.float32)
    for root in roots:
        count, done = _descend(flat, stride, root, feature, cut, child, ids, done_ids, visits, stack), 0
        for v in range(count - 1, -1, -1):
            node, begin, some, depth, left, right = visits[v]
            if feature[node] < 0:
                values[begin : begin + some] = _known(depth, mass[node], s)
                sides = leaves
                high = low = np.int64(first[node]) * d
            else:
                some = _joined(visits, left, right, ids, values)
                if some == 0:
                    visits[v, SOME] = 0
                    continue
                if box[node] >= 0:
                    sides, high = boxes, np.int64(box[node]) * 2 * d
                else:
                    box_of(points, first[node], mass[node], scratch)
                    sides, high = scratch, 0
                low = high + d
            kept = rise(flat, d, ids, values, begin, some, sides, high, low, span[node],
                        np.float32(1.0) / np.float32(depth + 1), done_ids, done_values, done)  # fmt: skip
            done += some - kept
            visits[v, SOME] = kept
        for j in range(done):
            total[np.uint32(done_ids[j])] += done_values[j]
        for j in range(visits[0, SOME]):
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
def _descend(flat, stride, root, feature, cut, child, ids, aside, visits, stack):
    """Sets `visits`, the nodes that rows come to, a parent before its children and a subtree without a gap, so that
    its rows stay in the nearest cache. ids[begin:begin + some] are a node's rows. Returns how many visits there are."""
    n = len(ids) - SPARE
    for i in range(n):
        ids[i] = i
    count, height = 0, 1
    stack[0, NODE], stack[0, BEGIN], stack[0, SOME], stack[0, DEPTH], stack[0, LEFT] = root, 0, n, 0, -1
    while height > 0:
        height -= 1
        node, begin, some, depth, parent, _ = stack[height]
        visits[count, NODE], visits[count, BEGIN], visits[count, SOME], visits[count, DEPTH] = node, begin, some, depth
        visits[count, LEFT] = visits[count, RIGHT] = -1
        if parent >= 0:
            # Of a stacked node, LEFT is the visit of its parent.
            visits[parent, LEFT if node == child[visits[parent, NODE]] else RIGHT] = count
        if feature[node] >= 0:
            less = part(flat, stride, ids, begin, begin + some, np.int64(feature[node]), cut[node], aside)
            for side, start, rows in ((1, begin + less, some - less), (0, begin, less)):
                if rows > 0:
                    stack[height, NODE], stack[height, BEGIN], stack[height, SOME] = child[node] + side, start, rows
                    stack[height, DEPTH], stack[height, LEFT] = depth + 1, count
                    height += 1
        count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _joined(visits, left, right, ids, values):
    """Moves the rows that are left of a node's children together; how many."""
    if left < 0 or right < 0:
        return visits[max(left, right), SOME]
    some, others = visits[left, SOME], visits[right, SOME]
    to, start = visits[left, BEGIN] + some, visits[right, BEGIN]
    if to < start:
        join(ids, values, to, start, others)
    return some + others


@numba.njit(nogil=True, cache=True)
def _known(depth, mass, s):
    """What a leaf says to a row equal to it: less, the more points there are of it."""
    if mass == 1:
        return np.float32((1.0 - 1 / (2.0 * s)) / (depth + 1))
    return np.float32((1.0 - mass / (2.0 * s)) / (depth + math.log2(mass + 1.0)))
