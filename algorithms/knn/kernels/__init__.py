"""Inner loops of k-nearest neighbors.    n rows   d features   q queries   k neighbors

Arrays that are read may be read-only or of another type; they are made what the compiled functions take, so that each
of these is compiled once. Neighbors come in the order of their distance, measured in float64, and then of their
number; a place that no row has taken is `FAR`, at an infinite distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.knn.kernels import coded, flat, inverted, sketch, stored, transform
from algoport.algorithms.knn.kernels.candidates import FAR, PRODUCTS, SQUARES
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.lanes import ROWS
from algoport.algorithms.shared.linalg.scan import STORED, TILE
from algoport.algorithms.shared.threads import ALONE, team

__all__ = [
    "FAR", "PRODUCTS", "SQUARES", "STORED", "all_rows", "code_terms", "decode", "hadamard", "in_codes", "in_lists",
    "longest", "sketched", "store_sketch", "votes",
]  # fmt: skip

DOUBLE, WORD, BITS, BYTE = (np.dtype(kind) for kind in (np.float64, np.int64, np.uint16, np.uint8))
# Up to so many queries are answered one by one, with all threads at each.
FEW = 4
# Bytes of the queries that meet the rows together: what stays in the second cache beside a panel of rows.
TOGETHER = 400_000
MOST, MOST_SKETCHED = 512, 256
# Multiplications that are worth waking another thread for.
WORTH = 400_000

Answer = tuple[NDArray[np.float64], NDArray[np.int64]]


def all_rows(rows, offset, reach, queries, k, metric) -> Answer:
    """The k nearest of all rows (n, d): distances (q, k), squared, or products with their sign turned; numbers (q, k).

    `offset` (d,) is near the middle of the rows, or zeros for products; `reach` the square of the longest row less it.
    """
    rows, offset, queries = const(rows), const(offset), const(queries)
    (n, d), count = rows.shape, len(queries)
    distances, numbers = _places(count, k)
    threads = _team(n * d * count)
    if count <= FEW:
        segments = threads[1]
        out, who = _parts(segments, count, k)
        flat.few(threads, rows, queries, metric, segments, out, who, distances, numbers)
        return distances, numbers
    size = _size(count, TOGETHER // (4 * (d + ROWS)), threads[1], ROWS, MOST)
    chunks = -(-count // size)
    segments = -(-threads[1] // chunks)
    out, who = _parts(segments, count, k)
    flat.many(threads, rows, offset, float(reach), queries, metric, size, segments, out, who, distances, numbers)
    return distances, numbers


def store_sketch(rows, offset, basis, gram, metric) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Panels (b, m + 2, STORED), bits of bfloat16 numbers, and norms (b * STORED,) of a sketch in the directions
    basis (d, m), of which gram (m, m) holds the products."""
    count = -(-len(rows) // STORED)
    panels = np.empty((count, basis.shape[1] + 2, STORED), np.uint16)
    norms = np.empty(count * STORED, np.float32)
    rows, offset, basis, gram = const(rows), const(offset), const(basis), const(gram, DOUBLE)
    stored.store(_team(rows.size * basis.shape[1]), rows, offset, basis, gram, metric, panels, norms)
    return panels, norms


def sketched(rows, offset, reach, basis, gram, panels, norms, queries, k, metric) -> Answer:
    """As `all_rows`; most rows are ruled out by the sketch that `store_sketch` made. There must be k rows."""
    rows, offset, basis, gram = const(rows), const(offset), const(basis), const(gram, DOUBLE)
    panels, norms, queries = const(panels, BITS), const(norms), const(queries)
    count = len(queries)
    distances, numbers = _places(count, k)
    threads = _team(panels.size * max(count, 1))
    if count <= FEW:
        out, who = _parts(threads[1], count, k)
        sketch.few(threads, rows, offset, float(reach), basis, gram, panels, norms, queries, metric, threads[1], out,
                   who, distances, numbers)  # fmt: skip
        return distances, numbers
    size = _size(count, MOST_SKETCHED, threads[1], TILE, MOST_SKETCHED)
    out, who = _parts(1, count, k)
    sketch.many(threads, rows, offset, float(reach), basis, gram, panels, norms, queries, metric, size, out, who,
                distances, numbers)  # fmt: skip
    return distances, numbers


def in_lists(rows, codes, books, centers, begins, ids, offset, reach, queries, probes, k, metric) -> Answer:
    """The k nearest of the rows in the lists `probes` (q, p) int64 of each query.

    rows (n, d) in the order of their lists, or none and codes (n, m) uint8 with books (m, 256, d / m); list j holds
    those from begins[j] to begins[j + 1], whose numbers are `ids` (n,) int64.
    """
    rows, codes, books, centers = const(rows), const(codes, BYTE), const(books), const(centers)
    begins, ids, offset, queries = const(begins, WORD), const(ids, WORD), const(offset), const(queries)
    probes, count = const(probes, WORD), len(queries)
    distances, numbers = _places(count, k)
    work = centers.shape[1] * (len(ids) // len(centers) + 1) * probes.size
    threads = _team(work)
    if count <= FEW:
        out, who = _parts(threads[1], count, k)
        inverted.few(threads, rows, codes, books, centers, begins, ids, queries, probes, metric, threads[1], out, who,
                     distances, numbers)  # fmt: skip
        return distances, numbers
    out, who = _parts(1, count, k)
    inverted.many(threads, rows, codes, books, centers, begins, ids, offset, float(reach), queries, probes, metric,
                  _size(count, count, threads[1], 1, 1 << 14), out, who, distances, numbers)  # fmt: skip
    return distances, numbers


def code_terms(codes, books, centers, begins, offset) -> NDArray[np.float32]:
    """What each coded row (n,) has of its own in the square of a distance."""
    out = np.empty(len(codes), np.float32)
    coded.terms(const(codes, BYTE), const(books), const(centers), const(begins, WORD), const(offset), out)
    return out


def in_codes(codes, books, flipped, own, centers, begins, ids, offset, reach, queries, probes, k) -> Answer:
    """As `in_lists` with codes, of distances alone; flipped (m, d / m, 256) are the books, own is of `code_terms`."""
    codes, books, flipped, own = const(codes, BYTE), const(books), const(flipped), const(own)
    centers, begins, ids, offset = const(centers), const(begins, WORD), const(ids, WORD), const(offset)
    queries, probes, count = const(queries), const(probes, WORD), len(queries)
    distances, numbers = _places(count, k)
    # A query takes some ten microseconds, so that one alone is worth no other thread.
    threads = team() if count > FEW else ALONE
    coded.search(threads, codes, books, flipped, own, centers, begins, ids, offset, float(reach), queries, probes,
                 distances, numbers)  # fmt: skip
    return distances, numbers


def longest(rows, offset) -> float:
    """The square of the longest row less the offset."""
    return float(transform.longest(const(rows), const(offset)))


def votes(labels) -> NDArray[np.float32]:
    """The most frequent label (q,) of each query's neighbors (q, k), the lowest of several; NaN is no label."""
    return transform.votes(const(labels))


def hadamard(rows, signs, columns) -> NDArray[np.float32]:
    """Columns (t,) of H D x for rows (n, d): D turns signs (p,), and H is Walsh's matrix of order p, a power of 2."""
    rows = const(rows)
    out = np.empty((len(rows), len(columns)), np.float32)
    transform.hadamard(_team(rows.size * 10), rows, const(signs), const(columns, WORD), out)
    return out


def decode(codes, books, center) -> NDArray[np.float32]:
    """The rows that codes (n, m) of one list stand for."""
    out = np.empty((len(codes), len(center)), np.float32)
    inverted.decode(const(codes, BYTE), const(books), const(center), 0, len(codes), out)
    return out


def _places(count: int, k: int) -> Answer:
    return np.empty((count, k)), np.empty((count, k), np.int64)


def _parts(parts: int, count: int, k: int) -> Answer:
    return np.empty((parts, count, k)), np.empty((parts, count, k), np.int64)


def _size(count: int, most: int, threads: int, step: int, limit: int) -> int:
    """Queries of a task: a multiple of `step`, as many as stay in the cache, and as few as give each thread some."""
    fair = -(-count // (threads * step)) * step
    return max(step, min(fair, most // step * step, limit))


def _team(work: int) -> tuple[int, int]:
    return team() if work >= WORTH else ALONE
