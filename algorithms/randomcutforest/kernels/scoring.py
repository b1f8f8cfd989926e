"""The walk of many rows through the trees.

n rows   d features   r points   t trees   s points a tree   v nodes   b boxes
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.randomcutforest.kernels.growth import box_of
from algoport.algorithms.randomcutforest.kernels.vectors import LANES, LINE, PACKS, SPARE, climb, part

# What is written down of a visit.
NODE, BEGIN, SOME, DEPTH, WORDS = range(5)
LEAST = 4  # a node with fewer points has no box
WHOLE = np.uint64(1) << np.uint64(32)  # by which an inverse is multiplied


@numba.njit(parallel=True, nogil=True, cache=True)
def walks(
    rows,  # in   (n, d) float32
    points,  # in   (r, d) float32
    feature,  # in   (v,) int32  that a node cuts; -1 of a leaf
    cut,  # in   (v,) float32  up to which values go left
    child,  # in   (v,) int32  the left one, which the right one follows
    span,  # in   (v,) float32  sum of the sides of its box
    mass,  # in   (v,) int32  points below it
    first,  # in   (v,) int32  of these among the points
    box,  # in   (v,) int32  which of the boxes is its own; -1 where it has none
    boxes,  # in   (b * 2 * d,) float32  highest, then lowest values of each
    roots,  # in   (t,) int32
    s,  # int64
    size,  # int64  rows that walk together
    result,  # sets (n,) float64
):
    """Sets result (n,) float64 to the mean over the trees of 1 / (depth + 1), for `size` rows at a time."""
    n = len(rows)
    for b in numba.prange((n + size - 1) // size):
        begin, end = b * size, min(n, (b + 1) * size)
        _block(rows[begin:end], points, feature, cut, child, span, mass, first, box, boxes, roots, s,
               result[begin:end])  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _block(
    rows,  # in   (n, d) float32
    points,  # in   (r, d) float32
    feature,  # in   (v,) int32  that a node cuts; -1 of a leaf
    cut,  # in   (v,) float32  up to which values go left
    child,  # in   (v,) int32  the left one, which the right one follows
    span,  # in   (v,) float32  sum of the sides of its box
    mass,  # in   (v,) int32  points below it
    first,  # in   (v,) int32  of these among the points
    box,  # in   (v,) int32  which of the boxes is its own; -1 where it has none
    boxes,  # in   (b * 2 * d,) float32  highest, then lowest values of each
    roots,  # in   (t,) int32
    s,  # int64
    result,  # sets (n,) float64
):
    """Scores rows together: down each tree they are parted as its cuts say, and those that came to the same leaf go up
    again to where they lie inside a box."""
    n, d = rows.shape
    flat, stride = _pad(rows), _stride(d)
    ids, aside, values = np.zeros(n + SPARE, np.int32), np.empty(n + SPARE, np.int32), np.empty(n + SPARE, np.float32)
    total = np.zeros(n)
    visits, stack = np.empty((2 * s, WORDS), np.int64), np.empty((s + 1, WORDS), np.int64)
    path, spans = np.empty(s, np.int64), np.empty(s, np.float32)
    columns = _lines(stride * LANES)
    near, point = np.empty(LEAST * 2 * d, np.float32), np.zeros(stride, np.float32)  # boxes of few points, and a leaf
    inverse = WHOLE // np.uint64(stride) + np.uint64(1)
    for root in roots:
        for v in range(_descend(flat, stride, root, feature, cut, child, ids, aside, visits, stack)):
            node, begin, some, depth = visits[v]
            spans[depth] = span[node]
            if feature[node] < 0:
                point[:d] = points[first[node]]
                known = _leaf_score(depth, mass[node], s)
                climb(flat, d, ids, begin, some, boxes, near, path, spans, depth, known, point, columns, values)
            elif box[node] >= 0:
                path[depth] = np.int64(box[node]) * 2 * d
            else:
                place = mass[node] * 2 * d
                box_of(points, first[node], mass[node], near[place : place + 2 * d])
                path[depth] = -1 - place
        for j in range(n):
            total[np.uint64(np.uint32(ids[j])) * inverse >> np.uint64(32)] += values[j]
    for i in range(n):
        result[i] = total[i] / len(roots)


@numba.njit(nogil=True, cache=True)
def _descend(
    flat,  # in   (n * stride,) float32  the rows, padded
    stride,  # int64  from row to row
    root,  # int64
    feature,  # in   (v,) int32
    cut,  # in   (v,) float32
    child,  # in   (v,) int32
    ids,  # sets (n + SPARE,) int32  where rows begin, those of a node side by side
    aside,  # sets (n + SPARE,) int32  scratch
    visits,  # sets (2 * s, WORDS) int64
    stack,  # sets (s + 1, WORDS) int64  scratch
):
    """Sets `visits`, the nodes that rows come to, a parent before its children and a subtree without a gap, so that
    its rows stay in the nearest cache. ids[begin:begin + some] are a node's rows. Returns how many visits there are."""
    n = len(ids) - SPARE
    for i in range(n):
        ids[i] = i * stride
    count, height = 0, 1
    stack[0, NODE], stack[0, BEGIN], stack[0, SOME], stack[0, DEPTH] = root, 0, n, 0
    while height > 0:
        height -= 1
        node, begin, some, depth = stack[height]
        visits[count, NODE], visits[count, BEGIN], visits[count, SOME], visits[count, DEPTH] = node, begin, some, depth
        count += 1
        if feature[node] >= 0:
            if PACKS:
                less = part(flat, ids, begin, begin + some, np.int64(feature[node]), cut[node], aside)
            else:
                less = _part(flat, ids, begin, begin + some, np.int64(feature[node]), cut[node], aside)
            for side, start, rows in ((1, begin + less, some - less), (0, begin, less)):
                if rows > 0:
                    stack[height, NODE], stack[height, BEGIN] = child[node] + side, start
                    stack[height, SOME], stack[height, DEPTH] = rows, depth + 1
                    height += 1
    return count


