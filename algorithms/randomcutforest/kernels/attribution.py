"""How each feature has part in the score of a row.

n rows   d features   r points   t trees   s points a tree   v nodes   b boxes
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.randomcutforest.kernels.growth import box_of


@numba.njit(parallel=True, nogil=True, cache=True)
def shares(
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
    above,  # adds (n, d) float64
    below,  # adds (n, d) float64
):
    """Adds to above and below what each feature has of the mean of 1 / (depth + 1), a walk a tree.

    The chance that a cut parts the row from a node's points is made up of the features beyond whose sides the row
    lies, and so is what this chance adds to the score. Where a row equals the point of its leaf, the rest of the score
    is shared out by how the row lies beyond the sibling of the leaf: what would part it, were its point not there.
    """
    n, d = rows.shape
    for i in numba.prange(n):
        scratch = np.empty(2 * d, np.float32)
        row = rows[i]
        for root in roots:
            node, sibling, depth, stay = root, -1, 0, 1.0
            while stay > 0:
                total = _beyond(row, points, first, mass, box, boxes, node, scratch)
                if total > 0:
                    chance = total / (span[node] + total)
                    _add(row, scratch, stay * chance / (depth + 1) / total, above[i], below[i])
                    stay *= 1 - chance
                if feature[node] < 0:
                    break
                over = row[feature[node]] > cut[node]
                node, sibling = child[node] + over, child[node] + (not over)
                depth += 1
            if total == 0:
                known = (1.0 - mass[node] / (2.0 * s)) / (depth + math.log2(mass[node] + 1.0))
                if sibling >= 0:
                    total = _beyond(row, points, first, mass, box, boxes, sibling, scratch)
                    _add(row, scratch, stay * known / total, above[i], below[i])
                else:
                    above[i] += stay * known / (2 * d)
                    below[i] += stay * known / (2 * d)
        above[i] /= len(roots)
        below[i] /= len(roots)


@numba.njit(nogil=True, cache=True)
def _beyond(
    row,  # in   (d,) float32
    points,  # in   (r, d) float32
    first,  # in   (v,) int32
    mass,  # in   (v,) int32
    box,  # in   (v,) int32
    boxes,  # in   (b * 2 * d,) float32
    node,  # int64  which one
    scratch,  # sets (2 * d,) float32  its box
):
    """Sets the box (2 d,) of a node; by how much the row lies outside of it, in all features together."""
    d = len(row)
    if box[node] >= 0:
        scratch[:] = boxes[box[node] * 2 * d : (box[node] + 1) * 2 * d]
    else:
        box_of(points, first[node], mass[node], scratch)
    total = 0.0
    for f in range(d):
        total += max(np.float64(row[f]) - np.float64(scratch[f]), 0.0)
        total += max(np.float64(scratch[d + f]) - np.float64(row[f]), 0.0)
    return total


@numba.njit(nogil=True, cache=True)
def _add(row, box, weight, above, below):
    d = len(row)
    for f in range(d):
        if row[f] > box[f]:
            above[f] += weight * (np.float64(row[f]) - np.float64(box[f]))
        elif row[f] < box[d + f]:
            below[f] += weight * (np.float64(box[d + f]) - np.float64(row[f]))
