"""Trees, walked down node after node.    n rows   d features   t trees   m nodes   k outputs

A node is four int32 numbers: the bits of its threshold, feature * 2 + default_left, its left child (the right one
stands behind it), and of a leaf the bits of its value, of a split by category where its set begins, else -1. A leaf is
its own left child, with a threshold of NaN, at or above which nothing lies, and left for what is missing: a walk may
take more steps than the tree is deep. The steps of eight walks are taken in turns, as each waits for memory.
"""

from __future__ import annotations

import numba
import numpy as np

NO_TREE, UNREACHED = -2, -1
BLOCK = 256  # rows that walk through all trees before the next ones do
_LONG = 24  # steps; of deeper trees, one at a time is walked for a single row
_CHECK = 6  # steps after which it is asked whether all walks have ended


@numba.njit(nogil=True, cache=True)
def reach(
    offsets,  # in   (t + 1,) int64
    left,  # in   (m,) int32  within the tree, -1 at leaves
    right,  # in   (m,) int32
    depth,  # sets (m,) int32  UNREACHED where no way from the root leads; NO_TREE at the root of what is no tree
    parent,  # sets (m,) int32  within the tree, 2147483647 of a root
):
    """Follow every tree from its root."""
    stack = np.empty(len(left) + 1, np.int64)
    for t in range(len(offsets) - 1):
        first, m = offsets[t], offsets[t + 1] - offsets[t]
        depth[first : first + m] = UNREACHED
        parent[first : first + m] = 0
        parent[first], depth[first] = 2147483647, 0
        stack[0], top = 0, 1
        while top > 0:
            top -= 1
            node = stack[top]
            if left[first + node] == -1:
                continue
            for child in (left[first + node], right[first + node]):
                if child <= 0 or child >= m or depth[first + child] != UNREACHED:
                    depth[first], top = NO_TREE, -1
                    break
                depth[first + child], parent[first + child] = depth[first + node] + 1, node
                stack[top] = child
                top += 1
            if top < 0:
                break


@numba.njit(nogil=True, cache=True)
def pack(
    offsets,  # in   (t + 1,) int64
    left,  # in   (m,) int32
    right,  # in   (m,) int32
    feature,  # in   (m,) int32
    threshold,  # in   (m,) int32  the bits of a float32
    default_left,  # in   (m,) uint8
    starts,  # in   (m,) int32  where the set of a split by category begins, else -1
    nodes,  # sets (m * 4,) int32
    depth,  # sets (t,) int32
    number,  # sets (m,) int32  of each packed node within its tree
):
    """Number the nodes of each tree anew, breadth first. Those that no root leads to come last, as leaves."""
    nan = np.int32(0x7FC00000)
    for t in range(len(offsets) - 1):
        first, m = offsets[t], offsets[t + 1] - offsets[t]
        level_end, deep, count = 1, 0, 1
        seen = np.zeros(m, np.uint8)
        seen[0] = 1
        number[first] = 0
        for i in range(m):
            if i == level_end and i < count:
                level_end, deep = count, deep + 1
            if i == count:  # the rest is not reached
                for j in range(m):
                    if not seen[j]:
                        number[first + count], seen[j] = j, 1
                        count += 1
            old = first + number[first + i]
            at = (first + i) * 4
            if left[old] == -1 or seen[old - first] == 0:
                nodes[at], nodes[at + 1], nodes[at + 2], nodes[at + 3] = nan, 1, first + i, threshold[old]
                continue
            nodes[at], nodes[at + 1] = threshold[old], feature[old] * 2 + (default_left[old] != 0)
            nodes[at + 2], nodes[at + 3] = first + count, starts[old]
            for child in (left[old], right[old]):
                number[first + count], seen[child] = child, 1
                count += 1
        depth[t] = deep


@numba.njit(nogil=True, cache=True, forceinline=True)
def _next(rows, at, nodes, floats, node):
    """The node that comes after `node` for the row that begins at `at`."""
    place = np.uint64(node) * np.uint64(4)
    about = np.uint64(nodes[place + np.uint64(1)])
    value = rows[at + (about >> np.uint64(1))]
    right = (value >= floats[place]) | ((value != value) & ((about & np.uint64(1)) == 0))
    return np.uint64(nodes[place + np.uint64(2)]) + np.uint64(right)


