"""Which record a feature has, and the entries of a batch sorted by feature.

e entries   u features that they touch   c features seen   h places of the index

The index is a hash table with linear probing of which each place holds four numbers: a feature, its record, the last
batch that touched it, and its number in that batch. So one line of memory says all of an entry.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.neural.kernels.vectors import fetch
from algoport.algorithms.shared.randomness import mix

EMPTY = np.int32(-1)  # in place of a feature
LOAD = 0.7  # of the places that may be taken
AHEAD = 12  # entries whose places are called for before they are needed


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _place(index, feature, mask, direct):
    """Where a feature stands or would stand. Where there is a place for each, it is that of its own number."""
    place = np.int64(feature)
    if not direct:
        place = np.int64(mix(np.uint64(feature)) & np.uint64(mask))
        while index[place, 0] != feature and index[place, 0] != EMPTY:
            place = (place + 1) & mask
    return place


@numba.njit(nogil=True, cache=True, error_model="numpy")
def touch(
    bounds,  # in   (n + 1,) int32  where the entries of each row begin
    features,  # in   (e,) int32
    values,  # in   (e,) float32
    batch,  # in   int32  the number of the batch, above 0
    index,  # sets (h, 4) int32
    direct,  # in   bool  whether h is at least the number of features there can be
    known,  # sets (room,) int32  the feature of each record
    counts,  # sets (2,) int64  u and c
    numbers,  # sets (e,) int32  what number of u each entry has
    touched,  # sets (e + 1,) int32  the record of each of u
    begins,  # sets (e + 2,) int64  where the entries of each of u begin, in the two below
    rows,  # sets (e,) int32  the row of each entry, feature by feature
    factors,  # sets (e,) float32  and its value
):
    """Sorts entries by feature, those of one in the order of the rows; false where there was no room for a feature:
    then the index must grow, and be asked again with another number of the batch.

    A value that is 0 touches nothing and has the number -1. Records are given out in the order of the entries.
    """
    h = index.shape[0]
    mask = h - 1
    room = known.shape[0] if direct else min(known.shape[0], np.int64(LOAD * h))
    u, c = 0, counts[1]
    for i in range(features.shape[0]):
        if not direct and i + AHEAD < features.shape[0]:
            fetch(index, np.int64(mix(np.uint64(features[i + AHEAD])) & np.uint64(mask)) * 4, 4)
        if values[i] == 0:
            numbers[i] = -1
            continue
        feature = features[i]
        place = _place(index, feature, mask, direct)
        if index[place, 0] == EMPTY:
            if c == room:
                counts[0], counts[1] = u, c
                return False
            index[place, 0] = feature
            index[place, 1] = c
            index[place, 2] = 0
            known[c] = feature
            c += 1
        # Without a branch, which no processor foretells: what is set for a feature that is not new is set again.
        new = index[place, 2] != batch
        number = u if new else np.int64(index[place, 3])
        index[place, 2], index[place, 3] = batch, number
        touched[number] = index[place, 1]
        numbers[i] = number
        begins[number + 2] = (0 if new else begins[number + 2]) + 1
        u += new
    counts[0], counts[1] = u, c
    _sort(bounds, values, numbers, u, begins, rows, factors)
    return True


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _sort(bounds, values, numbers, u, begins, rows, factors):
    """Entries by feature. Where `begins` has how many each has, two places on, it gets where the next one is to go, one
    place on, and so at the end where they begin."""
    begins[0] = 0
    begins[1] = 0
    for number in range(u):
        begins[number + 2] += begins[number + 1]
    for row in range(bounds.shape[0] - 1):
        for i in range(bounds[row], bounds[row + 1]):
            number = numbers[i]
            if number >= 0:
                place = begins[number + 1]
                rows[place], factors[place] = row, values[i]
                begins[number + 1] = place + 1


@numba.njit(nogil=True, cache=True, error_model="numpy")
def fill(
    known,  # in   (c,) int32
    index,  # sets (h, 4) int32  empty
    direct,  # in   bool
):
    """Enter features whose records are 0, 1, 2 and so on."""
    mask = index.shape[0] - 1
    for record in range(known.shape[0]):
        place = _place(index, known[record], mask, direct)
        index[place, 0] = known[record]
        index[place, 1] = record
