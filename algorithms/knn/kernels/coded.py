"""The nearest of coded rows, by one table a query.

n rows, in the order of their lists   d features   l lists   q queries   p lists that a query looks at   k neighbors
m codes of a row, each of c = d / m features

Of a row x = center + rest, and a query y, both less an offset, the square of the distance is |y - center|^2, which is
the list's, + |rest|^2 + 2 center.rest, which is the row's own and stored with it, - 2 y.rest, which is a sum over the
codes of what a table of 256 m numbers says (Jégou, Douze and Schmid 2011, section 3.3). The table is the query's and no
list's. Sums are in float32; a row that they cannot rule out is put together and measured in float64.
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
    """One query in all its lists."""
    m, d = codes.shape[1], centers.shape[1]
    table, decoded = np.empty(m * ENTRIES, np.float32), np.empty((1, d), np.float32)
    distances[q] = np.inf
    numbers[q] = FAR
    query = queries[q]
    square = centered_square(query, offset)
    regular = square < WILD and reach < WILD
    slack = 3 * slack_of(square, reach, m + d // m + 24, SQUARES)
    _table(query, offset, flipped, table)
    for place in range(probes.shape[1]):
        j = probes[q, place]
        part = -square_distance(query, centers[j])
        limit = bound_of(2 * distances[q, 0], 2 * part, slack + abs(part) * 2.0**-40, SQUARES)
        for i in range(begins[j], begins[j + 1]):
            total = own[i]
            for code in range(m):
                total += table[code * ENTRIES + codes[i, code]]
            if total < limit or not regular:
                decode(codes, books, centers[j], i, i + 1, decoded)
                if offer(distances, numbers, q, measure(decoded[0], query, SQUARES), ids[i]):
                    limit = bound_of(2 * distances[q, 0], 2 * part, slack + abs(part) * 2.0**-40, SQUARES)
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
