"""Rows of tables and of states: gathered, added up, dropped out.    n rows   d numbers of a row"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.randomness import draw, first_draw


@numba.njit(nogil=True, cache=True, error_model="numpy")
def add_rows_(
    table,  # adds (v, d) float32
    ids,  # in   (n,) int64
    rows,  # in   (n, d) float32
):
    """Adds each row to the table's row of its id, in their order."""
    for i in range(ids.shape[0]):
        own, row = table[ids[i]], rows[i]
        for j in range(row.shape[0]):
            own[j] += row[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def drop_(
    rows,  # sets (n, d) float32
    keys,  # in   (n,) uint64
    rate,  # in   float64  share of the numbers that become 0
):
    """Drops numbers at random and scales the others (Srivastava et al. 2014): the same ones for the same keys."""
    bound = np.uint64(min(rate, 1.0 - 2.0**-53) * 2.0**63) << np.uint64(1)
    scale = np.float32(1.0 / (1.0 - rate)) if rate < 1 else np.float32(0)
    for i in range(rows.shape[0]):
        row, key = rows[i], keys[i]
        for j in range(row.shape[0]):
            row[j] = np.float32(0) if draw(key, np.uint64(j)) < bound else row[j] * scale


@numba.njit(nogil=True, cache=True, error_model="numpy")
def sentence_keys_(
    values,  # in   (all,) int32
    offsets,  # in   (n + 1,) int64
    keys,  # sets (n,) uint64  mixed with what the ids of each sentence are
):
    """What a sentence's draws come from: what it holds."""
    for i in range(keys.shape[0]):
        key = keys[i]
        for j in range(offsets[i], offsets[i + 1]):
            key = first_draw(key ^ np.uint64(values[j] + 1))
        keys[i] = first_draw(key)
