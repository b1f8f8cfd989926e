"""Inner loops of histograms: sums of gradients and Hessians for every bin of every feature, in whole numbers.

n rows   d features   c columns of codes   m entries, the rows of a tree   k nodes

What is summed are `entries`. In a sum of its own each thread adds gradient and Hessian at once, as h * 2^32 + g; after
FLUSH rows these are taken apart and added to wide ones, before they could overflow. So sums depend neither on the order
of the rows nor on threads or hosts.

Features of few bins share a column: its code is that of the first and so many times that of the next, and so on. A row
is added once for all of them, and the sums of a column are then taken apart feature by feature.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share
from algoport.algorithms.xgboost.kernels.entries import HALF, ROW, U32, U48
from algoport.algorithms.xgboost.kernels.memory import prefetch

FLUSH = 32768  # rows: times 2^16 that is 2^31 at most
AHEAD = 32  # entries between a row's call for memory and its use; the trials of 16 and 64 were no faster
U1, U2, U3, U8, U16, U24 = (np.uint64(x) for x in (1, 2, 3, 8, 16, 24))
BYTE, PAIR = np.uint64(0xFF), np.uint64(0xFFFF)
# From where a column of bytes begins in packed sums to where the next one does: a line of the cache more than it has
# codes. Else the same bin of all features is kept in the same few places of the first cache, and where one is far more
# frequent than others, as black is in pictures, a sum took 24 times as long.
STEP = 264
WORTH = 100_000  # additions that are worth a thread of their own


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
            # What fills up the last group has code 0 in every row; other groups use the same room for sums.
            for column in range(len(firsts) - 1, (group + 1) * per):
                own[(column - group * per) * step] = 0


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
    t,  # in   int64  which thread
    words,  # in   (n * width,) uint32  of one group of features
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
    slots,  # in   (k,) int64
    pool,  # sets (slots, 2, size) int64: sums of upper halves, then of whole numbers
    counts,  # in   (k + 1,) int64  see `spread`
    edge_of,  # sets (threads,) int64  see `spread`
    edges,  # sets (threads, 2, size) int64  sums of nodes that another thread began
    threads,  # in   int64  how many
):
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
