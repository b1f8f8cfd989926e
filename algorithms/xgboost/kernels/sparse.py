"""Inner loops for rows that are kept sparse.    n rows   d features   m entries, the rows of a tree   k nodes"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.xgboost.kernels.histograms import FLUSH, ROW, U32, U48, flush, spread
from algoport.algorithms.xgboost.kernels.memory import prefetch
from algoport.algorithms.xgboost.kernels.partition import CHUNK, chunks

AHEAD = np.uint64(16)  # entries between a row's call for memory and its use


@numba.njit(parallel=True, nogil=True, cache=True)
def assign(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (nnz,) int64 features, rising within a row
    values,  # in   (nnz,) float32, none missing
    cuts,  # in   (total,) float32
    offsets,  # in   (d + 1,) int64
    codes,  # sets (nnz,) int32 bins, numbered over all features
):
    """The bin of every value."""
    for i in numba.prange(len(indptr) - 1):
        for p in range(indptr[i], indptr[i + 1]):
            begin, end = offsets[indices[p]], offsets[indices[p] + 1] - 1
            low, high = begin, end
            while low < high:
                middle = (low + high) >> 1
                if cuts[middle] <= values[p]:
                    low = middle + 1
                else:
                    high = middle
            codes[p] = low


@numba.njit(parallel=True, nogil=True, cache=True)
def build(
    indptr,  # in   (n + 1,) int64
    codes,  # in   (nnz,) int32
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64 where the entries of each node begin
    ends,  # in   (k,) int64
    slots,  # in   (k,) int64 which histogram each node fills
    pool,  # sets (slots, 2, size) int64
    threads,  # in   int64
):
    """The histograms of some nodes; see `histograms.build`."""
    k = len(begins)
    size = pool.shape[2]
    counts, edge_of = spread(begins, ends, slots, pool, threads)
    m = counts[k]
    edges = np.empty((threads, 2, size), np.int64)
    for t in numba.prange(threads):
        own = np.zeros(size, np.int64)
        first, last = m * t // threads, m * (t + 1) // threads
        for j in range(k):
            begin, end = max(first, counts[j]), min(last, counts[j + 1])
            if begin >= end:
                continue
            wide = pool[slots[j]] if begin == counts[j] else edges[t]
            if begin != counts[j]:
                edge_of[t] = j
            shift = begins[j] - counts[j]
            for start in range(begin + shift, end + shift, FLUSH):
                stop = min(end + shift, start + FLUSH)
                _add(indptr, codes, entries, start, stop, own)
                flush(own, wide[0], wide[1], start == begin + shift)
    for t in range(threads):
        if edge_of[t] >= 0:
            pool[slots[edge_of[t]]] += edges[t]


@numba.njit(nogil=True, cache=True)
def _add(indptr, codes, entries, begin, end, own):
    """Adds the rows of entries[begin:end] to packed sums."""
    last = np.uint64(end - 1)
    for c in range(np.uint64(begin), np.uint64(end)):
        prefetch(indptr, entries[min(c + AHEAD + AHEAD, last)] & ROW)
        prefetch(codes, np.uint64(indptr[entries[min(c + AHEAD, last)] & ROW]))
        entry = entries[c]
        v = (np.int64(entry >> U48) << 32) + np.int64(np.int16(entry >> U32))
        row = entry & ROW
        for p in range(np.uint64(indptr[row]), np.uint64(indptr[row + np.uint64(1)])):
            own[np.uint64(codes[p])] += v


@numba.njit(parallel=True, nogil=True, cache=True)
def look_up(
    ends_of,  # in   (d + 1,) int64 where each column begins
    rows,  # in   (nnz,) int32 rising within a column
    codes,  # in   (nnz,) int32
    missing,  # in   (d,) int64
    entries,  # in   (m,) uint64, rising rows within a node
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    features,  # in   (k,) int64
    output,  # sets (m,) int32
):
    """Each entry's code of the feature that belongs to its node. The column is read beside the rows, or searched where
    it is far longer than these."""
    node, start = chunks(begins, ends)
    for c in numba.prange(len(node)):
        j = node[c]
        first, last = start[c], min(ends[j], start[c] + CHUNK)
        begin, end = ends_of[features[j]], ends_of[features[j] + 1]
        none = missing[features[j]]
        at = _position(rows, begin, end, np.int64(entries[first] & ROW))
        behind = _position(rows, at, end, np.int64(entries[last - 1] & ROW) + 1)
        beside = behind - at < 8 * (last - first)
        for p in range(first, last):
            row = np.int64(entries[p] & ROW)
            if beside:
                while at < behind and rows[at] < row:
                    at += 1
            else:
                at = _position(rows, at, behind, row)
            output[p] = codes[at] if at < behind and rows[at] == row else none


@numba.njit(nogil=True, cache=True)
def _position(rising, low, high, value):
    """The first place from `low` on where `rising` is not below the value; `high` if none."""
    while low < high:
        middle = (low + high) >> 1
        if rising[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(parallel=True, nogil=True, cache=True)
def descend(
    indptr,  # in   (n + 1,) int64
    codes,  # in   (nnz,) int32
    starts,  # in   (d,) int64 where the bins of each feature begin
    missing,  # in   (d,) int64 the code of missing values, one after the last bin; -1 where there is none
    left,  # in   (nodes,) int32; -1 at leaves; the right child's number is the next
    features,  # in   (nodes,) int64
    bins,  # in   (nodes,) int64
    also,  # in   (nodes,) int64
    leaf,  # sets (n,) int32 where it is below 0
):
    """The leaf of each row that has none, from its bins."""
    d, total = len(starts), np.int64(2**31 - 1)
    for i in numba.prange(len(leaf)):
        j = np.int64(0)
        while leaf[i] < 0 and left[j] >= 0:
            f = features[j]
            begin, behind = starts[f], starts[f + 1] if f + 1 < d else total
            at = _position(codes, indptr[i], indptr[i + 1], begin)
            code = missing[f]
            if at < indptr[i + 1] and codes[at] < behind:
                code = np.int64(codes[at]) - begin
            j = np.int64(left[j]) + (0 if code == also[j] or 0 <= code <= bins[j] else 1)
        if leaf[i] < 0:
            leaf[i] = j
