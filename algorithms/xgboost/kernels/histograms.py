"""Inner loops of histograms: sums of gradients and Hessians for every bin of every feature, in whole numbers.

n rows   d features   c columns of codes   m entries, the rows of a tree   k nodes

Gradients are rounded to 16 bits, so that sums do not depend on the order of the rows, on threads or on hosts. An entry
is a row's number and above it its gradient (signed) and its Hessian (unsigned): h * 2^48 + g * 2^32 + row. In a sum of
its own each thread adds both at once, as h * 2^32 + g; after FLUSH rows these are taken apart and added to wide ones,
before they could overflow.

Where 16 bits are too few, numbers of 31 are taken apart into two such halves, HALF = 2^15 apart, and each is summed.

Features of few bins share a column: its code is that of the first and so many times that of the next, and so on. A row
is added once for all of them, and the sums of a column are then taken apart feature by feature.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share
from algoport.algorithms.xgboost.kernels.memory import prefetch

FLUSH = 32768  # rows: times 2^16 that is 2^31 at most
AHEAD = 32  # entries between a row's call for memory and its use; the trials of 16 and 64 were no faster
ROW = np.uint64(0xFFFFFFFF)
U1, U2, U3, U8, U16, U24, U32, U48 = (np.uint64(x) for x in (1, 2, 3, 8, 16, 24, 32, 48))
BYTE, PAIR = np.uint64(0xFF), np.uint64(0xFFFF)
SIZE = np.int32(0x7FFFFFFF)  # the bits of a float32 but its sign
HIGH_G, HIGH_H = np.float64(32767), np.float64(65535)
PARTS = 64
LEAST = 8192  # rows of a part, where each has sums of its own
HALF = 15  # bits of the lower half of a number
# From where a column of bytes begins in packed sums to where the next one does: a line of the cache more than it has
# codes. Else the same bin of all features is kept in the same few places of the first cache, and where one is far more
# frequent than others, as black is in pictures, a sum took 24 times as long.
STEP = 264
BLOCK = 16384  # rows that a thread takes at a time
WORTH = 100_000  # additions that are worth a thread of their own


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
    scale_g,
    scale_h,
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
def _enter(block, gradients, some, rows, scale_g, scale_h, entries, lower, parts):
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
def _enter_one_by_one(first, last, gradients, some, rows, scale_g, scale_h, entries, lower):
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
def join(
    pool,  # sets (slots, 2, size) int64: sums of upper halves, then of whole numbers
    slots,  # in   (k,) int64
    lower,  # in   (k, 2, size) int64
):
    """Put the sums of both halves together."""
    for j in range(len(slots)):
        for part in range(2):
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
def flush(
    own,  # in   (b,) int64  packed sums; 0 afterwards
    wide_g,  # sets (b,) int64, or adds where they are not fresh
    wide_h,  # the same of Hessians
    fresh,  # in   bool
):
    """Adds packed sums to wide ones, or sets these where they are fresh."""
    for k in range(len(own)):
        v = own[k]
        low = np.int64(np.int32(v))
        wide_g[k] = low + (0 if fresh else wide_g[k])
        wide_h[k] = ((v - low) >> 32) + (0 if fresh else wide_h[k])
        own[k] = 0


@numba.njit(nogil=True, cache=True)
def take_apart(
    own,  # in   (room,) int64  packed sums of a column; 0 afterwards
    members,  # in   (q,) int64  the features that share it, the one whose code counts once first
    rooms,  # in   (d,) int64  codes of each feature
    starts,  # in   (d,) int64  where each begins in a histogram
    wide,  # sets (2, size) int64, or adds
    fresh,  # in   bool
):
    """The sums of each feature from those of all combinations of their codes: for the last one those of all with the
    same code of it, whereupon they are added up over its codes, and the next one is the last."""
    room = len(own)
    for q in range(len(members) - 1, -1, -1):
        f = members[q]
        below = room // rooms[f]
        for v in range(rooms[f]):
            part = own[v * below : (v + 1) * below]
            packed = np.int64(0)
            for i in range(below):
                packed += part[i]
            low, at = np.int64(np.int32(packed)), starts[f] + v
            wide[0, at] = low + (0 if fresh else wide[0, at])
            wide[1, at] = ((packed - low) >> 32) + (0 if fresh else wide[1, at])
            if v > 0:
                for i in range(below):
                    own[i] += part[i]
                    part[i] = 0
        room = below
    own[0] = 0


@numba.njit(nogil=True, cache=True)
def _sum_rows(
    words,  # in   (groups, n * width) uint32
    width,  # in   int64  words of a row in a group
    per,  # in   int64  columns of a group
    step,  # in   int64  from a column to the next in packed sums
    two,  # in   bool  whether codes have two bytes
    firsts,  # in   (c + 1,) int64  where the features of each column begin in `order`
    order,  # in   (d,) int64  features, column by column
    rooms,  # in   (d,) int64  codes of each feature
    starts,  # in   (d,) int64  where each begins in a histogram
    entries,  # in   (m,) uint64
    begin,  # in   int64  the first entry
    end,  # in   int64  behind the last entry
    own,  # sets (per * step,) int64  room for packed sums, 0 before and after
    wide,  # sets (2, size) int64
):
    """Sets a histogram to the sums of entries[begin:end]."""
    for group in range(len(words)):
        for start in range(begin, end, FLUSH):
            stop = min(end, start + FLUSH)
            if two:
                _add_pairs(words[group], width, per >> 1, entries, start, stop, step, own)
            elif per == 28:  # known to the compiler, the loop over features is no loop
                _add_bytes(words[group], 8, 7, entries, start, stop, STEP, own)
            elif per == 64:
                _add_bytes(words[group], 16, 16, entries, start, stop, STEP, own)
            else:
                _add_bytes(words[group], width, per >> 2, entries, start, stop, STEP, own)
            for column in range(group * per, min((group + 1) * per, len(firsts) - 1)):
                members = order[firsts[column] : firsts[column + 1]]
                room = 1
                for f in members:
                    room *= rooms[f]
                at = (column - group * per) * step
                sums, fresh = own[at : at + room], start == begin
                if len(members) == 1:
                    f = starts[members[0]]
                    flush(sums, wide[0, f : f + room], wide[1, f : f + room], fresh)
                else:
                    take_apart(sums, members, rooms, starts, wide, fresh)


@numba.njit(nogil=True, cache=True)
def spread(begins, ends, slots, pool, counts, edge_of):
    """Sets `counts` (k + 1,) to the rows of the nodes one after another, as threads share them, and `edge_of` to the
    node that a thread begins with and another began: none yet. Nodes without rows get empty histograms."""
    counts[0] = 0
    for j in range(len(begins)):
        counts[j + 1] = counts[j] + ends[j] - begins[j]
        if begins[j] == ends[j]:
            pool[slots[j]] = 0
    edge_of[:] = -1


@numba.njit(nogil=True, cache=True)
def add_edges(slots, edges, edge_of, pool):
    """Adds to the histograms what threads have that did not begin them."""
    for t in range(len(edge_of)):
        if edge_of[t] >= 0:
            for part in range(2):
                whole, more = pool[slots[edge_of[t]], part], edges[t, part]
                for i in range(len(whole)):
                    whole[i] += more[i]


@numba.njit(nogil=True, cache=True)
def build(
    team,  # in   (2,) int64
    words,  # in   (groups, n * width) uint32  codes of the rows, four or two a word
    width,  # in   int64  words of a row in a group
    per,  # in   int64  columns of a group
    step,  # in   int64  from a column to the next in packed sums
    two,  # in   bool  whether codes have two bytes
    firsts,  # in   (c + 1,) int64  where the features of each column begin in `order`
    order,  # in   (d,) int64  features, column by column
    rooms,  # in   (d,) int64  codes of each feature
    starts,  # in   (d,) int64  where each begins in a histogram
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64 where the entries of each node begin
    ends,  # in   (k,) int64
    slots,  # in   (k,) int64 which histogram each node fills
    pool,  # sets (slots, 2, size) int64
):
    """The histograms of some nodes. Threads take equally many rows, whichever nodes these belong to."""
    rows = 0
    for j in range(len(begins)):
        rows += ends[j] - begins[j]
    threads = max(1, min(team[1], rows * (len(firsts) - 1) // WORTH))
    counts, edge_of = np.empty(len(begins) + 1, np.int64), np.empty(threads, np.int64)
    spread(begins, ends, slots, pool, counts, edge_of)
    edges = np.empty((threads if threads > 1 else 0, 2, pool.shape[2]), np.int64)
    share(
        team, _build, threads,
        (words, width, per, step, two, firsts, order, rooms, starts, entries, begins, slots, pool, counts, edge_of,
         edges, threads),
    )  # fmt: skip
    add_edges(slots, edges, edge_of, pool)


@numba.njit(nogil=True, cache=True)
def _build(
    t, words, width, per, step, two, firsts, order, rooms, starts, entries, begins, slots, pool, counts, edge_of, edges,
    threads,
):  # fmt: skip
    """One thread's rows; see `build`."""
    own = np.zeros(per * step, np.int64)
    k = len(begins)
    first, last = counts[k] * t // threads, counts[k] * (t + 1) // threads
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
        _sum_rows(
            words, width, per, step, two, firsts, order, rooms, starts, entries, begin + shift, end + shift, own, wide
        )


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
def _leaf_sums(p, gradients, leaf, some, rows, scale_g, scale_h, parts):
    """One part of the rows."""
    own, count = parts[p], len(parts)
    m = len(rows) if some else len(leaf)
    for c in range(np.uint64(m * p // count), np.uint64(m * (p + 1) // count)):
        i = np.uint64(rows[c]) if some else c
        j = np.uint64(leaf[i])
        own[j, 0] += np.int64(np.rint(np.float64(gradients[i, 0]) * scale_g))
        own[j, 1] += np.int64(np.rint(np.float64(gradients[i, 1]) * scale_h))
