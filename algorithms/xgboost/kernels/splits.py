"""Inner loops that find the best split of each node.    k nodes   d features

Gains are those of Chen and Guestrin (XGBoost, KDD 2016, eq. 7), in the library's arithmetic: sums in float64, gains
in float32, so that equal histograms give equal splits. Among equal gains the feature of the lower number wins, then
that of the earlier candidate.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import ALONE, share
from algoport.algorithms.xgboost.kernels.memory import bits_of, float_of
from algoport.algorithms.xgboost.kernels.weights import ALPHA, LAMBDA, MAX_DELTA, MIN_CHILD, gain_of, weight_of

FEW = 12  # bins; up to so many, vectors cost more than they save
TOGETHER = 16  # features of a node that a thread looks at
WORTH = 16384  # bins of all nodes that are worth more than one thread


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _gain(
    gl,  # in   float64  gradient of the left side
    hl,  # in   float64  Hessian of the left side
    gr,  # in   float64  gradient of the right side
    hr,  # in   float64  Hessian of the right side
    rules,  # in   (4,) float64
    lower,  # in   float32  bounds of the weights
    upper,  # in   float32
    bounded,  # in   bool
    direction,  # in   int64  of a constraint; 0: none
):
    """The gain of both sides; minus infinity where the direction of a constraint is violated."""
    if direction != 0:
        left, right = weight_of(gl, hl, rules, lower, upper), weight_of(gr, hr, rules, lower, upper)
        if (direction > 0 and left > right) or (direction < 0 and left < right):
            return np.float32(-np.inf)
    return gain_of(gl, hl, rules, lower, upper, bounded) + gain_of(gr, hr, rules, lower, upper, bounded)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _plain_gains(
    sum_g,  # in   (bins,) int64  of gradients, up to each bin
    sum_h,  # in   (bins,) int64  of Hessians
    bins,  # in   int64
    g,  # in   int64  of all rows of the node
    h,  # in   int64
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    root,  # in   float32  the gain of the node as a leaf
    least,  # in   float64  least sum of Hessians
    weaken,  # in   float64  the L2 term
    gains,  # sets (bins,) float32
):
    """Sets the gain of cutting after each bin where there are no constraints, no L1 term and no greatest step.

    A loop without branches, which the compiler turns into vectors. A gain that is no finite number is none.
    """
    never, most = np.float32(-np.inf), np.float32(np.inf)
    for b in range(bins):
        gl, hl = sum_g[b] * unit_g, sum_h[b] * unit_h
        gr, hr = (g - sum_g[b]) * unit_g, (h - sum_h[b]) * unit_h
        left = np.float32(gl * gl) / np.float32(hl + weaken)
        right = np.float32(gr * gr) / np.float32(hr + weaken)
        left = left if hl > 0 else np.float32(0)
        right = right if hr > 0 else np.float32(0)
        gain = np.float32(np.float32(left + right) - root)
        gains[b] = gain if (hl >= least) & (hr >= least) & (gain < most) else never


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _gains(
    sum_g,  # in   (bins,) int64  of gradients, up to each bin
    sum_h,  # in   (bins,) int64  of Hessians
    bins,  # in   int64
    g,  # in   int64  of all rows of the node
    h,  # in   int64
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    root,  # in   float32  the gain of the node as a leaf
    rules,  # in   (4,) float64
    lower,  # in   float32  bounds of the weights
    upper,  # in   float32
    bounded,  # in   bool
    direction,  # in   int64  of a constraint; 0: none
    gains,  # sets (bins,) float32
):
    """Sets the gain of cutting after each bin."""
    least = rules[MIN_CHILD]
    if not bounded and rules[ALPHA] == 0 and rules[MAX_DELTA] == 0:
        _plain_gains(sum_g, sum_h, bins, g, h, unit_g, unit_h, root, least, rules[LAMBDA], gains)
        return
    for b in range(bins):
        gl, hl = sum_g[b] * unit_g, sum_h[b] * unit_h
        gr, hr = (g - sum_g[b]) * unit_g, (h - sum_h[b]) * unit_h
        gains[b] = -np.inf
        if hl >= least and hr >= least:
            gain = _gain(gl, hl, gr, hr, rules, lower, upper, bounded, direction) - root
            if gain < np.inf:
                gains[b] = gain


@numba.njit(nogil=True, cache=True)
def _greatest(gains, bins):
    """The greatest of some gains, 0 if all are below. By their bits, which for numbers above 0 rise as these do: of
    whole numbers a compiler compares many at once."""
    most = np.int32(0)
    for b in range(bins):
        bits = bits_of(gains[b])
        most = bits if bits > most else most
    return float_of(most)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _scan(
    of_g,  # in   (bins,) int64  of gradients
    of_h,  # in   (bins,) int64  of Hessians
    bins,  # in   int64
    g,  # in   int64  of all rows of the node
    h,  # in   int64
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    root,  # in   float32  the gain of the node as a leaf
    rules,  # in   (4,) float64
    lower,  # in   float32  bounds of the weights
    upper,  # in   float32
    bounded,  # in   bool
    direction,  # in   int64  of a constraint; 0: none
    best,  # in   float32  the gain to be better than
    room,  # sets (2, bins) int64  what is between
    gains,  # sets (bins,) float32
):
    """The best split of one feature, if it is better than `best`: (gain, last bin that goes left, default left, sums
    of the left side).

    Rows without a value go right in the first pass, which comes from the left, and left in the second, which comes
    from the right and counts only where some are missing and it finds a better one. `room` (2, bins) int64 and
    `gains` (bins,) are for what is between.
    """
    sum_g, sum_h = room[0], room[1]
    at, default, best_g, best_h = -2, False, 0, 0
    total_g, total_h = 0, 0
    for b in range(bins):
        total_g += of_g[b]
        total_h += of_h[b]
        sum_g[b], sum_h[b] = total_g, total_h
    _gains(sum_g, sum_h, bins, g, h, unit_g, unit_h, root, rules, lower, upper, bounded, direction, gains)
    most = _greatest(gains, bins)
    if most > best:
        best, at = most, 0
        while gains[at] != most:
            at += 1
        best_g, best_h = sum_g[at], sum_h[at]
    if total_g == g and total_h == h:
        return best, at, default, best_g, best_h
    # With what is missing on the left, bins before b lie there: sums[b - 1] and what is missing; b = 0: only that.
    none_g, none_h = g - total_g, h - total_h
    for b in range(bins - 1, -1, -1):
        sum_g[b] = none_g + (sum_g[b - 1] if b > 0 else 0)
        sum_h[b] = none_h + (sum_h[b - 1] if b > 0 else 0)
    _gains(sum_g, sum_h, bins, g, h, unit_g, unit_h, root, rules, lower, upper, bounded, direction, gains)
    most = _greatest(gains, bins)
    if most > best:
        best, b, default = most, bins - 1, True
        while gains[b] != most:
            b -= 1
        at, best_g, best_h = b - 1, sum_g[b], sum_h[b]
    return best, at, default, best_g, best_h


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _scan_few(
    of_g,  # in   (bins,) int64  of gradients
    of_h,  # in   (bins,) int64  of Hessians
    bins,  # in   int64
    g,  # in   int64  of all rows of the node
    h,  # in   int64
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    root,  # in   float32  the gain of the node as a leaf
    rules,  # in   (4,) float64
    lower,  # in   float32  bounds of the weights
    upper,  # in   float32
    bounded,  # in   bool
    direction,  # in   int64  of a constraint; 0: none
    best,  # in   float32  the gain to be better than
):
    """The same where bins are few, as in sparse rows with thousands of features: without arrays between."""
    at, default = -2, False
    best_g, best_h, total_g, total_h = 0, 0, 0, 0
    for b in range(bins):
        total_g += of_g[b]
        total_h += of_h[b]
    if total_g == 0 and total_h == 0:
        return best, at, default, best_g, best_h
    least = rules[MIN_CHILD]
    sum_g, sum_h = 0, 0
    for b in range(bins):
        sum_g += of_g[b]
        sum_h += of_h[b]
        gl, hl, gr, hr = sum_g * unit_g, sum_h * unit_h, (g - sum_g) * unit_g, (h - sum_h) * unit_h
        if hl >= least and hr >= least:
            gain = _gain(gl, hl, gr, hr, rules, lower, upper, bounded, direction) - root
            if gain > best and gain != np.inf:
                best, at, best_g, best_h = gain, b, sum_g, sum_h
    if total_g == g and total_h == h:
        return best, at, default, best_g, best_h
    sum_g, sum_h = g, h
    for b in range(bins - 1, -1, -1):
        sum_g -= of_g[b]
        sum_h -= of_h[b]
        gl, hl, gr, hr = sum_g * unit_g, sum_h * unit_h, (g - sum_g) * unit_g, (h - sum_h) * unit_h
        if hl >= least and hr >= least:
            gain = _gain(gl, hl, gr, hr, rules, lower, upper, bounded, direction) - root
            if gain > best and gain != np.inf:
                best, at, default, best_g, best_h = gain, b - 1, True, sum_g, sum_h
    return best, at, default, best_g, best_h


@numba.njit(nogil=True, cache=True)
def _less(pool, slot, other, begin, end):
    """Takes the sums of one histogram off those of another, of some bins."""
    for half in range(2):
        whole, part = pool[slot, half, begin:end], pool[other, half, begin:end]
        for i in range(end - begin):
            whole[i] -= part[i]


@numba.njit(nogil=True, cache=True)
def evaluate(
    team,  # in   (2,) int64  as `threads.team` gives it
    pool,  # sets (slots, 2, size) int64: those that others are taken off
    starts,  # in   (d,) int64 where each feature begins in a histogram
    slots,  # in   (k,) int64
    others,  # in   (k,) int64 the histogram that is taken off each first, of the bins that matter; -1: none
    sums,  # in   (k, 2) int64 of all rows of each node
    bins,  # in   (d,) int64 how many bins each feature has
    allowed,  # in   (k, d) uint8, or (0, d) where every node may use every feature
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    rules,  # in   (4,) float64
    bounds,  # in   (k, 2) float32
    directions,  # in   (d,) int8, or (0,) where nothing is constrained
    gains,  # sets (k,) float32
    features,  # sets (k,) int64
    cuts,  # sets (k,) int64 the last bin that goes left
    defaults,  # sets (k,) uint8 1 where missing values go left
    left,  # sets (k, 2) int64
):
    """The best split of every node; its gain is 0 where there is none. A thread takes some features of a node."""
    k, parts = len(slots), (len(starts) + TOGETHER - 1) // TOGETHER
    part_gains, part_splits = np.zeros((k, parts), np.float32), np.zeros((k, parts, 5), np.int64)
    share(
        team if k * pool.shape[2] >= WORTH else ALONE, _evaluate, k * parts,
        (pool, starts, slots, others, sums, bins, allowed, unit_g, unit_h, rules, bounds, directions, part_gains,
         part_splits),
    )  # fmt: skip
    for j in range(k):
        gains[j], features[j], cuts[j], defaults[j] = 0, 0, -2, 0
        for part in range(parts):
            if part_gains[j, part] > gains[j]:
                own = part_splits[j, part]
                gains[j], features[j], cuts[j], defaults[j] = part_gains[j, part], own[0], own[1], own[2]
                left[j, 0], left[j, 1] = own[3], own[4]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _evaluate(
    task,  # in   int64  which node and part of the features
    pool,  # sets (slots, 2, size) int64: those that others are taken off
    starts,  # in   (d,) int64 where each feature begins in a histogram
    slots,  # in   (k,) int64
    others,  # in   (k,) int64 the histogram that is taken off each first, of the bins that matter; -1: none
    sums,  # in   (k, 2) int64 of all rows of each node
    bins,  # in   int64
    allowed,  # in   (k, d) uint8, or (0, d) where every node may use every feature
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    rules,  # in   (4,) float64
    bounds,  # in   (k, 2) float32
    directions,  # in   (d,) int8, or (0,) where nothing is constrained
    part_gains,  # sets (k, parts) float32
    part_splits,  # sets (k, parts, 5) int64
):
    """The best split of some features of a node."""
    d, parts = len(starts), part_gains.shape[1]
    j, part = task // parts, task % parts
    bounded, every = len(directions) > 0, len(allowed) == 0
    most = 0
    for f in range(part * TOGETHER, min(d, (part + 1) * TOGETHER)):
        most = max(most, bins[f])
    room, own = np.empty((2, most), np.int64), np.empty(most, np.float32)
    low, high, all_g, all_h, best = bounds[j, 0], bounds[j, 1], sums[j, 0], sums[j, 1], np.float32(0)
    root = gain_of(all_g * unit_g, all_h * unit_h, rules, low, high, bounded)
    for f in range(part * TOGETHER, min(d, (part + 1) * TOGETHER)):
        begin, end, size = starts[f], starts[f] + bins[f], bins[f]
        if others[j] >= 0:
            _less(pool, slots[j], others[j], begin, end)
        if not every and not allowed[j, f]:
            continue
        direction = np.int64(directions[f]) if bounded else 0
        of_g, of_h = pool[slots[j], 0, begin:end], pool[slots[j], 1, begin:end]
        if size <= FEW:
            gain, at, default, g, h = _scan_few(
                of_g, of_h, size, all_g, all_h, unit_g, unit_h, root, rules, low, high, bounded, direction, best
            )
        else:
            gain, at, default, g, h = _scan(
                of_g, of_h, size, all_g, all_h, unit_g, unit_h, root, rules, low, high, bounded, direction, best,
                room, own,
            )  # fmt: skip
        if gain > best:
            best = gain
            part_splits[j, part, 0], part_splits[j, part, 1], part_splits[j, part, 2] = f, at, default
            part_splits[j, part, 3], part_splits[j, part, 4] = g, h
    part_gains[j, part] = best
