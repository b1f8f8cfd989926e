"""Inner loops that share out the rows of nodes between their children.    n rows   k nodes   m rows in the tree"""

from __future__ import annotations

import numba
import numpy as np

CHUNK = 8192  # rows a thread takes at a time
ONE = np.uint64(1)
ROW = np.uint64(0xFFFFFFFF)  # the part of an entry that is the row's number; see `histograms`


@numba.njit(nogil=True, cache=True)
def chunks(begins, ends):
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


@numba.njit(nogil=True, cache=True, forceinline=True)
def _goes_left(column, at, most, also):
    """1 where a code is at most `most`, or the code of missing values that go left, else 0; no branch."""
    code = np.int64(column[at])
    return np.uint64(code <= most) | np.uint64(code == also)


@numba.njit(parallel=True, nogil=True, cache=True)
def split(
    columns,  # in   (d, n) codes, uint8 or uint16
    entries,  # sets (m,) uint64
    spare,  # sets (2, m) uint64
    begins,  # in   (k,) int64 where the rows of each node begin in `entries`
    ends,  # in   (k,) int64
    features,  # in   (k,) int64
    bins,  # in   (k,) int64 the last bin that goes left; -1: only missing values do
    also,  # in   (k,) int64 the code of missing values where they go left, else -1
    placed,  # in   bool  true: a column's codes are those of the entries, one by one, and not of the rows
    lefts,  # sets (k,) int64 how many rows go left
):
    """Put the rows of each node that go left before those that go right; both stay in order."""
    node, start = chunks(begins, ends)
    count = len(node)
    left = np.empty(count, np.int64)
    for c in numba.prange(count):
        j = node[c]
        first, last = np.uint64(start[c]), np.uint64(min(ends[j], start[c] + CHUNK))
        column, most, code = columns[features[j]], bins[j], also[j]
        to_left, to_right = spare[0], spare[1]
        low, high = first, first
        for p in range(first, last):
            entry = entries[p]
            # Both are written, as a branch would be guessed wrong half of the time.
            to_left[low] = entry
            to_right[high] = entry
            goes = _goes_left(column, p if placed else entry & ROW, most, code)
            low += goes
            high += ONE - goes
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
        first, stays = start[c], left[c]
        goes = min(ends[node[c]], first + CHUNK) - first - stays
        entries[left_at[c] : left_at[c] + stays] = spare[0, first : first + stays]
        entries[right_at[c] : right_at[c] + goes] = spare[1, first : first + goes]


@numba.njit(parallel=True, nogil=True, cache=True)
def split_last(
    columns,  # in   (d, n) codes, uint8 or uint16
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    features,  # in   (k,) int64
    bins,  # in   (k,) int64
    also,  # in   (k,) int64
    placed,  # in   bool  whether codes stand by entry, and not by row
    lefts,  # in   (k,) int64 the number of each left child; the right one's is the next
    leaf,  # sets (n,) int32
):
    """Write the number of its leaf to each row of nodes whose children are leaves."""
    node, start = chunks(begins, ends)
    for c in numba.prange(len(node)):
        j = node[c]
        column, most, code = columns[features[j]], bins[j], also[j]
        right = np.uint64(lefts[j]) + ONE
        for p in range(np.uint64(start[c]), np.uint64(min(ends[j], start[c] + CHUNK))):
            entry = entries[p]
            leaf[entry & ROW] = right - _goes_left(column, p if placed else entry & ROW, most, code)


@numba.njit(parallel=True, nogil=True, cache=True)
def label(
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    nodes,  # in   (k,) int32
    leaf,  # sets (n,) int32
):
    """Write each leaf's number to its rows."""
    node, start = chunks(begins, ends)
    for c in numba.prange(len(node)):
        j = node[c]
        for p in range(np.uint64(start[c]), np.uint64(min(ends[j], start[c] + CHUNK))):
            leaf[entries[p] & ROW] = nodes[j]


@numba.njit(parallel=True, nogil=True, cache=True)
def descend(
    columns,  # in   (d, n) codes, uint8 or uint16
    left,  # in   (nodes,) int32; -1 at leaves; the right child's number is the next
    features,  # in   (nodes,) int64
    bins,  # in   (nodes,) int64
    also,  # in   (nodes,) int64
    steps,  # the depth of the tree
    leaf,  # sets (n,) int32 where it is below 0
):
    """The leaf of each row that has none, from its bins.

    Every row takes all steps, at leaves in place, and without a branch: so the processor works on several rows at
    once, which is four times as fast.
    """
    nodes = len(left)
    behind, most = np.empty(nodes, np.uint64), np.empty(nodes, np.int64)
    for j in range(nodes):
        behind[j] = np.uint64(left[j] + 1) if left[j] >= 0 else np.uint64(j + 1)
        most[j] = bins[j] if left[j] >= 0 else 1 << 40
    for c in numba.prange((len(leaf) + CHUNK - 1) // CHUNK):
        for i in range(np.uint64(c * CHUNK), np.uint64(min(len(leaf), (c + 1) * CHUNK))):
            if leaf[i] < 0:
                j = np.uint64(0)
                for _ in range(steps):
                    code = np.int64(columns[np.uint64(features[j]), i])
                    j = behind[j] - (np.uint64(code <= most[j]) | np.uint64(code == also[j]))
                leaf[i] = j
