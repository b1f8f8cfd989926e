"""The nearest of all rows.    n rows   d features   q queries   k neighbors   s segments of the rows"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.knn.kernels.candidates import (
    FAR,
    PRODUCTS,
    SQUARES,
    WILD,
    bound_of,
    centered_square,
    measure,
    slack_of,
)
from algoport.algorithms.shared.linalg.lanes import ROWS, VECTORS, turn
from algoport.algorithms.shared.linalg.scan import TILE, below, lowest_bit
from algoport.algorithms.shared.linalg.simd import LANES, square_gap
from algoport.algorithms.shared.selection import merge, offer, sort_heap
from algoport.algorithms.shared.threads import share


@numba.njit(nogil=True, cache=True)
def panel_size(d):
    """Numbers of a panel of ROWS rows."""
    return ROWS * (d + LANES)


@numba.njit(nogil=True, cache=True)
def turned(
    rows,  # in   (n, d) float32
    ids,  # in   (n,) int64  numbers of rows
    at,  # int64  where they begin
    count,  # int64  how many there are
    offset,  # in   (d,) float32
    panel,  # sets (ROWS * (d + LANES),) float32, or more
    start,  # int64  where it begins
    squares,  # sets (n,) float32
    place,  # int64  where of the squares
):
    """Makes the panel of the rows ids[at:at + ROWS], of which there are `count`; in panel[start:]."""
    for v in range(VECTORS):
        turn(rows, rows.shape[1], ids, at + v * LANES, count, offset, panel, start + v * LANES, squares,
             place + v * LANES)  # fmt: skip


@numba.njit(nogil=True, cache=True)
def half_norms(squares, count, metric, norms):
    """Sets norms (ROWS,) to what scores begin with: no score of a row behind `count` is low."""
    for r in range(ROWS):
        norms[r] = np.inf if r >= count else np.float32(0.5) * squares[r] if metric == SQUARES else np.float32(0)


@numba.njit(nogil=True, cache=True)
def prepare(
    query,  # in   (d,) float32
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    metric,  # SQUARES or PRODUCTS
    q,  # int64  the query's place
    shifts,  # sets (q,) float64
    slacks,  # sets (q,) float64
):
    """Sets the shift and the slack of a query; False where float32 may overflow."""
    square = centered_square(query, offset)
    shifts[q] = -square if metric == SQUARES else 0.0
    slacks[q] = slack_of(square, reach, len(query), metric)
    return square < WILD and reach < WILD


@numba.njit(nogil=True, cache=True)
def scan_all(
    rows,  # in   (n, d) float32
    query,  # in   (d,) float32
    first,  # int64  of the rows
    last,  # int64  behind them
    metric,  # SQUARES or PRODUCTS
    best,  # sets (q, k) float64  a heap
    numbers,  # sets (q, k) int64  of the rows
    q,  # int64  the query's place
):
    """Measures every row, in float64."""
    for i in range(first, last):
        offer(best, numbers, q, measure(rows[i], query, metric), i)


@numba.njit(nogil=True, cache=True)
def _task(
    task,  # int64  which part of the work
    rows,  # in   (n, d) float32
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    queries,  # in   (q, d) float32
    metric,  # SQUARES or PRODUCTS
    size,  # int64  queries of a task
    segments,  # int64  parts of the rows
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
):
    """Some queries and a segment of the rows; sets out[segment, queries]."""
    n, d = rows.shape
    start, segment = task // segments * size, task % segments
    count = min(size, len(queries) - start)
    padded = (count + ROWS - 1) // ROWS * ROWS
    best, numbers = out[segment, start : start + count], out_numbers[segment, start : start + count]
    best[:] = np.inf
    numbers[:] = FAR
    shifts, slacks, bounds = np.empty(padded), np.empty(padded), np.full(padded, -np.inf, np.float32)
    regular = np.ones(padded, np.bool_)
    for q in range(count):
        regular[q] = prepare(queries[start + q], offset, reach, metric, q, shifts, slacks)
        if regular[q]:
            bounds[q] = np.inf
    width = panel_size(d)
    lines, squares = np.empty(padded // ROWS * width, np.float32), np.empty(max(padded, ROWS), np.float32)
    ids = np.arange(start, start + padded)
    for first in range(0, count, ROWS):
        turned(queries, ids, first, count, offset, lines, first // ROWS * width, squares, first)
    per = ((n + segments - 1) // segments + ROWS - 1) // ROWS * ROWS
    begin, end = min(n, segment * per), min(n, (segment + 1) * per)
    panel, norms, near = np.empty(width, np.float32), np.empty(ROWS, np.float32), np.empty(2 * ROWS, np.int64)
    scores, masks = np.empty(TILE * ROWS, np.float32), np.empty(TILE, np.int64)
    for first in range(begin, end, ROWS):
        for r in range(2 * ROWS):
            near[r] = first + r
        turned(rows, near, 0, min(2 * ROWS, end - first), offset, panel, 0, squares, 0)
        half_norms(squares, end - first, metric, norms)
        for at in range(0, count, TILE):
            column = at // ROWS * width + at % ROWS
            if below(panel, 0, ROWS, lines, column, ROWS, norms, 0, d, bounds, at, scores, masks):
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
            scan_all(rows, queries[start + q], begin, end, metric, best, numbers, q)
        sort_heap(best, numbers, q)


@numba.njit(nogil=True, cache=True)
def many(
    team,  # the threads
    rows,  # in   (n, d) float32
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    queries,  # in   (q, d) float32
    metric,  # SQUARES or PRODUCTS
    size,  # int64  queries of a task
    segments,  # int64  parts of the rows
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64  of the rows
):
    """Sets distances (q, k) float64 and numbers (q, k) of the nearest, the best first."""
    chunks = (len(queries) + size - 1) // size
    share(team, _task, chunks * segments, (rows, offset, reach, queries, metric, size, segments, out, out_numbers))
    for q in range(len(queries)):
        merge(out, out_numbers, distances, numbers, q)


@numba.njit(nogil=True, cache=True)
def _one(
    task,  # int64  which part of the work
    rows,  # in   (n, d) float32
    queries,  # in   (q, d) float32
    which,  # int64  the query
    metric,  # SQUARES or PRODUCTS
    segments,  # int64  parts of the rows
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
):
    """One query, and a segment of the rows, each read once where it lies."""
    n, d = rows.shape
    per = ((n + segments - 1) // segments + ROWS - 1) // ROWS * ROWS
    begin, end = min(n, task * per), min(n, (task + 1) * per)
    best, numbers, query = out[task], out_numbers[task], queries[which]
    best[which] = np.inf
    numbers[which] = FAR
    unit = (d + 16) * 2.0**-24
    wide = 1 / (1 - 2 * unit) if unit < 0.25 else np.inf
    limit = np.float32(np.inf)
    if metric == PRODUCTS:
        scan_all(rows, query, begin, end, metric, best, numbers, which)
    else:
        for i in range(begin, end):
            # Not "less": what overflows must be measured, too.
            if not square_gap(rows[i], query, d) > limit:
                if offer(best, numbers, which, measure(rows[i], query, metric), i):
                    limit = np.float32(best[which, 0] * wide * (1 + 2.0**-20) + d * 2.0**-140)
    sort_heap(best, numbers, which)


@numba.njit(nogil=True, cache=True)
def few(
    team,  # the threads
    rows,  # in   (n, d) float32
    queries,  # in   (q, d) float32
    metric,  # SQUARES or PRODUCTS
    segments,  # int64  parts of the rows
    out,  # sets (s, q, k) float64
    out_numbers,  # sets (s, q, k) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64  of the rows
):
    """As `many`, query after query: the threads share the rows."""
    for q in range(len(queries)):
        share(team, _one, segments, (rows, queries, q, metric, segments, out, out_numbers))
        merge(out, out_numbers, distances, numbers, q)
