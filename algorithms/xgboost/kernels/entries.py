"""Inner loops of what trees are grown on: rows with their gradients in whole numbers.

n rows   m entries, the rows of a tree

Gradients are rounded to 16 bits, so that sums do not depend on the order of the rows, on threads or on hosts. An entry
is a row's number and above it its gradient (signed) and its Hessian (unsigned): h * 2^48 + g * 2^32 + row. Where 16
bits are too few, numbers of 31 are taken apart into two such halves, HALF = 2^15 apart, and each is summed.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share

ROW = np.uint64(0xFFFFFFFF)
U32, U48 = np.uint64(32), np.uint64(48)
SIZE = np.int32(0x7FFFFFFF)  # the bits of a float32 but its sign
HIGH_G, HIGH_H = np.float64(32767), np.float64(65535)
HALF = 15  # bits of the lower half of a number
BLOCK = 16384  # rows that a thread takes at a time
PARTS = 64
LEAST = 8192  # rows of a part, where each has sums of its own


@numba.njit(nogil=True, cache=True)
def largest(
    team,  # in   (2,) int64  as `threads.team` gives it
    bits,  # in   (n, 2) int32  of gradients and Hessians, which are float32
    most,  # sets (2,) int32  the bits of the greatest absolute gradient and Hessian
):
    """By their bits without the sign, which rise as numbers do: of whole numbers a compiler compares many at once."""
    count = (len(bits) + BLOCK - 1) // BLOCK
    parts = np.zeros((count, 2), np.int32)
    share(team, _largest, count, (bits, parts))
    most[:] = 0
    for p in range(count):
        most[0], most[1] = max(most[0], parts[p, 0]), max(most[1], parts[p, 1])


@numba.njit(nogil=True, cache=True)
def _largest(block, bits, parts):
    """Of one block of rows."""
    g, h = np.int32(0), np.int32(0)
    for i in range(block * BLOCK, min(len(bits), (block + 1) * BLOCK)):
        a, b = bits[i, 0] & SIZE, bits[i, 1] & SIZE
        g = a if a > g else g
        h = b if b > h else h
    parts[block, 0], parts[block, 1] = g, h


@numba.njit(nogil=True, cache=True)
def enter(
    team,  # in   (2,) int64
    gradients,  # in   (n, 2) float32
    some,  # false: of all rows
    rows,  # in   (m,) int32 which, where only of some
    scale_g,  # in   float64
    scale_h,  # in   float64
    entries,  # sets (m,) uint64
    lower,  # sets (n,) uint64 entries of the lower halves; (0,) where one half is enough
    sums,  # sets (3,) int64 the sums of gradients, of Hessians, and of absolute gradients, as the entries have them
):
    """Round gradients times their scale, and make the entries of a tree."""
    count = (len(entries) + BLOCK - 1) // BLOCK
    parts = np.zeros((count, 3), np.int64)
    share(team, _enter, count, (gradients, some, rows, scale_g, scale_h, entries, lower, parts))
    sums[:] = 0
    for p in range(count):
        for j in range(3):
            sums[j] += parts[p, j]


@numba.njit(nogil=True, cache=True)
def _enter(
    block,  # in   int64  which block of rows
    gradients,  # in   (n, 2) float32
    some,  # false: of all rows
    rows,  # in   (m,) int32 which, where only of some
    scale_g,  # in   float64
    scale_h,  # in   float64
    entries,  # sets (m,) uint64
    lower,  # sets (n,) uint64 entries of the lower halves; (0,) where one half is enough
    parts,  # sets (count, ?) int64  of each block
):
    """One block of rows."""
    first, last = block * BLOCK, min(len(entries), (block + 1) * BLOCK)
    if some or len(lower) > 0:
        _enter_one_by_one(first, last, gradients, some, rows, scale_g, scale_h, entries, lower)
    else:
        for i in range(first, last):
            # What rounds up to a power of 2 would be a bit too many.
            g = np.rint(np.float64(gradients[i, 0]) * scale_g)
            h = np.rint(np.float64(gradients[i, 1]) * scale_h)
            g, h = np.int32(min(max(g, -HIGH_G), HIGH_G)), np.int32(min(max(h, 0.0), HIGH_H))
            entries[i] = _entry(np.int64(g), np.int64(h), np.int64(i))
    total(entries, first, last, parts[block])


@numba.njit(nogil=True, cache=True)
def _enter_one_by_one(
    first,  # in   int64  the first
    last,  # in   int64  behind the last
    gradients,  # in   (n, 2) float32
    some,  # false: of all rows
    rows,  # in   (m,) int32 which, where only of some
    scale_g,  # in   float64
    scale_h,  # in   float64
    entries,  # sets (m,) uint64
    lower,  # sets (n,) uint64 entries of the lower halves; (0,) where one half is enough
):
    """Where only some rows are taken, or numbers have two halves."""
    halves = len(lower) > 0
    for c in range(first, last):
        i = np.int64(rows[c]) if some else np.int64(c)
        g = np.int64(np.rint(np.float64(gradients[i, 0]) * scale_g))
        h = np.int64(np.rint(np.float64(gradients[i, 1]) * scale_h))
        if halves:
            upper_g, upper_h = (g + (1 << (HALF - 1))) >> HALF, h >> HALF
            lower[i] = _entry(g - (upper_g << HALF), h - (upper_h << HALF), i)
            g, h = upper_g, upper_h
        entries[c] = _entry(max(min(g, 32767), -32767), max(min(h, 65535), 0), i)


@numba.njit(nogil=True, cache=True, forceinline=True)
def _entry(g, h, i):
    return np.uint64((h << 48) | ((g & 0xFFFF) << 32) | i)


@numba.njit(nogil=True, cache=True)
def total(
    entries,  # in   (m,) uint64
    first,  # in   int64
    last,  # in   int64  behind the last one
    sums,  # sets (3,) int64  of gradients, of Hessians, and of absolute gradients
):
    """The sums of some entries."""
    g, h, size = np.int64(0), np.int64(0), np.int64(0)
    for c in range(np.uint64(first), np.uint64(last)):
        value = np.int64(np.int16(entries[c] >> U32))
        g += value
        size += abs(value)
        h += np.int64(entries[c] >> U48)
    sums[0], sums[1], sums[2] = g, h, size


@numba.njit(nogil=True, cache=True)
def compact(
    team,  # in   (2,) int64
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    lower,  # in   (n,) uint64
    pairs,  # sets (m,) uint64
):
    """The entries of the lower halves in the place of their upper ones, of some nodes."""
    share(team, _compact, len(begins), (entries, begins, ends, lower, pairs))


@numba.njit(nogil=True, cache=True)
def _compact(j, entries, begins, ends, lower, pairs):
    for c in range(np.uint64(begins[j]), np.uint64(ends[j])):
        pairs[c] = lower[entries[c] & ROW]


@numba.njit(nogil=True, cache=True)
def leaf_sums(
    team,  # in   (2,) int64
    gradients,  # in   (n, 2) float32
    parent,  # in   (nodes,) int32, lower than the node; that of the root is not read
    leaf,  # in   (n,) int32 the node of every row
    some,  # in   bool  whether only some rows count
    rows,  # in   (m,) int32 those that do, where only some
    scale_g,  # in   float64
    scale_h,  # in   float64
    sums,  # sets (nodes, 2) int64
):
    """The sums of the leaves, rounded far finer than a histogram's, and of the nodes above them."""
    nodes = len(sums)
    m = len(rows) if some else len(leaf)
    count = min(PARTS, 1 + m // LEAST)
    parts = np.zeros((count, nodes, 2), np.int64)
    share(team, _leaf_sums, count, (gradients, leaf, some, rows, scale_g, scale_h, parts))
    sums[:] = 0
    for p in range(count):
        for j in range(nodes):
            sums[j, 0] += parts[p, j, 0]
            sums[j, 1] += parts[p, j, 1]
    for j in range(nodes - 1, 0, -1):
        sums[parent[j], 0] += sums[j, 0]
        sums[parent[j], 1] += sums[j, 1]


@numba.njit(nogil=True, cache=True)
def _leaf_sums(
    p,  # in   int64  which part of the rows
    gradients,  # in   (n, 2) float32
    leaf,  # in   (n,) int32 the node of every row
    some,  # false: of all rows
    rows,  # in   (m,) int32 which, where only of some
    scale_g,  # in   float64
    scale_h,  # in   float64
    parts,  # sets (count, ?) int64  of each block
):
    """One part of the rows."""
    own, count = parts[p], len(parts)
    m = len(rows) if some else len(leaf)
    for c in range(np.uint64(m * p // count), np.uint64(m * (p + 1) // count)):
        i = np.uint64(rows[c]) if some else c
        j = np.uint64(leaf[i])
        own[j, 0] += np.int64(np.rint(np.float64(gradients[i, 0]) * scale_g))
        own[j, 1] += np.int64(np.rint(np.float64(gradients[i, 1]) * scale_h))
