"""Inner loops that share out the rows of nodes between their children.    n rows   k nodes   m rows in the tree"""

from __future__ import annotations

import numba
import numpy as np

CHUNK = 8192  # rows a thread takes at a time
ROW = np.uint64(0xFFFFFFFF)  # the part of an entry that is the row's number; see `histograms`


@numba.njit(nogil=True, cache=True)
def _chunks(begins, ends):
    """Which node each chunk of rows belongs to, and where it begins."""
    total = 0
    for j in range(len(begins)):
        total += (ends[j] - begins[j] + CHUNK - 1) // CHUNK
    node, start = np.empty(total, np.int64), np.empty(total, np.int64)
    c = 0
    for j in range(len(begins)):
        for first in range(begins[j], ends[j], CHUNK):
            node[c], start[c] = j, first
            c += 1
    return node, start


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def split(
    columns,  # in   (d, n) unsigned
    entries,  # sets (m,) uint64
    spare,  # sets (m,) uint64
    begins,  # in   (k,) int64 where the rows of each node begin in `entries`
    ends,  # in   (k,) int64
    features,  # in   (k,) int64
    bins,  # in   (k,) int64 the last bin that goes left; -1: only missing values do
    missing,  # in   (k,) int64 the code of missing values
    default_left,  # in   (k,) uint8
    lefts,  # sets (k,) int64 how many rows go left
):
    """Put the rows of each node that go left before those that go right; both stay in order."""
    node, start = _chunks(begins, ends)
    count = len(node)
    left = np.empty(count, np.int64)
    for c in numba.prange(count):
        j = node[c]
        first, last = start[c], min(ends[j], start[c] + CHUNK)
        column, most, none, default = columns[features[j]], bins[j], missing[j], default_left[j]
        low, high = first, last
        for p in range(first, last):
            entry = entries[p]
            code = np.int64(column[entry & ROW])
            goes_left = np.int64((code <= most) if code != none else (default != 0))
            # Both are written, as a branch would be guessed wrong half of the time.
            spare[np.uint64(low)] = entry
            spare[np.uint64(high - 1)] = entry
            low += goes_left
            high -= 1 - goes_left
        left[c] = low - first
    lefts[:] = 0
    for c in range(count):
        lefts[node[c]] += left[c]
    left_at, right_at = np.empty(count, np.int64), np.empty(count, np.int64)
    before = -1
    at, behind = 0, 0
    for c in range(count):
        j = node[c]
        if j != before:
            at, behind, before = begins[j], begins[j] + lefts[j], j
        left_at[c], right_at[c] = at, behind
        at += left[c]
        behind += min(ends[j], start[c] + CHUNK) - start[c] - left[c]
    for c in numba.prange(count):
        j = node[c]
        first, last = start[c], min(ends[j], start[c] + CHUNK)
        a, b = left_at[c], right_at[c]
        for p in range(left[c]):
            entries[a + p] = spare[first + p]
        for p in range(last - first - left[c]):
            entries[b + p] = spare[last - 1 - p]


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def label(
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    nodes,  # in   (k,) int32
    leaf,  # sets (n,) int32
):
    """Write each leaf's number to its rows."""
    node, start = _chunks(begins, ends)
    for c in numba.prange(len(node)):
        j = node[c]
        for p in range(start[c], min(ends[j], start[c] + CHUNK)):
            leaf[entries[p] & ROW] = nodes[j]


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def descend(
    columns,  # in   (d, n) unsigned
    left,  # in   (nodes,) int32
    right,  # in   (nodes,) int32
    features,  # in   (nodes,) int64
    bins,  # in   (nodes,) int64
    missing,  # in   (d,) int64
    default_left,  # in   (nodes,) uint8
    leaf,  # sets (n,) int32
):
    """The leaf of every row, from its bins."""
    for i in numba.prange(len(leaf)):
        j = 0
        while left[j] >= 0:
            f = features[j]
            code = np.int64(columns[f, i])
            goes_left = (code <= bins[j]) if code != missing[f] else (default_left[j] != 0)
            j = left[j] if goes_left else right[j]
        leaf[i] = j
