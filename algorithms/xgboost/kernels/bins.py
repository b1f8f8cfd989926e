"""Inner loops of binning: how values are ranked, which ranks become cuts, and which bin a value falls into.

n rows   d features   m distinct values   b bins
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import share

# Rows that are binned together: their positions and one column of their values stay in the first cache.
BLOCK = 512
NEAR = 128  # rows that are turned together


@numba.njit(nogil=True, cache=True)
def distinct(
    ordered,  # in   (n,) float32, rising, without missing values
    weights,  # in   (n,) int64 in the same order, or (0,) where each row weighs 1
    values,  # sets (n,) float32, the first m
    sums,  # sets (n,) int64, the first m
):
    """The distinct values and what the rows that have them weigh together; returns m. Rows of weight 0 are left out."""
    m = 0
    weighted = len(weights) > 0
    for i in range(len(ordered)):
        weight = weights[i] if weighted else 1
        if weight == 0:
            continue
        value = ordered[i] + np.float32(0)  # -0 becomes 0
        if m > 0 and values[m - 1] == value:
            sums[m - 1] += weight
        else:
            values[m], sums[m] = value, weight
            m += 1
    return m


@numba.njit(nogil=True, cache=True)
def changes(
    ordered,  # in   (n,) float32, rising, without missing values
):
    """How many distinct values there are."""
    count = min(1, len(ordered))
    for i in range(1, len(ordered)):
        count += ordered[i] != ordered[i - 1]
    return count


@numba.njit(nogil=True, cache=True)
def reach(
    ordered,  # in   (n,) float32, rising
    values,  # in   (t,) float32
    low,  # in   (t,) int64  so many rows do not exceed the value for sure
    high,  # in   (t,) int64  no more than so many do not
    candidates,  # sets (t,) int64
):
    """How many rows do not exceed each value."""
    for t in range(len(values)):
        least, most = low[t], high[t]
        while least < most:
            middle = (least + most) >> 1
            if ordered[middle] <= values[t]:
                least = middle + 1
            else:
                most = middle
        candidates[t] = least


@numba.njit(nogil=True, cache=True)
def prune(
    low,  # in   (m,) int64  the least rank of each value
    high,  # in   (m,) int64  its greatest rank; what it weighs lies between
    weight,  # in   (m,) int64
    size,  # how many to keep at most, 2 or more
    unit,  # how many rows a rank of 1 is
    single,  # true: compute as the library does, in float32, so that the same values are kept
):
    """Which entries a summary of that size keeps: those nearest to evenly spaced ranks, and both ends.

    The summary and its pruning are those of the weighted quantile sketch (Chen and Guestrin, XGBoost, KDD 2016,
    appendix A); ranks are exact where the summary is new.
    """
    m = len(low)
    if m <= size:
        return np.arange(m)
    selection = np.empty(size, np.int64)
    selection[0] = 0
    count, last, i = 1, 0, 1
    begin, reach = high[0] * unit, (low[m - 1] - high[0]) * unit
    n = size - 1
    for k in range(1, n):
        if single:
            share = np.float32(np.float32(k * reach) / np.float32(n))
            twice = np.float64(np.float32(2) * np.float32(share + np.float32(begin)))
        else:
            twice = 2 * (k * reach / n + begin)
        while i < m - 1 and twice >= (high[i + 1] + low[i + 1]) * unit:
            i += 1
        if i == m - 1:
            break
        chosen = i if twice < (low[i] + weight[i] + high[i + 1] - weight[i + 1]) * unit else i + 1
        if chosen != last:
            selection[count] = chosen
            count += 1
            last = chosen
    if last != m - 1:
        selection[count] = m - 1
        count += 1
    return selection[:count]


@numba.njit(nogil=True, cache=True)
def transpose(
    team,  # in   (2,) int64  as `threads.team` gives it
    rows,  # in   (n, d) float32
    first,
    columns,  # sets (c, n) float32: the columns first to first + c
):
    """Copy columns, so that each lies together. Unsigned indices: with others it took 15 times as long."""
    share(team, _transpose, (len(rows) + NEAR - 1) // NEAR, (rows, first, columns))


@numba.njit(nogil=True, cache=True)
def _transpose(block, rows, first, columns):
    """A block of rows."""
    before = np.uint64(first)
    begin, end = np.uint64(block * NEAR), np.uint64(min(len(rows), (block + 1) * NEAR))
    for f in range(np.uint64(len(columns))):
        for i in range(begin, end):
            columns[f, i] = rows[i, before + f]


@numba.njit(nogil=True, cache=True)
def assign(
    team,  # in   (2,) int64
    rows,  # in   (n, d) float32
    cuts,  # in   (d, p) float32  the cuts but the last of each feature, and infinity after them; p a power of 2
    missing,  # in   (d,) int64 the code of a missing value
    place,  # in   (d,) int64  the column of each feature
    times,  # in   (d,) int64  how often its code counts in it
    per,  # columns a group
    width,  # codes a row has room for in a group
    codes,  # adds (groups, n * width) uint8 or uint16  row by row, column by column
    columns,  # sets (d, n) uint8 or uint16  feature by feature
):
    """The bin of every value: how many cuts it reaches.

    Returns true where every missing value has a code.
    """
    blocks = (len(rows) + BLOCK - 1) // BLOCK
    faults = np.zeros(blocks, np.int64)
    share(team, _assign, blocks, (rows, cuts, missing, place, times, per, width, codes, columns, faults))
    for block in range(blocks):
        if faults[block] > 0:
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _assign(
    block,  # in   int64  which block of rows
    rows,  # in   (n, d) float32
    cuts,  # in   (d, p) float32  the cuts but the last of each feature, and infinity after them; p a power of 2
    missing,  # in   (d,) int64 the code of a missing value
    place,  # in   (d,) int64  the column of each feature
    times,  # in   (d,) int64  how often its code counts in it
    per,  # columns a group
    width,  # codes a row has room for in a group
    codes,  # adds (groups, n * width) uint8 or uint16  row by row, column by column
    columns,  # sets (c, n) float32: the columns first to first + c
    faults,  # adds (blocks,) int64  values without a code
):
    """A block of rows."""
    n, d = rows.shape
    first = np.uint64(block * BLOCK)
    count = np.uint64(min(n - block * BLOCK, BLOCK))
    values, block_codes = np.zeros(BLOCK, np.float32), np.empty(BLOCK, np.uint32)
    for f in range(np.uint64(d)):
        own, into = cuts[f], columns[f]
        for i in range(count):
            values[i] = rows[first + i, f]
        block_codes[:] = 0
        step = cuts.shape[1] >> 1
        while step > 0:
            _halve(values, own, block_codes, np.uint32(step))
            step >>= 1
        faults[block] += _place_missing(values, block_codes, count, missing[f])
        column, often = place[f], np.uint32(times[f])
        group, at = codes[column // per], first * np.uint64(width) + np.uint64(column % per)
        for i in range(count):
            into[first + i] = block_codes[i]
            group[at + i * np.uint64(width)] += block_codes[i] * often


@numba.njit(nogil=True, cache=True)
def _halve(values, cuts, block_codes, step):
    """One step of a binary search for all values of a block."""
    for i in range(np.uint64(BLOCK)):
        next_ = block_codes[i] + step
        block_codes[i] = next_ if cuts[next_ - np.uint32(1)] <= values[i] else block_codes[i]


@numba.njit(nogil=True, cache=True)
def _place_missing(values, block_codes, count, code):
    """Give missing values their code; returns how many have none."""
    faults = 0
    for i in range(count):
        if values[i] != values[i]:
            block_codes[i] = code
            faults += code < 0
    return faults