@numba.njit(nogil=True, cache=True)
def _by_category(rows, at, nodes, floats, sets, node):
    """The leaf that a row comes to where nodes may split by category."""
    while np.uint64(nodes[node * np.uint64(4) + np.uint64(2)]) != node:
        place = node * np.uint64(4)
        start = nodes[place + np.uint64(3)]
        if start < 0:
            node = _next(rows, at, nodes, floats, node)
            continue
        about = np.uint64(nodes[place + np.uint64(1)])
        value = rows[at + (about >> np.uint64(1))]
        right = False  # as in the library, a category that is none, or that was never seen, goes left
        if value != value:
            right = (about & np.uint64(1)) == 0
        elif 0 <= value < sets[start] * 32:
            category = np.int64(value)
            right = (sets[start + 1 + category // 32] >> (category % 32)) & 1 == 1
        node = np.uint64(nodes[place + np.uint64(2)]) + np.uint64(right)
    return node


@numba.njit(nogil=True, cache=True)
def leaf(rows, at, nodes, floats, sets, root, deep):
    """The leaf that a row comes to."""
    if deep < 0:
        return _by_category(rows, at, nodes, floats, sets, root)
    return below(rows, at, nodes, floats, root, deep)


@numba.njit(nogil=True, cache=True)
def below(rows, at, nodes, floats, node, deep):
    """The leaf that a row comes to from a node, at most `deep` steps below."""
    for _ in range(deep):
        node = _next(rows, at, nodes, floats, node)
    return node


@numba.njit(nogil=True, cache=True)
def eight(rows, d, begin, nodes, floats, deep, ends):
    """Moves ends (8,) uint64, nodes that eight rows have come to, to the leaves at most `deep` steps below.

    `begin`: the number of the first row. No split may be by category.
    """
    at = np.uint64(begin * d)
    by = np.uint64(d)
    a0, a1, a2, a3 = at, at + by, at + by * np.uint64(2), at + by * np.uint64(3)
    at += by * np.uint64(4)
    a4, a5, a6, a7 = at, at + by, at + by * np.uint64(2), at + by * np.uint64(3)
    n0, n1, n2, n3, n4, n5, n6, n7 = ends[0], ends[1], ends[2], ends[3], ends[4], ends[5], ends[6], ends[7]
    step = 0
    while step < deep:
        last = min(deep, step + _CHECK)
        before = n0 + n1 + n2 + n3 + n4 + n5 + n6 + n7
        for _ in range(step, last):
            n0 = _next(rows, a0, nodes, floats, n0)
            n1 = _next(rows, a1, nodes, floats, n1)
            n2 = _next(rows, a2, nodes, floats, n2)
            n3 = _next(rows, a3, nodes, floats, n3)
            n4 = _next(rows, a4, nodes, floats, n4)
            n5 = _next(rows, a5, nodes, floats, n5)
            n6 = _next(rows, a6, nodes, floats, n6)
            n7 = _next(rows, a7, nodes, floats, n7)
        step = last
        # A child's number is above its parent's, so the sum stands still only when all walks have ended.
        if before == n0 + n1 + n2 + n3 + n4 + n5 + n6 + n7:
            break
    ends[0], ends[1], ends[2], ends[3], ends[4], ends[5], ends[6], ends[7] = n0, n1, n2, n3, n4, n5, n6, n7


@numba.njit(nogil=True, cache=True)
def add_block(
    rows,  # in   (n * d,) float32
    d,  # in   int64  features
    begin,  # in   int64  the first row
    end,  # in   int64  behind the last row
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    roots,  # in   (t + 1,) int64
    depth,  # in   (t,) int32
    group,  # in   (t,) int32  to which output a tree adds
    sets,  # in   (?,) int32  of splits by category
    first,  # in   int64  the first tree
    last,  # in   int64  behind the last tree
    sums,  # adds (n, k) float32
):
    """Adds to sums (n, k) what the trees from `first` to before `last` say of the rows from `begin` to before `end`."""
    ends = np.empty(8, np.uint64)
    for t in range(first, last):
        root, deep, g = np.uint64(roots[t]), depth[t], group[t]
        i = begin
        if deep >= 0:
            while i + 8 <= end:
                ends[:] = root
                eight(rows, d, i, nodes, floats, deep, ends)
                for j in range(8):
                    sums[i + j, g] += floats[ends[j] * np.uint64(4) + np.uint64(3)]
                i += 8
        while i < end:
            node = leaf(rows, np.uint64(i * d), nodes, floats, sets, root, deep)
            sums[i, g] += floats[node * np.uint64(4) + np.uint64(3)]
            i += 1


@numba.njit(nogil=True, cache=True)
def add_row(
    rows,  # in   (n * d,) float32
    at,  # in   uint64  where the row begins
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    roots,  # in   (t + 1,) int64
    depth,  # in   (t,) int32
    group,  # in   (t,) int32  to which output a tree adds
    sets,  # in   (?,) int32  of splits by category
    count,  # in   int64  how many of the trees
    sums,  # adds (k,) float32
):
    """Adds to sums (k,) what the first `count` trees say of one row; eight trees are walked in turns."""
    t = 0
    while t < count:
        deep = np.int32(0)
        if t + 8 <= count:
            for j in range(t, t + 8):
                deep = max(deep, depth[j]) if depth[j] >= 0 and deep >= 0 else np.int32(-1)
        if t + 8 > count or deep < 0 or deep > _LONG:
            node = leaf(rows, at, nodes, floats, sets, np.uint64(roots[t]), depth[t])
            sums[group[t]] += floats[node * np.uint64(4) + np.uint64(3)]
            t += 1
            continue
        n0, n1, n2, n3 = np.uint64(roots[t]), np.uint64(roots[t + 1]), np.uint64(roots[t + 2]), np.uint64(roots[t + 3])
        t4 = t + 4
        n4, n5 = np.uint64(roots[t4]), np.uint64(roots[t4 + 1])
        n6, n7 = np.uint64(roots[t4 + 2]), np.uint64(roots[t4 + 3])
        for _ in range(deep):
            n0 = _next(rows, at, nodes, floats, n0)
            n1 = _next(rows, at, nodes, floats, n1)
            n2 = _next(rows, at, nodes, floats, n2)
            n3 = _next(rows, at, nodes, floats, n3)
            n4 = _next(rows, at, nodes, floats, n4)
            n5 = _next(rows, at, nodes, floats, n5)
            n6 = _next(rows, at, nodes, floats, n6)
            n7 = _next(rows, at, nodes, floats, n7)
        for node in (n0, n1, n2, n3, n4, n5, n6, n7):
            sums[group[t]] += floats[node * np.uint64(4) + np.uint64(3)]
            t += 1


@numba.njit(nogil=True, cache=True)
def add_alone(
    rows,  # in   (n * d,) float32
    d,  # in   int64  features
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    roots,  # in   (t + 1,) int64
    depth,  # in   (t,) int32
    group,  # in   (t,) int32  to which output a tree adds
    sets,  # in   (?,) int32  of splits by category
    count,  # in   int64  how many of the trees
    sums,  # adds (n, k) float32
):
    """Adds to sums (n, k) what the first `count` trees say, on one thread."""
    n = len(sums)
    if n < 8:
        for i in range(n):
            add_row(rows, np.uint64(i * d), nodes, floats, roots, depth, group, sets, count, sums[i])
        return
    for begin in range(0, n, BLOCK):
        end = min(n, begin + BLOCK)
        add_block(rows, d, begin, end, nodes, floats, roots, depth, group, sets, 0, count, sums)


@numba.njit(parallel=True, nogil=True, cache=True)
def add(
    rows,  # in   (n * d,) float32
    d,  # in   int64  features
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    roots,  # in   (t + 1,) int64
    depth,  # in   (t,) int32
    group,  # in   (t,) int32  to which output a tree adds
    sets,  # in   (?,) int32  of splits by category
    count,  # in   int64  how many of the trees
    threads,  # in   int64
    sums,  # adds (n, k) float32
):
    """Adds to sums (n, k) what the first `count` trees say; a thread walks a block of rows at a time."""
    n = len(sums)
    size = max(8, min(BLOCK, (n + threads - 1) // threads))
    for b in numba.prange((n + size - 1) // size):
        end = min(n, (b + 1) * size)
        add_block(rows, d, b * size, end, nodes, floats, roots, depth, group, sets, 0, count, sums)


@numba.njit(parallel=True, nogil=True, cache=True)
def leaves(
    rows,  # in   (n * d,) float32
    d,  # in   int64  features
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    roots,  # in   (t + 1,) int64
    depth,  # in   (t,) int32
    sets,  # in   (?,) int32  of splits by category
    number,  # in   (m,) int32  of each node within its tree
    count,  # in   int64  how many of the trees
    output,  # sets (n, count) int32
):
    """Sets output (n, count) to the leaf that each row comes to, by its number within the tree."""
    n = len(output)
    for b in numba.prange((n + BLOCK - 1) // BLOCK):
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            for t in range(count):
                node = leaf(rows, np.uint64(i * d), nodes, floats, sets, np.uint64(roots[t]), depth[t])
                output[i, t] = number[node]


@numba.njit(nogil=True, cache=True)
def spread(indptr, indices, data, start, place, block):
    """Sets the values of sparse rows from `start` on in block (n, width); place (d,): of a feature, or -1."""
    for i in range(len(block)):
        for j in range(indptr[start + i], indptr[start + i + 1]):
            feature = indices[j]
            if feature < len(place) and place[feature] >= 0:
                block[i, place[feature]] = data[j]
