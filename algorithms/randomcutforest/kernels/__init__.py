"""Inner loops of the random cut forest.    n rows   d features   t trees   s points a tree   m points of a node

Arrays may be read-only or of another type; they are made what the compiled functions take, so that each of these is
compiled once. Rows are finite, and no value is beyond `MOST`, so that no sum of float32 overflows.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.randomcutforest.kernels.attribution import shares
from algoport.algorithms.randomcutforest.kernels.growth import enclose_all, grow_trees
from algoport.algorithms.randomcutforest.kernels.scoring import walks
from algoport.algorithms.shared.arrays import const

# Rows that walk through the trees together, at most: so many that a node's own work is shared by many of them, since
# nodes are visited a subtree at a time, whose rows stay in the first cache. 4,096 rows of 50 took a fifth longer a row
# than 16,384, and 32,768 as long. `ROOM` is how many numbers these rows may have.
ROOM, FEWEST, MOST_ROWS = 1 << 20, 256, 16384
# Beyond this a sum of sides over 10,000 features would overflow.
MOST = np.float32(1e33)


def grow(points, order, trees, seed, nodes) -> NDArray[np.int64]:
    """Cuts a tree for each of `trees` equal parts of the points (Guha et al. 2016, definition 1).

    points  in    (r, d) float32
    order   moves (t * s,) int32   the points of each tree, into the order of its leaves
    seed    in    a whole number; with the numbers of tree and node it is all the randomness there is
    nodes   sets  feature, cut, child, span, mass, first: (t, 2 s - 1) each, places for the nodes of each tree

    A cut separates values up to it from those above it. Identical points share a leaf. Returns how many nodes each
    tree has (t,).
    """
    points, s = const(points), len(order) // trees
    step = max(1, int(1e9) // max(s * 20 * (points.shape[1] + 20), 1))  # a signal waits for the end of a call
    parts = [(t, min(trees, t + step)) for t in range(0, trees, step)]
    return np.concatenate([grow_trees(points, order, *part, s, np.uint64(seed), *nodes) for part in parts])


def enclose(points, child, mass, first, box, boxes) -> None:
    """Sets `boxes` (b, 2, d): for each node whose `box` is not negative, the highest and the lowest value of each
    feature among its points."""
    enclose_all(const(points), *(const(array, np.int32) for array in (child, mass, first, box)), boxes)


def scores(rows, forest) -> NDArray[np.float64]:
    """Of each row (n,): the mean over the trees of the expected 1 / (depth + 1) at which the row would have become
    a leaf, had the tree been grown with it. A row's score does not depend on the rows beside it."""
    rows = const(rows)
    n, d = rows.shape
    size = max(FEWEST, min(ROOM // max(d, 1), MOST_ROWS))
    threads = numba.get_num_threads()
    rounds = max(1, -(-n // (threads * size)))  # in each, every thread has as many rows
    size = max(1, -(-n // (threads * rounds)) if n > 64 else n)
    result = np.empty(n)
    # A call for some at a time, as a signal waits for its end.
    step = size * threads * max(1, int(2e9) // max(size * threads * len(forest.roots) * (d + 64), 1))
    for start in range(0, n, step):
        part = rows[start : start + step]
        walks(part, *_walk_arrays(forest), forest.size, size,
                result[start : start + step])  # fmt: skip
    return result


def attributions(rows, forest) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The part (n, d) that each feature has in a row's score, for lying above what is usual, and for lying below."""
    rows = const(rows)
    above, below = np.zeros(rows.shape), np.zeros(rows.shape)
    step = max(1, int(2e8) // max(len(forest.roots) * rows.shape[1], 1))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        shares(rows[part], *_walk_arrays(forest), forest.size,
               above[part], below[part])  # fmt: skip
    return above, below


def reach(rows) -> float:
    """The largest absolute value; infinite where one is missing or infinite, 0 of none."""
    most = int(_reach(const(rows).reshape(-1).view(np.uint32)))
    value = float(np.array([most], np.uint32).view(np.float32)[0])
    return value if math.isfinite(value) else math.inf


def _walk_arrays(forest):
    """The arrays of a forest that a walk needs."""
    nodes = (const(array, array.dtype) for array in forest.nodes)
    return const(forest.points), *nodes, const(forest.boxes).reshape(-1), const(forest.roots, np.int32)


@numba.njit(nogil=True, cache=True)
def _reach(bits):
    """The highest of float32 values without their signs, as bits: those of infinite and missing ones are highest."""
    most = np.uint32(0)
    for i in range(len(bits)):
        most = max(most, bits[i] & np.uint32(0x7FFFFFFF))
    return most
