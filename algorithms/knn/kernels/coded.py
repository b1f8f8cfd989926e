"""The nearest of coded rows, by one table a query.

n rows, in the order of their lists   d features   l lists   q queries   p lists that a query looks at   k neighbors
m codes of a row, each of c = d / m features

Of a row x = center + rest, and a query y, both less an offset, the square of the distance is |y - center|^2, which is
the list's, + |rest|^2 + 2 center.rest, which is the row's own and stored with it, - 2 y.rest, which is a sum over the
codes of what a table of 256 m numbers says (Jégou, Douze and Schmid 2011, section 3.3). The table is the query's and no
list's. Sums are in float32; the rows that they cannot rule out at the end, hardly more than k, are put together and
measured in float64.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.knn.kernels.candidates import (
    FAR,
    SQUARES,
    WILD,
    bound_of,
    centered_square,
    measure,
    slack_of,
)
from algoport.algorithms.knn.kernels.inverted import decode
from algoport.algorithms.shared.linalg.distances import square_distance
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.selection import offer, sort_heap
from algoport.algorithms.shared.threads import share

ENTRIES = 256
SPAN = 512  # rows whose sums are taken at a time
ROOM = 512  # candidates of a query that wait to be measured


@numba.njit(nogil=True, cache=True)
def terms(
    codes,  # in   (n, m) uint8
    books,  # in   (m, 256, c) float32
    centers,  # in   (l, d) float32
    begins,  # in   (l + 1,) int64
    offset,  # in   (d,) float32
    out,  # sets (n,) float32
):
    """The rows' own part of the squares of distances."""
    m, _, c = books.shape
    for j in range(len(centers)):
        for i in range(begins[j], begins[j + 1]):
            total = 0.0
            for part in range(m):
                code = codes[i, part]
                for f in range(c):
                    rest = np.float64(books[part, code, f])
                    middle = np.float64(centers[j, part * c + f]) - np.float64(offset[part * c + f])
                    total += rest * (rest + 2 * middle)
            out[i] = total


@numba.njit(nogil=True, cache=True, fastmath=FAST)
def _table(query, offset, flipped, table):
    """Sets table (m * 256,) to -2 y.rest of each entry; flipped (m, c, 256)."""
    m, c, _ = flipped.shape
    for part in range(m):
        for code in range(ENTRIES):
            table[part * ENTRIES + code] = 0
        for f in range(c):
            value = np.float32(-2) * (query[part * c + f] - offset[part * c + f])
            for code in range(ENTRIES):
                table[part * ENTRIES + code] += value * flipped[part, f, code]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sums(codes, own, table, first, last, sums):
    """Sets sums[:last - first] to what the rows' own parts and their codes come to. Four rows at a time, so that
    one does not wait for the additions of another; each has its own order of sums."""
    m = codes.shape[1]
    i = first
    while i + 4 <= last:
        one, two, three, four = own[i], own[i + 1], own[i + 2], own[i + 3]
        for code in range(m):
            start = code * ENTRIES
            one += table[start + codes[i, code]]
            two += table[start + codes[i + 1, code]]
            three += table[start + codes[i + 2, code]]
            four += table[start + codes[i + 3, code]]
        at = i - first
        sums[at], sums[at + 1], sums[at + 2], sums[at + 3] = one, two, three, four
        i += 4
    while i < last:
        one = own[i]
        for code in range(m):
            one += table[code * ENTRIES + codes[i, code]]
        sums[i - first] = one
        i += 1


@numba.njit(nogil=True, cache=True)
def _settle(
    q,  # int64  the query's place
    count,  # int64  how many candidates there are
    rows,  # in   (r,) int64  candidates: a row,
    lists,  # in   (r,) int64  its list,
    estimates,  # in   (r,) float64  and its square of the distance, but for rounding
    within,  # float64  estimates above it are those of no neighbor
    codes,  # in   (n, m) uint8
    books,  # in   (m, 256, c) float32
    centers,  # in   (l, d) float32
    ids,  # in   (n,) int64
    query,  # in   (d,) float32
    decoded,  # sets (1, d) float32
    distances,  # sets (q, k) float64  a heap
    numbers,  # sets (q, k) int64
):
    """Measures the candidates that may be neighbors."""
    for at in range(count):
        if not estimates[at] > within:
            i = rows[at]
            decode(codes, books, centers[lists[at]], i, i + 1, decoded)
            offer(distances, numbers, q, measure(decoded[0], query, SQUARES), ids[i])


