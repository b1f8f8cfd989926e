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
def locate(
    features,  # in   (e,) int32
    values,  # in   (e,) float32
    first,  # in   int64  the entry to begin with
    batch,  # in   int32  the number of the batch, above 0
    index,  # sets (h, 4) int32
    direct,  # in   bool  whether h is at least the number of features there can be
    known,  # sets (room,) int32  the feature of each record
    counts,  # sets (2,) int64  u so far and c
    numbers,  # sets (e,) int32  what number of u each entry has
    touched,  # sets (e,) int32  the record of each of u
    sizes,  # sets (e,) int32  how many entries each of u has
):
    """The entry that there was no room for: the index must grow, and be asked again from there; e at the end.

    A value that is 0 touches nothing and has the number -1. Records are given out in the order of the entries.
    """
    h = index.shape[0]
    mask = h - 1
    room = known.shape[0] if direct else min(known.shape[0], np.int64(LOAD * h))
    u, c = counts[0], counts[1]
    end = features.shape[0]
    for i in range(first, features.shape[0]):
        if not direct and i + AHEAD < features.shape[0]:
            fetch(index, np.int64(mix(np.uint64(features[i + AHEAD])) & np.uint64(mask)) * 4, 4)
        if values[i] == 0:
            numbers[i] = -1
            continue
        feature = features[i]
        place = _place(index, feature, mask, direct)
        if index[place, 0] == EMPTY:
            if c == room:
                end = i
                break
            index[place, 0] = feature
            index[place, 1] = c
            index[place, 2] = 0
            known[c] = feature
            c += 1
        if index[place, 2] != batch:
            index[place, 2] = batch
            index[place, 3] = u
            touched[u] = index[place, 1]
            sizes[u] = 0
            u += 1
        number = index[place, 3]
        numbers[i] = number
        sizes[number] += 1
    counts[0], counts[1] = u, c
    return end


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


@numba.njit(nogil=True, cache=True, error_model="numpy")
def sort(
    bounds,  # in   (n + 1,) int64 or int32  where the entries of each row begin
    values,  # in   (e,) float32
    numbers,  # in   (e,) int32
    sizes,  # in   (u,) int32
    begins,  # sets (u + 1,) int64  where those of each feature begin
    rows,  # sets (e,) int32  the row of each entry, feature by feature
    factors,  # sets (e,) float32  and its value
):
    """Entries by feature, those of one in the order of the rows; true where all values are 1. Zeros are left out."""
    at = np.int64(0)
    for number in range(sizes.shape[0]):
        begins[number] = at
        at += sizes[number]
    begins[sizes.shape[0]] = at
    ones = True
    for row in range(bounds.shape[0] - 1):
        for i in range(bounds[row], bounds[row + 1]):
            number = numbers[i]
            if number >= 0:
                place = begins[number]
                rows[place], factors[place] = row, values[i]
                ones &= values[i] == 1
                begins[number] = place + 1
    for number in range(sizes.shape[0], 0, -1):  # each has moved to its end
        begins[number] = begins[number - 1]
    begins[0] = 0
    return ones
