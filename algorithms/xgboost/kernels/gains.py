"""What cutting after a bin gains.

Gains are those of Chen and Guestrin (XGBoost, KDD 2016, eq. 7), in the library's arithmetic: sums in float64, gains
in float32, so that equal histograms give equal splits. Without numba's counts of references: two threads that count the
same arrays wait for each other far longer than the counting takes.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.xgboost.kernels.memory import bits_of, float_of
from algoport.algorithms.xgboost.kernels.weights import ALPHA, LAMBDA, MAX_DELTA, MIN_CHILD, gain_of, weight_of


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def gain_of_cut(
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


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
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


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def gains_of_cuts(
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
            gain = gain_of_cut(gl, hl, gr, hr, rules, lower, upper, bounded, direction) - root
            if gain < np.inf:
                gains[b] = gain


@numba.njit(nogil=True, cache=True, _nrt=False)
def greatest(gains, bins):
    """The greatest of some gains, 0 if all are below. By their bits, which for numbers above 0 rise as these do: of
    whole numbers a compiler compares many at once."""
    most = np.int32(0)
    for b in range(bins):
        bits = bits_of(gains[b])
        most = bits if bits > most else most
    return float_of(most)


@numba.njit(nogil=True, cache=True, error_model="numpy", forceinline=True, _nrt=False)
def plain_gain(
    sum_g,  # in   int64  of gradients, of the left side
    sum_h,  # in   int64  of Hessians
    g,  # in   int64  of all rows of the node
    h,  # in   int64
    unit_g,  # in   float64  what 1 stands for
    unit_h,  # in   float64
    root,  # in   float32  the gain of the node as a leaf
    least,  # in   float64  least sum of Hessians
    weaken,  # in   float64  the L2 term
):
    """The gain of one cut, 0 where it is none; see `_plain_gains`."""
    gl, hl = sum_g * unit_g, sum_h * unit_h
    gr, hr = (g - sum_g) * unit_g, (h - sum_h) * unit_h
    if not ((hl >= least) & (hr >= least)):
        return np.float32(0)
    left = np.float32(gl * gl) / np.float32(hl + weaken)
    right = np.float32(gr * gr) / np.float32(hr + weaken)
    left = left if hl > 0 else np.float32(0)
    right = right if hr > 0 else np.float32(0)
    gain = np.float32(np.float32(left + right) - root)
    return gain if gain < np.float32(np.inf) else np.float32(0)
