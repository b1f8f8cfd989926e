"""Windows of series.    b windows   t steps of a window   n series   p points   l lags   f dynamic features"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const

# How a window is scaled.
PLAIN, MEAN_SIZE, COUNTS = 0, 1, 2


def carry_(
    values,  # sets (p,) float32  NaN becomes the value before it, or 0 where a series begins so
    lengths,  # in   (n,) int64   points of each series, which lie one after another
) -> None:
    """Put something that is not far off in the place of what is missing."""
    _carry_(values, const(lengths, np.int64))


def windows(
    series, chosen, ats, context, horizon, lags, calendar, standards, scaling, fallback, center
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Windows of `context` and `horizon` steps of the series `chosen` (b,), the horizon beginning at point `ats` (b,).

    inputs (b, t, l + 1 + letters + 1 + f), targets (b, t), observed (b, t) and scales (b,).

    calendar: (letters, units a step, units a day, days (k, 4) float32, number of the first day); standards: mean and
    inverse deviation (2, f) of dynamic features; scaling: PLAIN, MEAN_SIZE or COUNTS; fallback: the scale where the
    context has no target, or only zeros; center: what is taken from lagged targets, in units of the scale.
    """
    count, steps = len(chosen), context + horizon
    letters, step, units, days, first_day = calendar
    width = len(lags) + 2 + letters + standards.shape[1]
    inputs = np.empty((count, steps, width), np.float32)
    targets, observed = np.empty((count, steps), np.float32), np.empty((count, steps), np.uint8)
    scales = np.empty(count, np.float32)
    _windows(
        const(series.values, np.float32),
        const(series.observed, np.uint8),
        const(series.begins, np.int64),
        const(series.stops, np.int64),
        const(series.starts, np.int64),
        const(series.features, np.float32),
        const(series.feature_begins, np.int64),
        const(series.feature_lengths, np.int64),
        const(chosen, np.int64),
        const(ats, np.int64),
        int(context),
        const(lags, np.int64),
        int(letters),
        int(step),
        int(units),
        const(days, np.float32),
        int(first_day),
        const(standards, np.float32),
        int(scaling),
        float(fallback),
        np.float32(center),
        inputs,
        targets,
        observed,
        scales,
    )
    return inputs, targets, observed, scales


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _carry_(values, lengths):
    at = 0
    for i in range(lengths.shape[0]):
        last = np.float32(0)
        for p in range(at, at + lengths[i]):
            if np.isnan(values[p]):
                values[p] = last
            last = values[p]
        at += lengths[i]


