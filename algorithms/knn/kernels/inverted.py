"""The nearest of the rows in a few lists.

n rows, in the order of their lists   d features   l lists   q queries   p lists that a query looks at   k neighbors
m codes of a row, each of c = d / m features

A list's rows lie as they are, or as codes: then a row is the list's center and a codebook entry for each of its m
parts (Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search, 2011, with residuals), and is put
together when the list is looked at, once for all queries that look at it. That takes fewer operations than to look up
a table for each query where many queries come at a time, and no more where a list is looked at by one.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.knn.kernels.candidates import FAR, PRODUCTS, bound_of, measure
from algoport.algorithms.knn.kernels.flat import half_norms, panel_size, prepare, turned
from algoport.algorithms.shared.linalg.lanes import ROWS
from algoport.algorithms.shared.linalg.scan import TILE, below, lowest_bit
from algoport.algorithms.shared.linalg.simd import square_gap
from algoport.algorithms.shared.selection import merge, offer, sort_heap
from algoport.algorithms.shared.threads import share

SPAN = 512  # rows of a list that are put together at a time


@numba.njit(nogil=True, cache=True)
def decode(
    codes,  # in   (n, m) uint8
    books,  # in   (m, 256, c) float32
    center,  # in   (d,) float32
    first,  # int64  of the rows
    last,  # int64  behind them
    out,  # sets (n, d) float32
):
    """Sets out[:last - first] to the rows that codes (n, m) uint8 stand for; books (m, 256, c) float32."""
    m, _, c = books.shape
    for i in range(first, last):
        for j in range(m):
            code = codes[i, j]
            for f in range(c):
                out[i - first, j * c + f] = center[j * c + f] + books[j, code, f]


@numba.njit(nogil=True, cache=True)
def _offer_rows(
    part,  # in   (n, d) float32
    first,  # int64  of the rows
    last,  # int64  behind them
    shift,  # int64  of the first row's place among the ids
    ids,  # in   (n,) int64  numbers of rows
    query,  # in   (d,) float32
    metric,  # SQUARES or PRODUCTS
    best,  # sets (q, k) float64  a heap
    numbers,  # sets (q, k) int64  of the rows
    q,  # int64  the query's place
):
    """Rows part[first:last], whose numbers are ids[shift + i], one by one."""
    d = part.shape[1]
    unit = (d + 16) * 2.0**-24
    wide = (1 + 2.0**-20) / (1 - 2 * unit) if unit < 0.25 else np.inf
    limit = np.float32(best[q, 0] * wide + d * 2.0**-140)
    for i in range(first, last):
        if metric == PRODUCTS:
            offer(best, numbers, q, measure(part[i], query, metric), ids[shift + i])
        # Not "less": what overflows must be measured, too.
        elif not square_gap(part[i], query, d) > limit:
            if offer(best, numbers, q, measure(part[i], query, metric), ids[shift + i]):
                limit = np.float32(best[q, 0] * wide + d * 2.0**-140)


@numba.njit(nogil=True, cache=True)
def _groups(
    probes,  # in   (q, p) int64
    start,  # int64  where
    count,  # int64  how many there are
    lists,  # int64
    begins,  # sets (l + 1,) int64
    members,  # sets (q * p,) int64
):
    """Sorts the queries by the lists that they look at: those of list j are members[begins[j]:begins[j + 1]]."""
    begins[:] = 0
    p = probes.shape[1]
    for q in range(count):
        for place in range(p):
            begins[probes[start + q, place] + 1] += 1
    for j in range(lists):
        begins[j + 1] += begins[j]
    free = begins[:-1].copy()
    for q in range(count):
        for place in range(p):
            j = probes[start + q, place]
            members[free[j]] = q
            free[j] += 1


@numba.njit(nogil=True, cache=True)
def _task(
    task,  # int64  which part of the work
    rows,  # in   (n, d) float32, or (0, d)
    codes,  # in   (n, m) uint8, or (0, 0)
    books,  # in   (m, 256, c) float32
    centers,  # in   (l, d) float32
    begins,  # in   (l + 1,) int64
    ids,  # in   (n,) int64  numbers of rows
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    queries,  # in   (q, d) float32
    probes,  # in   (q, p) int64
    metric,  # SQUARES or PRODUCTS
    size,  # int64  queries of a task
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
):
    """Some queries; sets out[0, queries]."""
    lists, d = centers.shape
    start = task * size
    count = min(size, len(queries) - start)
    best, numbers = out[0, start : start + count], out_numbers[0, start : start + count]
    best[:] = np.inf
    numbers[:] = FAR
    shifts, slacks, bounds = np.empty(count), np.empty(count), np.full(count, np.inf, np.float32)
    regular = np.ones(count, np.bool_)
    for q in range(count):
        regular[q] = prepare(queries[start + q], offset, reach, metric, q, shifts, slacks)
    group, members = np.empty(lists + 1, np.int64), np.empty(count * probes.shape[1], np.int64)
    _groups(probes, start, count, lists, group, members)
    most = 0
    for j in range(lists):
        most = max(most, group[j + 1] - group[j])
    room = (most + 2 * ROWS) // ROWS * ROWS
    width = panel_size(d)
    lines, squares = np.empty(room // ROWS * width, np.float32), np.empty(room + ROWS, np.float32)
    which, limits = np.empty(room + ROWS, np.int64), np.empty(room, np.float32)
    panel, norms, near = np.empty(width, np.float32), np.empty(ROWS, np.float32), np.empty(2 * ROWS, np.int64)
    scores, masks = np.empty(TILE * ROWS, np.float32), np.empty(TILE, np.int64)
    coded = len(books) > 0
    decoded = np.empty((SPAN if coded else 1, d), np.float32)
    for j in range(lists):
        own = group[j + 1] - group[j]
        if own == 0 or begins[j + 1] == begins[j]:
            continue
        padded, ready = (own + TILE - 1) // TILE * TILE, False
        for begin in range(begins[j], begins[j + 1], SPAN):
            end = min(begin + SPAN, begins[j + 1])
            if coded:
                decode(codes, books, centers[j], begin, end, decoded)
                part, shift = decoded[: end - begin], begin
            else:
                part, shift = rows[begin:end], begin
            if own <= TILE // 2:
                for c in range(own):
                    q = members[group[j] + c]
                    _offer_rows(part, 0, end - begin, shift, ids, queries[start + q], metric, best, numbers, q)
                    bounds[q] = bound_of(best[q, 0], shifts[q], slacks[q], metric)
                continue
            if not ready:
                for c in range(own):
                    which[c] = start + members[group[j] + c]
                for first in range(0, own, ROWS):
                    turned(queries, which, first, own, offset, lines, first // ROWS * width, squares, first)
                ready = True
            for c in range(padded):
                q = members[group[j] + min(c, own - 1)]
                limits[c] = bounds[q] if c < own and regular[q] else -np.inf
            for first in range(0, end - begin, ROWS):
                for r in range(2 * ROWS):
                    near[r] = first + r
                turned(part, near, 0, end - begin if end - begin < first + 2 * ROWS else first + 2 * ROWS, offset,
                       panel, 0, squares, 0)  # fmt: skip
                half_norms(squares, end - begin - first, metric, norms)
                for at in range(0, padded, TILE):
                    column = at // ROWS * width + at % ROWS
                    if below(panel, 0, ROWS, lines, column, ROWS, norms, 0, d, limits, at, scores, masks):
                        for c in range(TILE):
                            mask = masks[c]
                            if mask == 0:
                                continue
                            q = members[group[j] + at + c]
                            while mask != 0:
                                r = lowest_bit(mask)
                                mask &= mask - 1
                                if scores[c * ROWS + r] < limits[at + c]:
                                    far = measure(part[first + r], queries[start + q], metric)
                                    if offer(best, numbers, q, far, ids[shift + first + r]):
                                        limits[at + c] = bound_of(best[q, 0], shifts[q], slacks[q], metric)
            for c in range(own):
                q = members[group[j] + c]
                bounds[q] = limits[c]
                if not regular[q]:
                    for i in range(end - begin):
                        offer(best, numbers, q, measure(part[i], queries[start + q], metric), ids[shift + i])
    for q in range(count):
        sort_heap(best, numbers, q)


@numba.njit(nogil=True, cache=True)
def many(
    team,  # the threads
    rows,  # in   (n, d) float32
    codes,  # in   (n, m) uint8
    books,  # in   (m, 256, c) float32
    centers,  # in   (l, d) float32
    begins,  # in   (l + 1,) int64
    ids,  # in   (n,) int64  numbers of rows
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    queries,  # in   (q, d) float32
    probes,  # in   (q, p) int64
    metric,  # SQUARES or PRODUCTS
    size,  # int64  queries of a task
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64  of the rows
):
    """Sets distances (q, k) float64 and numbers (q, k) int64 of the nearest in the lists `probes` (q, p) int64."""
    chunks = (len(queries) + size - 1) // size
    arguments = (rows, codes, books, centers, begins, ids, offset, reach, queries, probes, metric, size, out,
                 out_numbers)  # fmt: skip
    share(team, _task, chunks, arguments)
    for q in range(len(queries)):
        merge(out, out_numbers, distances, numbers, q)


@numba.njit(nogil=True, cache=True)
def _one(
    task,  # int64  which part of the rows
    rows,  # in   (n, d) float32, or (0, d)
    codes,  # in   (n, m) uint8, or (0, 0)
    books,  # in   (m, 256, c) float32
    centers,  # in   (l, d) float32
    begins,  # in   (l + 1,) int64
    ids,  # in   (n,) int64
    queries,  # in   (q, d) float32
    which,  # int64  the query
    probes,  # in   (q, p) int64
    metric,  # SQUARES or PRODUCTS
    segments,  # int64  parts of the rows
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
):
    """One query, and a part of the rows of its lists, of which all parts have as many."""
    out[task, which] = np.inf
    out_numbers[task, which] = FAR
    query, total, before = queries[which], 0, 0
    for place in range(probes.shape[1]):
        total += begins[probes[which, place] + 1] - begins[probes[which, place]]
    per = (total + segments - 1) // segments
    decoded = np.empty((SPAN if len(books) > 0 else 1, centers.shape[1]), np.float32)
    for place in range(probes.shape[1]):
        j = probes[which, place]
        length = begins[j + 1] - begins[j]
        first = begins[j] + max(0, min(length, task * per - before))
        last = begins[j] + max(0, min(length, (task + 1) * per - before))
        before += length
        if len(books) == 0:
            _offer_rows(rows, first, last, 0, ids, query, metric, out[task], out_numbers[task], which)
            continue
        for begin in range(first, last, SPAN):
            end = min(begin + SPAN, last)
            decode(codes, books, centers[j], begin, end, decoded)
            _offer_rows(decoded, 0, end - begin, begin, ids, query, metric, out[task], out_numbers[task], which)
    sort_heap(out[task], out_numbers[task], which)


@numba.njit(nogil=True, cache=True)
def few(
    team,  # the threads
    rows,  # in   (n, d) float32, or (0, d)
    codes,  # in   (n, m) uint8, or (0, 0)
    books,  # in   (m, 256, c) float32
    centers,  # in   (l, d) float32
    begins,  # in   (l + 1,) int64
    ids,  # in   (n,) int64
    queries,  # in   (q, d) float32
    probes,  # in   (q, p) int64
    metric,  # SQUARES or PRODUCTS
    segments,  # int64  parts of the rows
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64
):
    """As `many`, query after query: the threads share the rows of its lists."""
    for q in range(len(queries)):
        share(team, _one, segments,
              (rows, codes, books, centers, begins, ids, queries, q, probes, metric, segments, out,
               out_numbers))  # fmt: skip
        merge(out, out_numbers, distances, numbers, q)
