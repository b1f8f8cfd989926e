"""The nodes of a tree while it grows: which are split next, their children, and where their histograms lie.

A level at a time. Whatever members of a job exchange lies between two of these functions: `choose`, then the rows are
shared out; `settle`, then histograms are summed; `search`. k nodes that are split together   d features
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.xgboost.kernels.splits import evaluate
from algoport.algorithms.xgboost.kernels.weights import share_bounds, weight_of

# What is known of a node, in whole numbers. Its rows are entries[begin:end]; -1 where only `leaf` knows them. OTHER is
# the histogram to take off its own before it is searched, or -1; the sums are those of all rows, and of the left side.
DEPTH, BEGIN, END, PARENT, SLOT, OTHER, FEATURE, BIN, DEFAULT, LEFT, G, H, LEFT_G, LEFT_H = range(14)
FIELDS = 14
# What is known of the tree: how many nodes, how many leaves, where those that wait begin and end, how many free slots.
NODES, LEAVES, FIRST, LAST, FREE = range(5)
BATCH = 256  # nodes of a level that are split together, as the library does; it matters where leaves are limited
LEAST_GAIN = np.float32(1e-6)  # below it a split is none (the library's kRtEps)
NO_PARENT = 2147483647
MOST = np.float32(np.finfo(np.float32).max)


@numba.njit(nogil=True, cache=True)
def plant(nodes, tree, bounds, rows, sums):
    """The root: `rows` entries whose sums are `sums` (2,)."""
    tree[NODES], tree[LEAVES], tree[FIRST], tree[LAST] = 1, 1, 0, 0
    _begin(nodes, 0, 0, NO_PARENT, sums[0], sums[1])
    nodes[0, BEGIN], nodes[0, END] = 0, rows
    bounds[0, 0], bounds[0, 1] = -MOST, MOST


@numba.njit(nogil=True, cache=True)
def _begin(nodes, node, depth, parent, g, h):
    """A new node."""
    own = nodes[node]
    own[DEPTH], own[BEGIN], own[END], own[PARENT] = depth, -1, -1, parent
    own[SLOT], own[OTHER], own[FEATURE], own[BIN], own[DEFAULT], own[LEFT] = -1, -1, 0, -2, 0, -1
    own[G], own[H], own[LEFT_G], own[LEFT_H] = g, h, 0, 0


@numba.njit(nogil=True, cache=True)
def choose(
    nodes,  # sets (n, FIELDS) int64
    gains,  # in   (n,) float32
    bounds,  # sets (n, 2) float32  between what the weight of each must lie
    tree,  # sets (5,) int64
    waiting,  # sets (n,) int64  nodes that may be split
    free,  # sets (slots,) int64  histograms that nobody needs
    missing,  # in   (d,) int64  the code of a missing value, or -1
    max_depth,  # in   int64  0: no limit
    max_leaves,  # in   int64  0: no limit
    gamma,  # in   float64
    by_gain,  # in   bool  the one of the greatest gain, and not those of the least depth
    units,  # in   (2,) float64  what 1 stands for in sums
    rules,  # in   (4,) float64; see `splits`
    directions,  # in   (d,) int8, or (0,)
    numbers,  # sets (BATCH,) int64  which nodes
    choice,  # sets (5, BATCH) int64; see `partition.split`
    lefts,  # sets (BATCH,) int64  the number of each left child; the right one's is the next
):
    """The nodes that are split next, and their children. Returns how many, and whether the children may be split."""
    k, depth = 0, np.int64(-1)
    if by_gain:
        _greatest_first(gains, waiting, tree[FIRST], tree[LAST])
    while tree[FIRST] < tree[LAST] and k < BATCH:
        node = waiting[tree[FIRST]]
        if depth >= 0 and (by_gain or nodes[node, DEPTH] != depth):
            break
        tree[FIRST] += 1
        depth = nodes[node, DEPTH]
        if _may_split(nodes[node], gains[node], tree[LEAVES], max_depth, max_leaves, gamma):
            tree[LEAVES] += 1
            numbers[k] = node
            k += 1
    may = not (0 < max_depth <= depth + 1) and not (0 < max_leaves <= tree[LEAVES])
    for j in range(k):
        node = numbers[j]
        _part(nodes, bounds, tree, node, units, rules, directions)
        own = nodes[node]
        choice[0, j], choice[1, j], choice[2, j], choice[3, j] = own[BEGIN], own[END], own[FEATURE], own[BIN]
        choice[4, j] = missing[own[FEATURE]] if own[DEFAULT] else -1
        lefts[j] = own[LEFT]
        if not may:
            free[tree[FREE]] = own[SLOT]
            tree[FREE] += 1
    return k, may


@numba.njit(nogil=True, cache=True)
def _greatest_first(gains, waiting, first, last):
    """Bring the node of the greatest gain, of several the one of the lowest number, to the front."""
    if first == last:
        return
    best = first
    for i in range(first + 1, last):
        a, b = gains[waiting[i]], gains[waiting[best]]
        if a > b or (a == b and waiting[i] < waiting[best]):
            best = i
    waiting[first], waiting[best] = waiting[best], waiting[first]


@numba.njit(nogil=True, cache=True)
def _may_split(own, gain, leaves, max_depth, max_leaves, gamma):
    return (
        gain > LEAST_GAIN
        and own[LEFT_H] != 0
        and own[LEFT_H] != own[H]
        and gain >= gamma
        and not (max_depth > 0 and own[DEPTH] == max_depth)
        and not (max_leaves > 0 and leaves == max_leaves)
    )


@numba.njit(nogil=True, cache=True)
def _part(nodes, bounds, tree, node, units, rules, directions):
    """Give a node its children."""
    own, left = nodes[node], tree[NODES]
    right = left + 1
    own[LEFT] = left
    tree[NODES] += 2
    right_g, right_h = own[G] - own[LEFT_G], own[H] - own[LEFT_H]
    _begin(nodes, left, own[DEPTH] + 1, node, own[LEFT_G], own[LEFT_H])
    _begin(nodes, right, own[DEPTH] + 1, node, right_g, right_h)
    bounds[left], bounds[right] = bounds[node], bounds[node]
    if len(directions) > 0:
        low, high = bounds[node, 0], bounds[node, 1]
        of_left = weight_of(own[LEFT_G] * units[0], own[LEFT_H] * units[1], rules, low, high)
        of_right = weight_of(right_g * units[0], right_h * units[1], rules, low, high)
        share_bounds(bounds[:, 0], bounds[:, 1], node, left, right, directions[own[FEATURE]], of_left, of_right)


@numba.njit(nogil=True, cache=True)
def settle(
    nodes,  # sets (n, FIELDS) int64
    tree,  # sets (5,) int64
    free,  # sets (slots,) int64
    numbers,  # in   (k,) int64  nodes whose rows were shared out
    lefts,  # in   (k,) int64  how many went left, at this member
    counts,  # in   (k, 2) int64  how many went left, and how many there were, over all members
    begins,  # sets (k,) int64  of each pair of children the one of fewer rows: where these begin,
    ends,  # sets (k,) int64  where they end,
    slots,  # sets (k,) int64  and the histogram that is to be filled
):
    """Give children their rows and their histograms: one will be summed, the other is what remains of the parent's."""
    for j in range(len(numbers)):
        own = nodes[numbers[j]]
        left, right = nodes[own[LEFT]], nodes[own[LEFT] + 1]
        left[BEGIN], right[END] = own[BEGIN], own[END]
        left[END] = right[BEGIN] = own[BEGIN] + lefts[j]
        right_is_small = counts[j, 1] - counts[j, 0] < counts[j, 0]
        small, large = (right, left) if right_is_small else (left, right)
        tree[FREE] -= 1
        small[SLOT] = free[tree[FREE]]
        large[SLOT], large[OTHER], own[SLOT] = own[SLOT], small[SLOT], -1
        begins[j], ends[j], slots[j] = small[BEGIN], small[END], small[SLOT]


