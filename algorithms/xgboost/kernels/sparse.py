"""Inner loops for rows that are kept sparse.    n rows   d features   m entries, the rows of a tree   k nodes"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share
from algoport.algorithms.xgboost.kernels.entries import ROW, U32, U48
from algoport.algorithms.xgboost.kernels.histograms import FLUSH, add_edges, flush, spread
from algoport.algorithms.xgboost.kernels.memory import prefetch
from algoport.algorithms.xgboost.kernels.partition import chunks

BLOCK = 65536  # values that are binned together
ROWS = 1024  # that a thread takes down a tree at a time
LEAST = 1024  # rows that are worth a thread of their own
AHEAD = np.uint64(16)  # entries between a row's call for memory and its use


@numba.njit(nogil=True, cache=True)
def assign(
    team,  # in   (2,) int64  as `threads.team` gives it
    indptr,  # in   (n + 1,) int64
    indices,  # in   (nnz,) int64 features, rising within a row
    values,  # in   (nnz,) float32, none missing
    cuts,  # in   (total,) float32
    offsets,  # in   (d + 1,) int64
    codes,  # sets (nnz,) int32 bins, numbered over all features
):
    """The bin of every value."""
    count = (len(values) + BLOCK - 1) // BLOCK
    share(team, _assign, count, (indices, values, cuts, offsets, codes))


@numba.njit(nogil=True, cache=True)
def _assign(block, indices, values, cuts, offsets, codes):
    """One block of values."""
    for p in range(block * BLOCK, min(len(values), (block + 1) * BLOCK)):
        low, high = offsets[indices[p]], offsets[indices[p] + 1] - 1
        while low < high:
            middle = (low + high) >> 1
            if cuts[middle] <= values[p]:
                low = middle + 1
            else:
                high = middle
        codes[p] = low


@numba.njit(nogil=True, cache=True)
def build(
    team,  # in   (2,) int64
    indptr,  # in   (n + 1,) int64
    codes,  # in   (nnz,) int32
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64 where the entries of each node begin
    ends,  # in   (k,) int64
    slots,  # in   (k,) int64 which histogram each node fills
    pool,  # sets (slots, 2, size) int64
):
    """The histograms of some nodes; see `histograms.build`."""
    rows = 0
    for j in range(len(begins)):
        rows += ends[j] - begins[j]
    threads = max(1, min(team[1], rows // LEAST))
    counts, edge_of = np.empty(len(begins) + 1, np.int64), np.empty(threads, np.int64)
    spread(begins, ends, slots, pool, counts, edge_of)
    edges = np.empty((threads if threads > 1 else 0, 2, pool.shape[2]), np.int64)
    share(team, _build, threads, (indptr, codes, entries, begins, slots, pool, counts, edge_of, edges, threads))
    add_edges(slots, edges, edge_of, pool)


@numba.njit(nogil=True, cache=True)
def _build(
    t,  # in   int64  which thread
    indptr,  # in   (n + 1,) int64
    codes,  # sets (nnz,) int32 bins, numbered over all features
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64 where the entries of each node begin
    slots,  # in   (k,) int64 which histogram each node fills
    pool,  # sets (slots, 2, size) int64
    counts,  # in   (k + 1,) int64  see `spread`
    edge_of,  # sets (threads,) int64  see `spread`
    edges,  # sets (threads, 2, size) int64  sums of nodes that another thread began
    threads,  # in   int64  how many
):
    """One thread's rows."""
    own = np.zeros(pool.shape[2], np.int64)
    k = len(begins)
    first, last = counts[k] * t // threads, counts[k] * (t + 1) // threads
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


@numba.njit(nogil=True, cache=True)
def look_up(
    team,  # in   (2,) int64
    ends_of,  # in   (d + 1,) int64 where each column begins
    rows,  # in   (nnz,) int32 rising within a column
    codes,  # in   (nnz,) int32
    missing,  # in   (d,) int64
    entries,  # in   (m,) uint64, rising rows within a node
    choice,  # in   (5, k) int64; see `partition.split`
    output,  # sets (m,) int32
):
    """Each entry's code of the feature that belongs to its node. The column is read beside the rows, or searched where
    it is far longer than these."""
    pieces = chunks(choice[0], choice[1])
    share(team, _look_up, pieces.shape[1], (ends_of, rows, codes, missing, entries, choice, output, pieces))


@numba.njit(nogil=True, cache=True)
def _look_up(
    c,  # in   int64  which chunk
    ends_of,  # in   (d + 1,) int64 where each column begins
    rows,  # in   (nnz,) int32 rising within a column
    codes,  # sets (nnz,) int32 bins, numbered over all features
    missing,  # in   (d,) int64
    entries,  # in   (m,) uint64
    choice,  # in   (5, k) int64; see `partition.split`
    output,  # sets (m,) int32
    pieces,  # in   (3, c) int64  see `chunks`
):
    """The rows of one chunk."""
    f, first, last = choice[2, pieces[0, c]], pieces[1, c], pieces[2, c]
    begin, end = ends_of[f], ends_of[f + 1]
    none = missing[f]
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


@numba.njit(nogil=True, cache=True)
def descend(
    team,  # in   (2,) int64
    indptr,  # in   (n + 1,) int64
    codes,  # in   (nnz,) int32
    starts,  # in   (d,) int64 where the bins of each feature begin
    missing,  # in   (d,) int64 the code of missing values, one after the last bin; -1 where there is none
    left,  # in   (nodes,) int64; -1 at leaves; the right child's number is the next
    features,  # in   (nodes,) int64
    bins,  # in   (nodes,) int64
    also,  # in   (nodes,) int64
    leaf,  # sets (n,) int32 where it is below 0
):
    """The leaf of each row that has none, from its bins."""
    count = (len(leaf) + ROWS - 1) // ROWS
    share(team, _descend, count, (indptr, codes, starts, missing, left, features, bins, also, leaf))


@numba.njit(nogil=True, cache=True)
def _descend(
    block,  # in   int64  which block of rows
    indptr,  # in   (n + 1,) int64
    codes,  # sets (nnz,) int32 bins, numbered over all features
    starts,  # in   (d,) int64 where the bins of each feature begin
    missing,  # in   (d,) int64
    left,  # in   (nodes,) int64; -1 at leaves; the right child's number is the next
    features,  # in   (nodes,) int64
    bins,  # in   (nodes,) int64
    also,  # in   (nodes,) int64
    leaf,  # sets (n,) int32 where it is below 0
):
    """One block of rows."""
    d, total = len(starts), np.int64(2**31 - 1)
    for i in range(block * ROWS, min(len(leaf), (block + 1) * ROWS)):
        j = np.int64(0)
        while leaf[i] < 0 and left[j] >= 0:
            f = features[j]
            begin, behind = starts[f], starts[f + 1] if f + 1 < d else total
            at = _position(codes, indptr[i], indptr[i + 1], begin)
            code = missing[f]
            if at < indptr[i + 1] and codes[at] < behind:
                code = np.int64(codes[at]) - begin
            j = left[j] + (0 if code == also[j] or 0 <= code <= bins[j] else 1)
        if leaf[i] < 0:
            leaf[i] = j