@numba.njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def _windows(
    values,  # in   (p,) float32
    observed,  # in   (p,) uint8
    begins,  # in   (n,) int64
    stops,  # in   (n,) int64
    starts,  # in   (n,) int64  times of the first points
    features,  # in   (all dynamic features,) float32
    feature_begins,  # in   (n,) int64
    feature_lengths,  # in   (n,) int64
    chosen,  # in   (b,) int64  series
    ats,  # in   (b,) int64  points at which horizons begin
    context,  # in   int64  steps
    lags,  # in   (l,) int64
    letters,  # in   int64  calendar features
    step,  # in   int64  units of a step
    units,  # in   int64  units of a day
    days,  # in   (days, 4) float32  calendar features of days
    first_day,  # in   int64  the number of the first of them
    standards,  # in   (2, f) float32  mean and inverse deviation
    scaling,  # in   int64  PLAIN, MEAN_SIZE or COUNTS
    fallback,  # in   float64  the scale where the context has no target
    center,  # in   float32  what is taken from lagged targets, in units of the scale
    inputs,  # sets (b, t, l + 2 + letters + f) float32
    targets,  # sets (b, t) float32
    seen,  # sets (b, t) uint8
    scales,  # sets (b,) float32
):
    steps, ages = inputs.shape[1], lags.shape[0] + 1 + letters
    for b in numba.prange(chosen.shape[0]):
        i = chosen[b]
        begin, length = begins[i], stops[i] - begins[i]
        scale = _scale(values, observed, begin, max(0, ats[b] - context), min(ats[b], length), scaling, fallback)
        scales[b] = scale
        for t in range(steps):
            at = ats[b] - context + t
            own = inputs[b, t]
            inside = 0 <= at < length
            targets[b, t] = values[begin + at] if inside else np.float32(0)
            seen[b, t] = observed[begin + at] if inside else np.uint8(0)
            for k in range(lags.shape[0]):
                back = at - lags[k]
                own[k] = values[begin + back] / scale - center if 0 <= back < length else np.float32(0)
            # What lies past the end will be sampled, and counts as there.
            before = at - 1
            own[lags.shape[0]] = 1.0 if before >= length else (observed[begin + before] if before >= 0 else 0.0)
            _calendar_(own[lags.shape[0] + 1 :], starts[i] + at * step, letters, units, days, first_day)
            own[ages] = np.float32(np.log10(2.0 + max(0, at)))
            for f in range(standards.shape[1]):
                mine = feature_lengths[i]
                place = feature_begins[i] + f * mine + at
                there = 0 <= at < mine
                own[ages + 1 + f] = (features[place] - standards[0, f]) * standards[1, f] if there else np.float32(0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _scale(values, observed, begin, first, last, scaling, fallback):
    """Size of the targets of the context: their mean absolute value, of counts one more (the paper's)."""
    if scaling == PLAIN:
        return np.float32(1)
    total, count = 0.0, 0
    for at in range(begin + first, begin + last):
        if observed[at]:
            total += abs(values[at])
            count += 1
    if scaling == COUNTS:
        return np.float32(1 + (total / count if count else fallback))
    # A scale near nothing would blow up what is not quite zero.
    return np.float32(total / count if total > 1e-30 else fallback)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _calendar_(own, time, letters, units, days, first_day):
    """Fill in where in its hour, day, week, month and year a time lies, each from -0.5 to 0.5."""
    if letters == 1:
        own[0] = np.float32(time % 12 / 11 - 0.5)
        return
    day = days[max(0, min(days.shape[0] - 1, time // units - first_day))]
    if letters == 2:
        own[0], own[1] = day[1], day[3]
        return
    if letters == 5:
        own[0] = np.float32(time % 60 / 59 - 0.5)
    if letters >= 4:
        hour = (time % units) * 24 // units
        own[letters - 4] = np.float32(hour / 23 - 0.5)
    for k in range(3):
        own[letters - 3 + k] = day[k]


def log_sizes(series) -> NDArray[np.float64]:
    """Logarithm (n,) of the mean absolute target of each series; not finite where it has none, or only zeros."""
    sizes = np.empty(len(series.begins))
    _log_sizes(
        const(series.values, np.float32),
        const(series.observed, np.uint8),
        const(series.begins, np.int64),
        const(series.stops, np.int64),
        sizes,
    )
    return sizes


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _log_sizes(values, observed, begins, stops, sizes):
    for i in range(begins.shape[0]):
        total, count = 0.0, 0
        for at in range(begins[i], stops[i]):
            if observed[at]:
                total += abs(values[at])
                count += 1
        sizes[i] = np.log(total / count)


def moments(series, count, centers) -> NDArray[np.float64]:
    """Points, sums and sums of squares (3, f) of each of `count` dynamic features, as differences to `centers` (f,)."""
    sums = np.zeros((3, count))
    if count:
        _moments(
            const(series.features, np.float32),
            const(series.feature_begins, np.int64),
            const(series.feature_lengths, np.int64),
            const(centers, np.float64),
            sums,
        )
    return sums


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _moments(features, begins, lengths, centers, sums):
    for i in range(begins.shape[0]):
        for f in range(sums.shape[1]):
            begin = begins[i] + f * lengths[i]
            for place in range(begin, begin + lengths[i]):
                difference = features[place] - centers[f]
                sums[1, f] += difference
                sums[2, f] += difference * difference
            sums[0, f] += lengths[i]
