"""Inner loops of binning: how values are ranked, which ranks become cuts, and which bin a value falls into.

n rows   d features   m distinct values   b bins
"""

from __future__ import annotations

import numba
import numpy as np

# Rows that are binned together: their positions and one column of their values stay in the first cache.
BLOCK = 2048


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
def pruned(
    values,  # in   (m,) float32, rising
    low,  # in   (m,) float64  the least rank of each value
    high,  # in   (m,) float64  its greatest rank
    weight,  # in   (m,) float64
    size,  # how many to keep at most, 2 or more
    single,  # true: compute as the library does, in float32, so that the same values are kept
):
    """Which entries a summary of that size keeps: those nearest to evenly spaced ranks, and both ends.

    The summary and its pruning are those of the weighted quantile sketch (Chen and Guestrin, XGBoost, KDD 2016,
    appendix A); ranks are exact where the summary is new.
    """
    m = len(values)
    if m <= size:
        return np.arange(m)
    kept = np.empty(size, np.int64)
    kept[0] = 0
    count, last, i = 1, 0, 1
    begin, reach = high[0], low[m - 1] - high[0]
    n = size - 1
    for k in range(1, n):
        if single:
            twice = np.float64(
                np.float32(2) * np.float32(np.float32(np.float32(k * reach) / np.float32(n)) + np.float32(begin))
            )
        else:
            twice = 2 * (k * reach / n + begin)
        while i < m - 1 and twice >= high[i + 1] + low[i + 1]:
            i += 1
        if i == m - 1:
            break
        chosen = i if twice < low[i] + weight[i] + high[i + 1] - weight[i + 1] else i + 1
        if chosen != last:
            kept[count] = chosen
            count += 1
            last = chosen
    if last != m - 1:
        kept[count] = m - 1
        count += 1
    return kept[:count]


@numba.njit(parallel=True, nogil=True, cache=True)
def assign(
    rows,  # in   (n, d) float32
    cuts,  # in   (total,) float32, rising within a feature
    offsets,  # in   (d + 1,) int64 where each feature's cuts begin
    missing,  # in   (d,) int64 the code of a missing value
    codes,  # sets (n, d) unsigned  row by row
    columns,  # sets (d, n) unsigned  the same, column by column
):
    """The bin of every value: how many cuts it reaches, and the last bin where it reaches all.

    Returns true where every missing value has a code.
    """
    n, d = rows.shape
    blocks = (n + BLOCK - 1) // BLOCK
    faults = np.zeros(blocks, np.int64)
    for block in numba.prange(blocks):
        first, last = block * BLOCK, min(n, (block + 1) * BLOCK)
        for f in range(d):
            begin, size = offsets[f], offsets[f + 1] - offsets[f]
            for i in range(first, last):
                value = rows[i, f]
                low, length = 0, size
                while length > 0:
                    half = length >> 1
                    if cuts[begin + low + half] <= value:
                        low += half + 1
                        length -= half + 1
                    else:
                        length = half
                code = min(low, size - 1)
                if value != value:
                    code = missing[f]
                    if code < 0:
                        faults[block] += 1
                codes[i, f] = code
                columns[f, i] = code
    return faults.sum() == 0
