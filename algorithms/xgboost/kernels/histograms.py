"""Inner loops of histograms: sums of gradients and Hessians for every bin of every feature, in whole numbers.

n rows   d features   s from one feature to the next in a histogram   m entries, the rows of a tree

Gradients are rounded to 16 bits, so that sums do not depend on the order of the rows, on threads or on hosts. An entry
is a row's number and above it its gradient (signed) and its Hessian (unsigned): h * 2^48 + g * 2^32 + row. In a sum of
its own each thread adds both at once, as h * 2^32 + g; after FLUSH rows these are taken apart and added to wide ones,
before they could overflow.

Where 16 bits are too few, numbers of 31 are taken apart into two such halves, HALF = 2^15 apart, and each is summed.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.xgboost.kernels.memory import prefetch

FLUSH = 32768  # rows: times 2^16 that is 2^31 at most
AHEAD = 32  # entries between a row's call for memory and its use; the trials of 16 and 64 were no faster
ROW = np.uint64(0xFFFFFFFF)
U1, U2, U3, U8, U16, U24, U32, U48 = (np.uint64(x) for x in (1, 2, 3, 8, 16, 24, 32, 48))
BYTE, PAIR = np.uint64(0xFF), np.uint64(0xFFFF)
SIZE = np.int32(0x7FFFFFFF)  # the bits of a float32 but its sign
PARTS = 64
LEAST = 8192  # rows of a part, where each has sums of its own
HALF = 15  # bits of the lower half of a number
STEP = 264  # s of a feature whose codes are bytes


@numba.njit(parallel=True, nogil=True, cache=True)
def largest(
    gradients,  # in   (n, 2) float32
):
    """The greatest absolute gradient and the greatest absolute Hessian."""
    n = len(gradients)
    most, bits = np.zeros((PARTS, 2), np.int32), gradients.reshape(2 * n).view(np.int32)
    for p in numba.prange(PARTS):
        _largest(bits[2 * (n * p // PARTS) : 2 * (n * (p + 1) // PARTS)], most[p])
    maxima = most.view(np.float32)
    return maxima[:, 0].max(), maxima[:, 1].max()


@numba.njit(nogil=True, cache=True)
def _largest(bits, most):
    """By their bits without the sign, which rise as numbers do: of whole numbers a compiler compares many at once."""
    g, h = np.int32(0), np.int32(0)
    for i in range(len(bits) // 2):
        a, b = bits[2 * i] & SIZE, bits[2 * i + 1] & SIZE
        g = a if a > g else g
        h = b if b > h else h
    most[0], most[1] = g, h


@numba.njit(parallel=True, nogil=True, cache=True)
def enter(
    gradients,  # in   (n, 2) float32
    some,  # false: of all rows
    rows,  # in   (m,) int32 which, where only of some
    scale_g,
    scale_h,
    entries,  # sets (m,) uint64
    lower,  # sets (n,) uint64 entries of the lower halves; (0,) where one half is enough
):
    """Round gradients times their scale, and make the entries of a tree."""
    halves = len(lower) > 0
    for c in numba.prange(len(entries)):
        i = np.int64(rows[c]) if some else np.int64(c)
        g = np.int64(np.rint(np.float64(gradients[i, 0]) * scale_g))
        h = np.int64(np.rint(np.float64(gradients[i, 1]) * scale_h))
        if halves:
            upper_g, upper_h = (g + (1 << (HALF - 1))) >> HALF, h >> HALF
            lower[i] = _entry(g - (upper_g << HALF), h - (upper_h << HALF), i)
            g, h = upper_g, upper_h
        # What rounds up to a power of 2 would be a bit too many.
        entries[c] = _entry(max(min(g, 32767), -32767), max(min(h, 65535), 0), i)


@numba.njit(nogil=True, cache=True, forceinline=True)
def _entry(g, h, i):
    return np.uint64((h << 48) | ((g & 0xFFFF) << 32) | i)


@numba.njit(parallel=True, nogil=True, cache=True)
def compact(
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    lower,  # in   (n,) uint64
    pairs,  # sets (m,) uint64
):
    """The entries of the lower halves in the place of their upper ones, of some nodes."""
    for j in range(len(begins)):
        first = begins[j]
        for c in numba.prange(ends[j] - first):
            pairs[first + np.int64(c)] = lower[entries[first + np.int64(c)] & ROW]


@numba.njit(parallel=True, nogil=True, cache=True)
def join(
    pool,  # sets (slots, 2, size) int64: sums of upper halves, then of whole numbers
    slots,  # in   (k,) int64
    lower,  # in   (k, 2, size) int64
):
    """Put the sums of both halves together."""
    for task in numba.prange(2 * len(slots)):
        j, part = task // 2, task % 2
        whole, below = pool[slots[j], part], lower[j, part]
        for i in range(len(whole)):
            whole[i] = (whole[i] << HALF) + below[i]


@numba.njit(nogil=True, cache=True, forceinline=True)
def _pack(entry):
    """h * 2^32 + g of an entry."""
    g = np.int64(np.int16(entry >> U32))
    return (np.int64(entry >> U48) << 32) + g


@numba.njit(nogil=True, cache=True, forceinline=True)
def _add_bytes(
    words,  # in   (n * width,) uint32  of one group of features
    width,  # in   int64  words of a row in a group
    used,  # in   int64  words of a row that hold codes
    entries,  # in   (m,) uint64
    begin,  # in   int64  the first entry
    end,  # in   int64  behind the last entry
    apart,  # in   int64  from a feature to the next in a histogram
    own,  # adds (per * step,) int64  packed sums
):
    """Adds the rows of entries[begin:end] to packed sums; four features a word."""
    step = np.uint64(apart)
    last = np.uint64(end - 1)
    wide = np.uint64(width)
    for c in range(np.uint64(begin), np.uint64(end)):
        entry = entries[c]
        prefetch(words, (entries[min(c + np.uint64(AHEAD), last)] & ROW) * wide)
        v = _pack(entry)
        place = (entry & ROW) * wide
        base = np.uint64(0)
        for _ in range(np.uint64(used)):
            word = np.uint64(words[place])
            own[base + (word & BYTE)] += v
            own[base + step + ((word >> U8) & BYTE)] += v
            own[base + step * U2 + ((word >> U16) & BYTE)] += v
            own[base + step * U3 + (word >> U24)] += v
            base += step << U2
            place += U1


@numba.njit(nogil=True, cache=True, forceinline=True)
def _add_pairs(
    words,  # in   (n * width,) uint32  of one group of features
    width,  # in   int64  words of a row in a group
    used,  # in   int64  words of a row that hold codes
    entries,  # in   (m,) uint64
    begin,  # in   int64  the first entry
    end,  # in   int64  behind the last entry
    apart,  # in   int64  from a feature to the next in a histogram
    own,  # adds (per * step,) int64  packed sums
):
    """The same of codes of two bytes; two features a word."""
    step = np.uint64(apart)
    last = np.uint64(end - 1)
    wide = np.uint64(width)
    for c in range(np.uint64(begin), np.uint64(end)):
        entry = entries[c]
        prefetch(words, (entries[min(c + np.uint64(AHEAD), last)] & ROW) * wide)
        v = _pack(entry)
        place = (entry & ROW) * wide
        base = np.uint64(0)
        for k in range(np.uint64(used)):
            word = np.uint64(words[place + np.uint64(k)])
            own[base + (word & PAIR)] += v
            own[base + step + (word >> U16)] += v
            base += step << U1


@numba.njit(nogil=True, cache=True)
def flush(own, wide_g, wide_h, fresh):
    """Adds packed sums to wide ones, or sets these where they are fresh; sets the packed to 0."""
    if fresh:
        for k in range(len(own)):
            v = own[k]
            low = np.int64(np.int32(v))
            wide_g[k] = low
            wide_h[k] = (v - low) >> 32
            own[k] = 0
    else:
        for k in range(len(own)):
            v = own[k]
            low = np.int64(np.int32(v))
            wide_g[k] += low
            wide_h[k] += (v - low) >> 32
            own[k] = 0


@numba.njit(nogil=True, cache=True)
def _sum_rows(
    words,  # in   (groups, n * width) uint32
    width,  # in   int64  words of a row in a group
    per,  # in   int64  features of a group
    step,  # in   int64  from a feature to the next in a histogram
    two,  # in   bool  whether codes have two bytes
    entries,  # in   (m,) uint64
    begin,  # in   int64  the first entry
    end,  # in   int64  behind the last entry
    own,  # sets (per * step,) int64  room for packed sums, 0 before and after
    wide,  # sets (2, groups * per * step) int64
):
    """Sets a wide histogram (2, d * s) to the sums of entries[begin:end].

    `words` (groups, n * width) uint32; `per`: features a group.
    """
    size = per * step
    for group in range(len(words)):
        g, h = wide[0, group * size : (group + 1) * size], wide[1, group * size : (group + 1) * size]
        for start in range(begin, end, FLUSH):
            stop = min(end, start + FLUSH)
            if two:
                _add_pairs(words[group], width, per >> 1, entries, start, stop, step, own)
            elif step == STEP and per == 28:  # known to the compiler, the loop over features is no loop
                _add_bytes(words[group], 8, 7, entries, start, stop, STEP, own)
            elif step == STEP and per == 64:
                _add_bytes(words[group], 16, 16, entries, start, stop, STEP, own)
            elif step == STEP:
                _add_bytes(words[group], width, per >> 2, entries, start, stop, STEP, own)
            else:
                _add_bytes(words[group], width, per >> 2, entries, start, stop, step, own)
            flush(own, g, h, start == begin)


@numba.njit(nogil=True, cache=True)
def spread(begins, ends, slots, pool, threads):
    """(counts, edge_of): the rows of the nodes one after another, as threads share them, and for each thread the node
    that it begins with and another began: none yet. Nodes without rows get empty histograms."""
    k = len(begins)
    counts = np.zeros(k + 1, np.int64)
    for j in range(k):
        counts[j + 1] = counts[j] + ends[j] - begins[j]
        if begins[j] == ends[j]:
            pool[slots[j]] = 0
    return counts, np.full(threads, -1)


@numba.njit(parallel=True, nogil=True, cache=True)
def totals(
    entries,  # in   (m,) uint64
):
    """(3,) the sums of gradients, of Hessians, and of absolute gradients."""
    m = len(entries)
    parts = np.zeros((PARTS, 3), np.int64)
    for p in numba.prange(PARTS):
        g, h, size = np.int64(0), np.int64(0), np.int64(0)
        for c in range(np.uint64(m * p // PARTS), np.uint64(m * (p + 1) // PARTS)):
            value = np.int64(np.int16(entries[c] >> U32))
            g += value
            size += abs(value)
            h += np.int64(entries[c] >> U48)
        parts[p, 0], parts[p, 1], parts[p, 2] = g, h, size
    return parts.sum(axis=0)


@numba.njit(parallel=True, nogil=True, cache=True)
def build(
    words,  # in   (groups, n * width) uint32  codes of the rows, four or two a word
    width,  # in   int64  words of a row in a group
    per,  # in   int64  features of a group
    step,  # in   int64  s
    two,  # in   bool  whether codes have two bytes
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64 where the entries of each node begin
    ends,  # in   (k,) int64
    slots,  # in   (k,) int64 which histogram each node fills
    pool,  # sets (slots, 2, d * s) int64
    threads,  # in   int64
):
    """The histograms of some nodes. Threads take equally many rows, whichever nodes these belong to."""
    k = len(begins)
    counts, edge_of = spread(begins, ends, slots, pool, threads)
    m = counts[k]
    edges = np.empty((threads, 2, pool.shape[2]), np.int64)
    for t in numba.prange(threads):
        own = np.zeros(per * step, np.int64)
        first, last = m * t // threads, m * (t + 1) // threads
        for j in range(k):
            begin, end = max(first, counts[j]), min(last, counts[j + 1])
            if begin >= end:
                continue
            shift = begins[j] - counts[j]
            if begin == counts[j]:
                wide = pool[slots[j]]
            else:  # another thread began this node, and both may be writing now
                edge_of[t] = j
                wide = edges[t]
            _sum_rows(words, width, per, step, two, entries, begin + shift, end + shift, own, wide)
    for t in range(threads):
        if edge_of[t] >= 0:
            pool[slots[edge_of[t]]] += edges[t]


@numba.njit(parallel=True, nogil=True, cache=True)
def leaf_sums(
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
    for p in numba.prange(count):
        own = parts[p]
        for c in range(np.uint64(m * p // count), np.uint64(m * (p + 1) // count)):
            i = np.uint64(rows[c]) if some else c
            j = np.uint64(leaf[i])
            own[j, 0] += np.int64(np.rint(np.float64(gradients[i, 0]) * scale_g))
            own[j, 1] += np.int64(np.rint(np.float64(gradients[i, 1]) * scale_h))
    sums[:] = 0
    for p in range(count):
        sums += parts[p]
    for j in range(nodes - 1, 0, -1):
        sums[parent[j], 0] += sums[j, 0]
        sums[parent[j], 1] += sums[j, 1]