@numba.njit(nogil=True, cache=True)
def _part(
    flat,  # in   (n * stride,) float32  the rows, padded
    ids,  # moves (n + SPARE,) int32
    begin,  # int64  of the rows among these
    end,  # int64  behind them
    feature,  # int64
    cut,  # float32
    aside,  # sets (n + SPARE,) int32  scratch
):
    """As `vectors.part`, for processors that do not pack vectors: row by row, without a branch on the data."""
    left, right = np.uint64(begin), np.uint64(0)
    for i in range(np.uint64(begin), np.uint64(end)):
        which = ids[i]
        over = np.uint64(flat[np.uint64(np.uint32(which)) + np.uint64(feature)] > cut)
        ids[left] = which
        aside[right] = which
        right += over
        left += np.uint64(1) - over
    for i in range(right):
        ids[left + i] = aside[i]
    return np.int64(left) - begin


@numba.njit(nogil=True, cache=True)
def _stride(d):
    """How far padded rows of d numbers lie apart."""
    return (d + LINE - 1) // LINE * LINE


@numba.njit(nogil=True, cache=True)
def _lines(count):
    """Room for so many numbers, zeros, from the border of a cache line on: a vector that lies across two lines takes
    twice as long to load."""
    room = np.zeros(count + LINE, np.float32)
    start = (-room.ctypes.data % (4 * LINE)) // 4
    return room[start : start + count]


@numba.njit(nogil=True, cache=True)
def _pad(rows):
    """The rows, flat, with zeros up to whole lines."""
    n, d = rows.shape
    stride = _stride(d)
    flat = _lines(n * stride)
    for i in range(n):
        flat[i * stride : i * stride + d] = rows[i]
    return flat


@numba.njit(nogil=True, cache=True)
def _leaf_score(depth, mass, s):
    """What a leaf says to a row equal to it: less, the more points there are of it."""
    if mass == 1:
        return np.float32((1.0 - 1 / (2.0 * s)) / (depth + 1))
    return np.float32((1.0 - mass / (2.0 * s)) / (depth + math.log2(mass + 1.0)))
