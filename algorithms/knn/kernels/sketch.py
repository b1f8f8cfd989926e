"""The nearest of all rows, most of which a sketch of a few numbers a row rules out.

n rows   d features   m directions of the sketch   q queries   k neighbors   b stored panels   s segments

A row x, less an offset, is B s + r: s are m numbers of 16 bits, near to its parts in the m directions of the basis B
(d, m), and r is what they leave. For a query y, less the offset, and t near to its parts,

    x.y = s.B'y + r.y <= s.t + |r| |y - B t| + |t| |B'r|

but for the rounding of t, which the slack covers: r.y = r.(y - B t) + (B'r).t, and Cauchy's inequality for each. So
a stored row has m + 2 numbers: s, then |r| and |B'r| rounded up, which meet t, |y - B t| and |t| of the query. No
direction need be exactly orthogonal to another. The score |x|^2 / 2 less the bound of x.y is never above the true one;
a row whose score is above that of the k-th neighbor cannot be nearer, and is never looked at.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.knn.kernels.candidates import (
    FAR,
    SQUARES,
    WILD,
    bound_of,
    measure,
    slack_of,
)
from algoport.algorithms.knn.kernels.flat import scan_all
from algoport.algorithms.knn.kernels.stored import UP, parts_of, rests_of
from algoport.algorithms.shared.linalg.lanes import ROWS
from algoport.algorithms.shared.linalg.scan import STORED, TILE, below, lowest_bit, stored_scores, widen
from algoport.algorithms.shared.selection import cut_down, merge, offer, sort_heap
from algoport.algorithms.shared.threads import share

# Of the directions, the first so many in so many parts find rows that are near; all of them rule the others out.
SHARE = 3


@numba.njit(nogil=True, cache=True)
def _prepare(
    query,  # in   (d,) float32
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    basis,  # in   (d, m) float32
    gram,  # in   (m, m) float64
    metric,  # SQUARES or PRODUCTS
    out,  # sets (m + 2,) float32, or more
    at,  # int64  where the first stands
    stride,  # int64  between two numbers of a query
    shifts,  # sets (q,) float64
    slacks,  # sets (q,) float64
    q,  # int64  the query's place
):
    """Sets the numbers that a query brings to the sketch, out[at + j * stride]; False where float32 may overflow."""
    m = basis.shape[1]
    parts, short = np.empty(m), np.empty(m, np.float32)
    square = parts_of(query, offset if metric == SQUARES else np.zeros_like(offset), basis, parts)
    for j in range(m):
        short[j] = np.float32(parts[j])
        out[at + j * stride] = short[j]
    rest, _ = rests_of(parts, short, gram, square)
    length = 0.0
    for j in range(m):
        length += np.float64(short[j]) ** 2
    out[at + m * stride] = np.float32(rest * UP)
    out[at + (m + 1) * stride] = np.float32(math.sqrt(length) * UP)
    shift = 0.0
    if metric == SQUARES:
        shift = -square
    else:
        for f in range(len(query)):
            shift += np.float64(query[f]) * np.float64(offset[f])
    shifts[q] = shift
    # The bound of a product is at most |x| |y| (1 + a little) where the scores' chain takes m + 2 terms.
    slacks[q] = 2 * slack_of(square, reach, m + 24, metric) + 2.0**-40 * abs(shift)
    return square < WILD and reach < WILD


@numba.njit(nogil=True, cache=True)
def _task(
    task,  # int64  which part of the work
    rows,  # in   (n, d) float32
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    basis,  # in   (d, m) float32
    gram,  # in   (m, m) float64
    panels,  # in   (b, m + 2, STORED) uint16
    norms,  # in   (b * STORED,) float32
    queries,  # in   (q, d) float32
    metric,  # SQUARES or PRODUCTS
    size,  # int64  queries of a task
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
):
    """Some queries; sets out[0, queries]."""
    n, m = len(rows), basis.shape[1]
    start = task * size
    count, k = min(size, len(queries) - start), out.shape[2]
    padded = (count + TILE - 1) // TILE * TILE
    best, numbers = out[0, start : start + count], out_numbers[0, start : start + count]
    shifts, slacks, bounds = np.zeros(padded), np.zeros(padded), np.full(padded, -np.inf, np.float32)
    regular = np.ones(padded, np.bool_)
    lines = np.zeros((m + 2) * padded, np.float32)
    for q in range(count):
        regular[q] = _prepare(queries[start + q], offset, reach, basis, gram, metric, lines, q, padded, shifts,
                              slacks, q)  # fmt: skip
        bounds[q] = np.inf if regular[q] else -np.inf
    places = 2 * k + 32
    keys, near, counts = np.empty((padded, places), np.float32), np.empty((padded, places), np.int64), np.zeros(
        padded, np.int64)  # fmt: skip
    wide = np.empty((m + 2) * STORED, np.float32)
    scores, masks = np.empty(TILE * ROWS, np.float32), np.empty(TILE, np.int64)
    # First those that seem to be the nearest by the leading directions: they say how near the k-th is at most.
    leading = max(1, m // SHARE)
    for panel in range(len(panels)):
        widen(panels, panel * (m + 2) * STORED, leading * STORED, wide)
        for part in range(0, STORED, ROWS):
            first = panel * STORED + part
            for at in range(0, padded, TILE):
                if below(wide, part, STORED, lines, at, padded, norms, first, leading, bounds, at, scores, masks):
                    for c in range(TILE):
                        mask, q = masks[c], at + c
                        while mask != 0:
                            r = lowest_bit(mask)
                            mask &= mask - 1
                            keys[q, counts[q]], near[q, counts[q]] = scores[c * ROWS + r], first + r
                            counts[q] += 1
                            if counts[q] == places:
                                bounds[q] = cut_down(keys, near, q, places, k)
                                counts[q] = k
                                mask = _still(mask, scores, c * ROWS, bounds[q])
    for q in range(count):
        if not regular[q]:
            continue
        worst = np.inf
        if counts[q] >= k:
            cut_down(keys, near, q, counts[q], k)
            worst = -np.inf
            for place in range(k):
                worst = max(worst, measure(rows[near[q, place]], queries[start + q], metric))
        for place in range(k):
            best[q, place], numbers[q, place] = worst, FAR
        bounds[q] = bound_of(worst, shifts[q], slacks[q], metric)
        counts[q] = 0
    for panel in range(len(panels)):
        widen(panels, panel * (m + 2) * STORED, (m + 2) * STORED, wide)
        for part in range(0, STORED, ROWS):
            first = panel * STORED + part
            for at in range(0, padded, TILE):
                if below(wide, part, STORED, lines, at, padded, norms, first, m + 2, bounds, at, scores, masks):
                    for c in range(TILE):
                        mask, q = masks[c], at + c
                        while mask != 0:
                            r = lowest_bit(mask)
                            mask &= mask - 1
                            if scores[c * ROWS + r] < bounds[q]:
                                far = measure(rows[first + r], queries[start + q], metric)
                                if offer(best, numbers, q, far, first + r):
                                    bounds[q] = bound_of(best[q, 0], shifts[q], slacks[q], metric)
    for q in range(count):
        if not regular[q]:
            best[q] = np.inf
            numbers[q] = FAR
            scan_all(rows, queries[start + q], 0, n, metric, best, numbers, q)
        sort_heap(best, numbers, q)


@numba.njit(nogil=True, cache=True)
def _still(mask, scores, at, bound):
    """Of the rows of a mask, those whose score lies below a bound that has come down."""
    left = np.int64(0)
    while mask != 0:
        r = lowest_bit(mask)
        mask &= mask - 1
        if scores[at + r] < bound:
            left |= np.int64(1) << r
    return left


@numba.njit(nogil=True, cache=True)
def many(
    team,  # the threads
    rows,  # in   (n, d) float32
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    basis,  # in   (d, m) float32
    gram,  # in   (m, m) float64
    panels,  # in   (b, m + 2, STORED) uint16
    norms,  # in   (b * STORED,) float32
    queries,  # in   (q, d) float32
    metric,  # SQUARES or PRODUCTS
    size,  # int64  queries of a task
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64  of the rows
):
    """Sets distances (q, k) float64 and numbers (q, k) of the nearest, the best first."""
    chunks = (len(queries) + size - 1) // size
    arguments = (rows, offset, reach, basis, gram, panels, norms, queries, metric, size, out, out_numbers)
    share(team, _task, chunks, arguments)
    for q in range(len(queries)):
        merge(out, out_numbers, distances, numbers, q)


@numba.njit(nogil=True, cache=True)
def _score(
    task,  # int64  which part of the work
    rows,  # in   (n, d) float32
    panels,  # in   (b, m + 2, STORED) uint16
    norms,  # in   (b * STORED,) float32
    query,  # in   (m + 2,) float32
    which,  # int64  the query
    queries,  # in   (q, d) float32
    metric,  # SQUARES or PRODUCTS
    segments,  # int64  parts of the rows
    scores,  # sets (b * STORED,) float32
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
):
    """The scores of a segment, and the rows of the k lowest, measured."""
    m, k = panels.shape[1] - 2, out.shape[2]
    per = (len(panels) + segments - 1) // segments
    first, last = min(len(panels), task * per), min(len(panels), (task + 1) * per)
    places = 2 * k + 32
    keys, near, count = np.empty((1, places), np.float32), np.empty((1, places), np.int64), 0
    bound = np.float32(np.inf)
    for panel in range(first, last):
        stored_scores(panels, panel * (m + 2) * STORED, query, norms, panel * STORED, m + 2, scores, panel * STORED)
        for i in range(panel * STORED, (panel + 1) * STORED):
            if scores[i] < bound:
                keys[0, count], near[0, count] = scores[i], i
                count += 1
                if count == places:
                    bound = cut_down(keys, near, 0, places, k)
                    count = k
    if count > k:
        cut_down(keys, near, 0, count, k)
    for place in range(k):
        out[task, which, place], out_numbers[task, which, place] = np.inf, FAR
    for place in range(min(count, k)):
        offer(out[task], out_numbers[task], which, measure(rows[near[0, place]], queries[which], metric),
              near[0, place])  # fmt: skip
    sort_heap(out[task], out_numbers[task], which)


@numba.njit(nogil=True, cache=True)
def _look(
    task,  # int64  which part of the work
    rows,  # in   (n, d) float32
    queries,  # in   (q, d) float32
    which,  # int64  the query
    metric,  # SQUARES or PRODUCTS
    segments,  # int64  parts of the rows
    shift,  # float64
    slack,  # float64
    worst,  # float64  no better than the k-th
    scores,  # in   (b * STORED,) float32
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
):
    """The rows of a segment that may be among the nearest, measured."""
    k, panels = out.shape[2], len(scores) // STORED
    per = (panels + segments - 1) // segments
    begin, end = min(panels, task * per) * STORED, min(panels, (task + 1) * per) * STORED
    best, numbers = out[task], out_numbers[task]
    for place in range(k):
        best[which, place], numbers[which, place] = worst, FAR
    bound = bound_of(worst, shift, slack, metric)
    for i in range(begin, end):
        if scores[i] < bound:
            if offer(best, numbers, which, measure(rows[i], queries[which], metric), i):
                bound = bound_of(best[which, 0], shift, slack, metric)
    sort_heap(best, numbers, which)


@numba.njit(nogil=True, cache=True)
def few(
    team,  # the threads
    rows,  # in   (n, d) float32
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    basis,  # in   (d, m) float32
    gram,  # in   (m, m) float64
    panels,  # in   (b, m + 2, STORED) uint16
    norms,  # in   (b * STORED,) float32
    queries,  # in   (q, d) float32
    metric,  # SQUARES or PRODUCTS
    segments,  # int64  parts of the rows
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64  of the rows
):
    """As `many`, query after query: the threads share the rows."""
    m, k = basis.shape[1], distances.shape[1]
    query, shifts, slacks = np.empty(m + 2, np.float32), np.empty(1), np.empty(1)
    scores = np.empty(len(norms), np.float32)
    for q in range(len(queries)):
        if not _prepare(queries[q], offset, reach, basis, gram, metric, query, 0, 1, shifts, slacks, 0):
            distances[q] = np.inf
            numbers[q] = FAR
            scan_all(rows, queries[q], 0, len(rows), metric, distances, numbers, q)
            sort_heap(distances, numbers, q)
            continue
        share(
            team, _score, segments, (rows, panels, norms, query, q, queries, metric, segments, scores, out, out_numbers)
        )
        merge(out, out_numbers, distances, numbers, q)
        worst = distances[q, k - 1]
        share(team, _look, segments, (rows, queries, q, metric, segments, shifts[0], slacks[0], worst, scores, out,
                                      out_numbers))  # fmt: skip
        merge(out, out_numbers, distances, numbers, q)
