"""Inner loops that find the best split of each node.    k nodes   d features

Gains are those of Chen and Guestrin (XGBoost, KDD 2016, eq. 7), in the library's arithmetic: sums in float64, gains
in float32, so that equal histograms give equal splits. Among equal gains the feature of the lower number wins, then
that of the earlier candidate.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.threads import ALONE, share
from algoport.algorithms.xgboost.kernels.gains import gain_of_cut, gains_of_cuts, greatest, plain_gain
from algoport.algorithms.xgboost.kernels.weights import ALPHA, LAMBDA, MAX_DELTA, MIN_CHILD, gain_of

FEW = 12  # bins; up to so many, vectors cost more than they save
TOGETHER = 16  # features of a node that a thread looks at
WORTH = 16384  # bins of all nodes that are worth more than one thread
ONE = np.uint64(1)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
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
    gains_of_cuts(sum_g, sum_h, bins, g, h, unit_g, unit_h, root, rules, lower, upper, bounded, direction, gains)
    most = greatest(gains, bins)
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
    gains_of_cuts(sum_g, sum_h, bins, g, h, unit_g, unit_h, root, rules, lower, upper, bounded, direction, gains)
    most = greatest(gains, bins)
    if most > best:
        best, b, default = most, bins - 1, True
        while gains[b] != most:
            b -= 1
        at, best_g, best_h = b - 1, sum_g[b], sum_h[b]
    return best, at, default, best_g, best_h


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
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
            gain = gain_of_cut(gl, hl, gr, hr, rules, lower, upper, bounded, direction) - root
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
            gain = gain_of_cut(gl, hl, gr, hr, rules, lower, upper, bounded, direction) - root
            if gain > best and gain != np.inf:
                best, at, default, best_g, best_h = gain, b - 1, True, sum_g, sum_h
    return best, at, default, best_g, best_h


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _scan_plain(
    of_g,  # in   (size,) int64  of gradients, of all features
    of_h,  # in   (size,) int64  of Hessians
    begin,  # in   uint64  the first bin of the feature
    end,  # in   uint64  behind the last one
    g,  # in   int64  of all rows of the node
    h,  # in   int64
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    root,  # in   float32  the gain of the node as a leaf
    least,  # in   float64  least sum of Hessians
    weaken,  # in   float64  the L2 term
    best,  # in   float32  the gain to be better than
):
    """The same without constraints, L1 term and greatest step, for which numbers are all it takes."""
    at, default = np.int64(-2), False
    best_g, best_h, total_g, total_h = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for b in range(begin, end):
        total_g += of_g[b]
        total_h += of_h[b]
        gain = plain_gain(total_g, total_h, g, h, unit_g, unit_h, root, least, weaken)
        if gain > best:
            best, at, best_g, best_h = gain, np.int64(b - begin), total_g, total_h
    if total_g == g and total_h == h:
        return best, at, default, best_g, best_h
    # Missing values alone on the left part the rows as the last cut has parted them, and gain as much.
    sum_g, sum_h = g, h
    b = end - ONE
    while b > begin:
        sum_g -= of_g[b]
        sum_h -= of_h[b]
        gain = plain_gain(sum_g, sum_h, g, h, unit_g, unit_h, root, least, weaken)
        if gain > best:
            best, at, default, best_g, best_h = gain, np.int64(b - begin) - 1, True, sum_g, sum_h
        b -= ONE
    return best, at, default, best_g, best_h


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


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _evaluate(
    task,  # in   int64  which node and part of the features
    pool,  # sets (slots, 2, size) int64: those that others are taken off
    starts,  # in   (d,) int64 where each feature begins in a histogram
    slots,  # in   (k,) int64
    others,  # in   (k,) int64 the histogram that is taken off each first, of the bins that matter; -1: none
    sums,  # in   (k, 2) int64 of all rows of each node
    bins,  # in   (d,) int64
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
    first, last = _features(task, len(starts), part_gains.shape[1])
    most = 0
    for f in range(first, last):
        most = max(most, bins[f])
    given = (
        pool, starts, slots, others, sums, bins, allowed, unit_g, unit_h, rules, bounds, directions, part_gains,
        part_splits,
    )  # fmt: skip
    if most > FEW:
        _with_room(most, task, given)
    else:
        _evaluate_part(pool[0], part_gains[0], task, given)


@numba.njit(nogil=True, cache=True, _nrt=True)
def _with_room(most, task, given):
    """Find room for what is between, for `most` bins. All else does without counts of references; see `gains`."""
    _evaluate_part(np.empty((2, most), np.int64), np.empty(most, np.float32), task, given)


@numba.njit(nogil=True, cache=True, _nrt=False)
def _features(task, d, parts):
    """Which features a task looks at: the first, and the one behind the last."""
    part = task % parts
    return part * TOGETHER, min(d, (part + 1) * TOGETHER)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _evaluate_part(room, own, task, given):
    """With room for what is between, (2, most) int64 and (most,) float32, where features have more than a few bins;
    `given`: what `_evaluate` takes."""
    (
        pool, starts, slots, others, sums, bins, allowed, unit_g, unit_h, rules, bounds, directions, part_gains,
        part_splits,
    ) = given  # fmt: skip
    parts = part_gains.shape[1]
    j, part = task // parts, task % parts
    first, last = _features(task, len(starts), parts)
    bounded, every = len(directions) > 0, len(allowed) == 0
    plain = not bounded and rules[ALPHA] == 0 and rules[MAX_DELTA] == 0
    least, weaken = rules[MIN_CHILD], rules[LAMBDA]
    low, high, all_g, all_h, best = bounds[j, 0], bounds[j, 1], sums[j, 0], sums[j, 1], np.float32(0)
    root = gain_of(all_g * unit_g, all_h * unit_h, rules, low, high, bounded)
    sums_g, sums_h = pool[slots[j], 0], pool[slots[j], 1]
    if others[j] >= 0 and first < last:
        off_g, off_h = pool[others[j], 0], pool[others[j], 1]
        for b in range(np.uint64(starts[first]), np.uint64(starts[last - 1] + bins[last - 1])):
            sums_g[b] -= off_g[b]
            sums_h[b] -= off_h[b]
    for f in range(first, last):
        if not every and not allowed[j, f]:
            continue
        begin, end, size = starts[f], starts[f] + bins[f], bins[f]
        if plain and size <= FEW:
            gain, at, default, g, h = _scan_plain(
                sums_g, sums_h, np.uint64(begin), np.uint64(end), all_g, all_h, unit_g, unit_h, root, least, weaken,
                best,
            )  # fmt: skip
        elif size <= FEW:
            direction = np.int64(directions[f]) if bounded else 0
            gain, at, default, g, h = _scan_few(
                sums_g[begin:end], sums_h[begin:end], size, all_g, all_h, unit_g, unit_h, root, rules, low, high,
                bounded, direction, best,
            )  # fmt: skip
        else:
            direction = np.int64(directions[f]) if bounded else 0
            gain, at, default, g, h = _scan(
                sums_g[begin:end], sums_h[begin:end], size, all_g, all_h, unit_g, unit_h, root, rules, low, high,
                bounded, direction, best, room, own,
            )  # fmt: skip
        if gain > best:
            best = gain
            part_splits[j, part, 0], part_splits[j, part, 1], part_splits[j, part, 2] = f, at, default
            part_splits[j, part, 3], part_splits[j, part, 4] = g, h
    part_gains[j, part] = best
