"""Inner loops that share out the rows of nodes between their children.    n rows   k nodes   m rows in the tree"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share
from algoport.algorithms.xgboost.kernels.entries import ROW

CHUNK = 16384  # rows a thread takes at a time
ONE = np.uint64(1)


@numba.njit(nogil=True, cache=True)
def chunks(begins, ends):
    """(3, c): which node each chunk of rows belongs to, where it begins and where it ends. A node that has fewer than
    two chunks' rows is one chunk."""
    total = 0
    for j in range(len(begins)):
        total += _pieces(ends[j] - begins[j])
    pieces = np.empty((3, total), np.int64)
    c = 0
    for j in range(len(begins)):
        count, size = _pieces(ends[j] - begins[j]), ends[j] - begins[j]
        for piece in range(count):
            pieces[0, c] = j
            pieces[1, c], pieces[2, c] = begins[j] + size * piece // count, begins[j] + size * (piece + 1) // count
            c += 1
    return pieces


@numba.njit(nogil=True, cache=True)
def _pieces(rows):
    return min(rows, max(1, rows // CHUNK))


@numba.njit(nogil=True, cache=True, forceinline=True)
def _goes_left(column, at, most, also):
    """1 where a code is at most `most`, or the code of missing values that go left, else 0; no branch."""
    code = np.int64(column[at])
    return np.uint64(code <= most) | np.uint64(code == also)


@numba.njit(nogil=True, cache=True)
def split(
    team,  # in   (2,) int64  as `threads.team` gives it
    columns,  # in   (d, n) codes, uint8 or uint16
    entries,  # sets (m,) uint64
    spare,  # sets (2, m) uint64
    choice,  # in   (5, k) int64 of each node: where its rows begin in `entries`, where they end, by which feature it
    #                is split, the last bin that goes left (-1: only missing values do), and the code of missing values
    #                where they go left, else -1
    placed,  # in   bool  true: a column's codes are those of the entries, one by one, and not of the rows
    lefts,  # sets (k,) int64 how many rows go left
):
    """Put the rows of each node that go left before those that go right; both stay in order."""
    pieces = chunks(choice[0], choice[1])
    count = pieces.shape[1]
    left = np.empty(count, np.int64)
    share(team, _split, count, (columns, entries, spare, choice, placed, pieces, left))
    lefts[:] = 0
    for c in range(count):
        lefts[pieces[0, c]] += left[c]
    several = False
    for c in range(1, count):
        several |= pieces[0, c] == pieces[0, c - 1]
    if not several:
        return
    targets = np.empty((2, count), np.int64)
    before, at, behind = -1, 0, 0
    for c in range(count):
        j = pieces[0, c]
        if j != before:
            at, behind, before = choice[0, j], choice[0, j] + lefts[j], j
        targets[0, c], targets[1, c] = at, behind
        at += left[c]
        behind += pieces[2, c] - pieces[1, c] - left[c]
    share(team, _put, count, (entries, spare, choice, pieces, left, targets))


@numba.njit(nogil=True, cache=True)
def _split(
    c,  # in   int64  which chunk
    columns,  # in   (d, n) codes, uint8 or uint16
    entries,  # sets (m,) uint64
    spare,  # sets (2, m) uint64
    choice,  # in   (5, k) int64 of each node: where its rows begin in `entries`, where they end, by which feature it
    placed,  # in   bool  true: a column's codes are those of the entries, one by one, and not of the rows
    pieces,  # in   (3, c) int64  see `chunks`
    left,  # in   (nodes,) int64; -1 at leaves; the right child's number is the next
):
    """The rows of one chunk. Those of a node that is one chunk come to their places; those of others, so far, into
    `spare`."""
    j = pieces[0, c]
    first, last = np.uint64(pieces[1, c]), np.uint64(pieces[2, c])
    whole = last - first == np.uint64(choice[1, j] - choice[0, j])
    column, most, code = columns[choice[2, j]], choice[3, j], choice[4, j]
    to_left, to_right = entries if whole else spare[0], spare[1]
    low, high = first, first
    if placed:
        for p in range(first, last):
            entry = entries[p]
            to_left[low] = entry
            to_right[high] = entry
            goes = _goes_left(column, p, most, code)
            low += goes
            high += ONE - goes
    else:
        for p in range(first, last):
            entry = entries[p]
            # Both are written, as a branch would be guessed wrong half of the time.
            to_left[low] = entry
            to_right[high] = entry
            goes = _goes_left(column, entry & ROW, most, code)
            low += goes
            high += ONE - goes
    left[c] = low - first
    if whole:
        for p in range(high - first):
            entries[low + p] = to_right[first + p]


@numba.njit(nogil=True, cache=True)
def _put(c, entries, spare, choice, pieces, left, targets):
    """The rows of one chunk from `spare` to their places."""
    j, first, stays = pieces[0, c], np.uint64(pieces[1, c]), np.uint64(left[c])
    size = np.uint64(pieces[2, c]) - first
    if size == np.uint64(choice[1, j] - choice[0, j]):
        return
    left_at, right_at = np.uint64(targets[0, c]), np.uint64(targets[1, c])
    for p in range(stays):
        entries[left_at + p] = spare[0, first + p]
    for p in range(size - stays):
        entries[right_at + p] = spare[1, first + p]


@numba.njit(nogil=True, cache=True)
def split_last(
    team,  # in   (2,) int64
    columns,  # in   (d, n) codes, uint8 or uint16
    entries,  # in   (m,) uint64
    choice,  # in   (5, k) int64; see `split`
    placed,  # in   bool  whether codes stand by entry, and not by row
    lefts,  # in   (k,) int64 the number of each left child; the right one's is the next
    leaf,  # sets (n,) int32
):
    """Write the number of its leaf to each row of nodes whose children are leaves."""
    pieces = chunks(choice[0], choice[1])
    share(team, _split_last, pieces.shape[1], (columns, entries, choice, placed, lefts, leaf, pieces))


@numba.njit(nogil=True, cache=True)
def _split_last(
    c,  # in   int64  which chunk
    columns,  # in   (d, n) codes, uint8 or uint16
    entries,  # sets (m,) uint64
    choice,  # in   (5, k) int64 of each node: where its rows begin in `entries`, where they end, by which feature it
    placed,  # in   bool  true: a column's codes are those of the entries, one by one, and not of the rows
    lefts,  # sets (k,) int64 how many rows go left
    leaf,  # sets (n,) int32
    pieces,  # in   (3, c) int64  see `chunks`
):
    """The rows of one chunk."""
    j = pieces[0, c]
    column, most, code = columns[choice[2, j]], choice[3, j], choice[4, j]
    right = np.uint64(lefts[j]) + ONE
    for p in range(np.uint64(pieces[1, c]), np.uint64(pieces[2, c])):
        entry = entries[p]
        leaf[entry & ROW] = right - _goes_left(column, p if placed else entry & ROW, most, code)


@numba.njit(nogil=True, cache=True)
def label(
    team,  # in   (2,) int64
    entries,  # in   (m,) uint64
    begins,  # in   (k,) int64
    ends,  # in   (k,) int64
    nodes,  # in   (k,) int64
    leaf,  # sets (n,) int32
):
    """Write each leaf's number to its rows."""
    pieces = chunks(begins, ends)
    share(team, _label, pieces.shape[1], (entries, nodes, leaf, pieces))


@numba.njit(nogil=True, cache=True)
def _label(c, entries, nodes, leaf, pieces):
    """The rows of one chunk."""
    number = nodes[pieces[0, c]]
    for p in range(np.uint64(pieces[1, c]), np.uint64(pieces[2, c])):
        leaf[entries[p] & ROW] = number


@numba.njit(nogil=True, cache=True)
def descend(
    team,  # in   (2,) int64
    columns,  # in   (d, n) codes, uint8 or uint16
    left,  # in   (nodes,) int64; -1 at leaves; the right child's number is the next
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
    count = (len(leaf) + CHUNK - 1) // CHUNK
    share(team, _descend, count, (columns, behind, features, most, also, steps, leaf))


@numba.njit(nogil=True, cache=True)
def _descend(
    c,  # in   int64  which chunk
    columns,  # in   (d, n) codes, uint8 or uint16
    behind,  # in   (nodes,) uint64  the right child; a leaf's own
    features,  # in   (nodes,) int64
    most,  # in   (nodes,) int64  the last bin that goes left
    also,  # in   (nodes,) int64
    steps,  # the depth of the tree
    leaf,  # sets (n,) int32
):
    """The rows of one chunk."""
    for i in range(np.uint64(c * CHUNK), np.uint64(min(len(leaf), (c + 1) * CHUNK))):
        if leaf[i] < 0:
            j = np.uint64(0)
            for _ in range(steps):
                code = np.int64(columns[np.uint64(features[j]), i])
                j = behind[j] - (np.uint64(code <= most[j]) | np.uint64(code == also[j]))
            leaf[i] = j