@numba.njit(nogil=True, cache=True)
def search(
    team,  # in   (2,) int64  as `threads.team` gives it
    nodes,  # sets (n, FIELDS) int64
    gains,  # sets (n,) float32
    bounds,  # in   (n, 2) float32
    tree,  # sets (5,) int64
    waiting,  # sets (n,) int64
    free,  # sets (slots,) int64
    pool,  # sets (slots, 2, size) int64
    starts,  # in   (d,) int64 where each feature begins in a histogram
    bins,  # in   (d,) int64 how many bins each feature has
    allowed,  # in   (k, d) uint8, or (0, d) where every node may use every feature
    units,  # in   (2,) float64
    rules,  # in   (4,) float64
    directions,  # in   (d,) int8, or (0,)
    first,  # in   int64  the first of the nodes, which are the last of the tree
):
    """Find the best split of the new nodes, and let those wait that have one."""
    k = tree[NODES] - first
    features, cuts, defaults = np.empty(k, np.int64), np.empty(k, np.int64), np.empty(k, np.uint8)
    left, fresh = np.zeros((k, 2), np.int64), nodes[first : tree[NODES]]
    slots, others, sums = np.empty(k, np.int64), np.empty(k, np.int64), np.empty((k, 2), np.int64)
    for j in range(k):
        slots[j], others[j], sums[j, 0], sums[j, 1] = fresh[j, SLOT], fresh[j, OTHER], fresh[j, G], fresh[j, H]
    evaluate(
        team, pool, starts, slots, others, sums, bins, allowed, units[0], units[1], rules, bounds[first:], directions,
        gains[first:], features, cuts, defaults, left,
    )  # fmt: skip
    for j in range(k):
        own = fresh[j]
        own[FEATURE], own[BIN], own[DEFAULT], own[LEFT_G], own[LEFT_H] = (
            features[j], cuts[j], defaults[j], left[j, 0], left[j, 1],
        )  # fmt: skip
        if gains[first + j] > LEAST_GAIN:
            waiting[tree[LAST]] = first + j
            tree[LAST] += 1
        else:
            free[tree[FREE]] = own[SLOT]
            tree[FREE] += 1