@numba.njit(nogil=True, cache=True)
def _query(
    q,  # int64  the query's place
    codes,  # in   (n, m) uint8
    books,  # in   (m, 256, c) float32
    flipped,  # in   (m, c, 256) float32
    own,  # in   (n,) float32  what `terms` set
    centers,  # in   (l, d) float32
    begins,  # in   (l + 1,) int64
    ids,  # in   (n,) int64
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    queries,  # in   (q, d) float32
    probes,  # in   (q, p) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64
):
    """One query in all its lists.

    Of k rows the estimates, at most `slack` from what they estimate, are at most `heap[0, 0]`. So no row whose estimate
    is more than twice the slack above that is a neighbor; the others are put together and measured.
    """
    m, d, k = codes.shape[1], centers.shape[1], distances.shape[1]
    table, decoded = np.empty(m * ENTRIES, np.float32), np.empty((1, d), np.float32)
    distances[q] = np.inf
    numbers[q] = FAR
    query = queries[q]
    square = centered_square(query, offset)
    regular = square < WILD and reach < WILD
    slack = 3 * slack_of(square, reach, m + d // m + 24, SQUARES)
    heap, who = np.full((1, k), np.inf), np.full((1, k), FAR)
    rows, lists, estimates = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64), np.empty(ROOM)
    sums = np.empty(SPAN, np.float32)
    count, most = 0, slack  # the slack of the farthest list so far
    _table(query, offset, flipped, table)
    for place in range(probes.shape[1]):
        j = probes[q, place]
        gap = square_distance(query, centers[j])
        some = slack + gap * 2.0**-40
        most = max(most, some)
        for first in range(begins[j], begins[j + 1], SPAN):
            last = min(first + SPAN, begins[j + 1])
            _sums(codes, own, table, first, last, sums)
            limit = bound_of(2 * (heap[0, 0] + most), -2 * gap, some, SQUARES)
            for at in range(last - first):
                if sums[at] < limit or not regular:
                    if count == ROOM:
                        within = (heap[0, 0] + 2 * most) * (1 + 2.0**-20) if regular else np.inf
                        _settle(q, count, rows, lists, estimates, within, codes, books, centers, ids, query, decoded,
                                distances, numbers)  # fmt: skip
                        count = 0
                    estimate = gap + np.float64(sums[at])
                    rows[count], lists[count], estimates[count] = first + at, j, estimate
                    count += 1
                    if regular and offer(heap, who, 0, estimate, first + at):
                        limit = bound_of(2 * (heap[0, 0] + most), -2 * gap, some, SQUARES)
    within = (heap[0, 0] + 2 * most) * (1 + 2.0**-20) if regular else np.inf
    _settle(q, count, rows, lists, estimates, within, codes, books, centers, ids, query, decoded, distances, numbers)
    sort_heap(distances, numbers, q)


@numba.njit(nogil=True, cache=True)
def search(
    team,  # the threads
    codes,  # in   (n, m) uint8
    books,  # in   (m, 256, c) float32
    flipped,  # in   (m, c, 256) float32
    own,  # in   (n,) float32  what `terms` set
    centers,  # in   (l, d) float32
    begins,  # in   (l + 1,) int64
    ids,  # in   (n,) int64
    offset,  # in   (d,) float32
    reach,  # float64  square of the longest row less the offset
    queries,  # in   (q, d) float32
    probes,  # in   (q, p) int64
    distances,  # sets (q, k) float64
    numbers,  # sets (q, k) int64
):
    """The squares of the distances of the nearest in the lists `probes`, and their numbers."""
    share(team, _query, len(queries),
          (codes, books, flipped, own, centers, begins, ids, offset, reach, queries, probes, distances,
           numbers))  # fmt: skip
