"""What leaves add and what they gain (Chen and Guestrin, XGBoost, KDD 2016, eq. 5 to 7), in the library's arithmetic.

d features
"""

from __future__ import annotations

import math

import numba
import numpy as np

# Where each setting stands in the array of `rules`.
LAMBDA, ALPHA, MAX_DELTA, MIN_CHILD = 0, 1, 2, 3


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def shrunk(g, alpha):
    """The gradient less the L1 term."""
    if g > alpha:
        return g - alpha
    if g < -alpha:
        return g + alpha
    return 0.0


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def weight_of(g, h, rules, lower, upper):
    """What a leaf of these sums adds, before the learning rate; within bounds that constraints have set."""
    if h <= 0:
        weight = np.float32(0)
    else:
        value = -shrunk(g, rules[ALPHA]) / (h + rules[LAMBDA])
        most = rules[MAX_DELTA]
        if most != 0 and abs(value) > most:
            value = math.copysign(most, value)
        weight = np.float32(value)
    return min(max(weight, lower), upper)


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def gain_of(g, h, rules, lower, upper, bounded):
    """By how much a leaf of these sums lessens the loss, times 2."""
    if h <= 0:
        return np.float32(0)
    if rules[MAX_DELTA] == 0 and not bounded:
        thin = shrunk(g, rules[ALPHA])
        return np.float32(np.float32(thin * thin) / np.float32(h + rules[LAMBDA]))
    # As the library's 3.2 has it: in float32, and without the L1 term.
    weight = weight_of(g, h, rules, lower, upper)
    bent = np.float32(np.float32(h) + np.float32(rules[LAMBDA])) * np.float32(weight * weight)
    return -(np.float32(np.float32(2) * np.float32(g)) * weight + bent)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def finish(
    left,  # in   (nodes,) int32; -1 at leaves; children come after their parents
    right,  # in   (nodes,) int32
    features,  # in   (nodes,) int32
    sums,  # in   (nodes, 2) float64
    rules,  # in   (4,) float64
    directions,  # in   (d,) int8, or (0,) where nothing is constrained
    eta,  # in   float32
    values,  # sets (nodes,) float32  what leaves add
    weights,  # sets (nodes,) float32  as the library keeps them: times eta at leaves
    gains,  # sets (nodes,) float32
):
    """What stands in a tree's nodes, from their sums."""
    nodes = len(left)
    bounded = len(directions) > 0
    most = np.float32(np.finfo(np.float32).max)
    lower, upper = np.full(nodes, -most, np.float32), np.full(nodes, most, np.float32)
    weights[0] = weight_of(sums[0, 0], sums[0, 1], rules, -most, most)
    values[0] = weights[0] * eta
    for j in range(nodes):
        a, b, low, high = left[j], right[j], lower[j], upper[j]
        if a < 0:
            continue
        weights[j] = weight_of(sums[j, 0], sums[j, 1], rules, low, high)
        of_a = weight_of(sums[a, 0], sums[a, 1], rules, low, high)
        of_b = weight_of(sums[b, 0], sums[b, 1], rules, low, high)
        both = gain_of(sums[a, 0], sums[a, 1], rules, low, high, bounded) + gain_of(
            sums[b, 0], sums[b, 1], rules, low, high, bounded
        )
        gains[j] = both - gain_of(sums[j, 0], sums[j, 1], rules, low, high, bounded)
        if bounded:
            of_a, of_b = share_bounds(lower, upper, j, a, b, directions[features[j]], of_a, of_b)
        values[a] = weights[a] = of_a * eta
        values[b] = weights[b] = of_b * eta


@numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def share_bounds(
    lower,  # sets (nodes,) float32 those of the children
    upper,  # sets (nodes,) float32
    node,  # in   int64
    left,  # in   int32
    right,  # in   int32
    direction,  # in   int8  1: the weight must not fall from left to right; -1: it must not rise
    of_left,  # in   float64  weight of the left child
    of_right,  # in   float64
):
    """Bounds of the children's weights, so that no weight below them breaks the direction: the middle of theirs.

    Returns the children's weights. Where rounding has put them in the wrong order, both are the middle.
    """
    lower[left], lower[right] = lower[node], lower[node]
    upper[left], upper[right] = upper[node], upper[node]
    middle = np.float32((of_left + of_right) / np.float32(2))
    if direction > 0:
        upper[left], lower[right] = middle, middle
    elif direction < 0:
        lower[left], upper[right] = middle, middle
    if (direction > 0 and of_left > of_right) or (direction < 0 and of_left < of_right):
        return middle, middle
    return of_left, of_right
