"""What each feature adds to an answer.    n rows   d features   t trees   m nodes   k outputs   e elements of a way

Shapley values of trees (Lundberg et al., Consistent Individualized Feature Attribution for Tree Ensembles, 2018,
Algorithm 2: a feature that is not known is averaged over by the covers of the nodes), and the approximation of
Saabas (Interpreting random forests, 2014). No split may be by category.

Not computed down the tree as there, but leaf by leaf: the way to a leaf is a list of features, each with the interval
that it must lie in and with the share z of rows that would pass if it were not known. Those that a row passes are the
roots of a polynomial, the product of (y + z), whose coefficients weighted by Shapley's factor are all that is needed;
those that it does not pass all have the same part in it.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

BLOCK = 64  # rows a thread takes at a time
ROOM = 1 << 23  # float64 numbers of contributions that are summed at a time


def shapley(features, trees, base, count: int, shape) -> NDArray[np.float32]:
    """(n, k, d + 1): what each feature adds to each margin, last the mean answer; a row's sum is its margin."""
    means = _means(trees)

    def add(rows, sums):
        for t in range(count):
            first, last = int(trees.roots[t]), int(trees.roots[t + 1])
            deep = int(trees.depth[t])
            ways = _ways(trees.nodes, trees.floats, trees.cover, first, last, deep)
            _add_shapley(rows, *ways, np.int64(trees.group[t]), _factors(deep), sums)
            sums[:, trees.group[t], -1] += means[first]

    return _in_parts(features, base, shape, add)


def approximate(features, trees, base, count: int, shape) -> NDArray[np.float32]:
    """(n, k, d + 1): by how much the splits of each feature change the mean of the rows that come to a node."""
    means = _means(trees)

    def add(rows, sums):
        _add_steps(rows, trees.nodes, trees.floats, trees.roots, trees.group, means, count, sums)

    return _in_parts(features, base, shape, add)


def _in_parts(features, base, shape, add) -> NDArray[np.float32]:
    """What `add` adds to a float64 (n, k, d + 1), some rows at a time; sparse rows miss what they do not mention."""
    n, (k, width) = features.shape[0], shape
    output = np.empty((n, k, width), np.float32)
    step = max(1, ROOM // (k * width))
    for start in range(0, n, step):
        rows = _dense(features[start : start + step], width - 1)
        sums = np.zeros((len(rows), k, width))
        sums[:, :, -1] = base
        add(rows, sums)
        output[start : start + step] = sums
    return output


def _dense(features, d: int) -> NDArray[np.float32]:
    rows = np.full((features.shape[0], d), np.nan, np.float32)
    some = min(d, features.shape[1])
    if hasattr(features, "indptr"):
        entries = features.tocoo()
        here = entries.col < some
        rows[entries.row[here], entries.col[here]] = entries.data[here]
    else:
        rows[:, :some] = features[:, :some]
    return rows


def _factors(deep: int) -> NDArray[np.float64]:
    """[e, s]: s! (e - 1 - s)! / e!, Shapley's factor for s of the other e - 1 features."""
    factors = np.zeros((deep + 2, deep + 2))
    for e in range(1, deep + 2):
        factors[e, 0] = 1 / e
        for s in range(1, e):
            factors[e, s] = factors[e, s - 1] * s / (e - s)
    return factors


def _means(trees) -> NDArray[np.float64]:
    """(m,) the mean value of the leaves below each node, by cover."""
    means = np.zeros(len(trees.cover))
    _set_means(trees.nodes, trees.floats, trees.cover, means)
    return means


@numba.njit(nogil=True, cache=True)
def _set_means(nodes, floats, cover, means):
    for node in range(len(means) - 1, -1, -1):  # children come after their parent
        child = nodes[node * 4 + 2]
        if child == node:
            means[node] = floats[node * 4 + 3]
        else:
            share = _share(cover, node, child)
            means[node] = share * means[child] + (1 - share) * means[child + 1]


@numba.njit(nogil=True, cache=True)
def _share(cover, node, child):
    """The share of a node's rows that go to its left child; half of none."""
    left, right = np.float64(cover[child]), np.float64(cover[child + 1])
    return left / (left + right) if left + right > 0 else 0.5


@numba.njit(nogil=True, cache=True)
def _ways(nodes, floats, cover, first, last, deep):
    """The ways to the leaves of one tree, one after another.

    Returns where each begins, the values of the leaves, and of each element its feature, from where to before where
    its value passes, whether it passes when missing, and its share z.
    """
    leaves = (last - first + 1) // 2
    begins, values = np.zeros(leaves + 1, np.int64), np.zeros(leaves)
    feature = np.empty(leaves * max(deep, 1), np.int32)
    low, high = np.empty(len(feature), np.float32), np.empty(len(feature), np.float32)
    absent, share = np.empty(len(feature), np.uint8), np.empty(len(feature))
    above = np.full(last - first, -1, np.int64)
    made, at = 0, 0
    for node in range(first, last):
        child = np.int64(nodes[node * 4 + 2])
        if child != node:
            above[child - first] = above[child + 1 - first] = node
            continue
        if node > first and above[node - first] < 0:
            continue  # no root leads to it
        values[made], begins[made] = floats[node * 4 + 3], at
        begin, step = at, np.int64(node)
        while step != first:
            parent = above[step - first]
            left = nodes[parent * 4 + 2] == step
            about, cut = nodes[parent * 4 + 1], floats[parent * 4]
            part = _share(cover, parent, nodes[parent * 4 + 2])
            e = begin
            while e < at and feature[e] != about >> 1:
                e += 1
            if e == at:
                feature[e], low[e], high[e], absent[e], share[e] = about >> 1, -np.inf, np.inf, 1, 1.0
                at += 1
            if left:
                high[e] = min(high[e], cut)
                absent[e] &= np.uint8(about & 1)
            else:
                low[e] = max(low[e], cut)
                absent[e] &= np.uint8(1 - (about & 1))
            share[e] *= part if left else 1 - part
            step = parent
        made += 1
        begins[made] = at
    return begins[: made + 1], values[:made], feature, low, high, absent, share


@numba.njit(parallel=True, nogil=True, cache=True)
def _add_shapley(
    rows,  # in   (n, d) float32
    begins,  # in   (ways + 1,) int64
    values,  # in   (ways,) float64  of the leaves
    feature,  # in   (e,) int32  this and the next four: the steps of each way
    low,  # in   (e,) float32
    high,  # in   (e,) float32
    absent,  # in   (e,) uint8  whether a missing value goes this way
    share,  # in   (e,) float64  of the rows that go this way
    group,  # in   int64  to which output the tree adds
    factors,  # in   (s + 1, s) float64
    sums,  # adds (n, k, d + 1) float64
):
    """Adds to sums (n, k, d + 1) what one tree says, its bias aside."""
    n = len(rows)
    for b in numba.prange((n + BLOCK - 1) // BLOCK):
        poly, less = np.empty(len(factors) + 1), np.empty(len(factors) + 1)
        passes = np.empty(len(factors) + 1, np.uint8)
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            for way in range(len(values)):
                begin, size = begins[way], begins[way + 1] - begins[way]
                poly[0], degree, rest = 1.0, 0, values[way]
                for e in range(size):
                    value, z = rows[i, feature[begin + e]], share[begin + e]
                    inside = (low[begin + e] <= value) & (value < high[begin + e])
                    # Nothing is below an end that is infinite, and so infinity itself is.
                    inside |= (value == np.inf) & (high[begin + e] == np.inf)
                    passes[e] = inside | ((value != value) & (absent[begin + e] == 1))
                    if not passes[e]:
                        rest *= z
                        continue
                    poly[degree + 1] = 1.0
                    for s in range(degree, 0, -1):
                        poly[s] = poly[s - 1] + z * poly[s]
                    poly[0] *= z
                    degree += 1
                if rest == 0:
                    continue
                outside = 0.0
                for s in range(degree + 1):
                    outside += factors[size, s] * poly[s]
                for e in range(size):
                    if not passes[e]:
                        sums[i, group, feature[begin + e]] -= rest * outside
                        continue
                    z, total = share[begin + e], 0.0
                    less[degree] = 0.0
                    for s in range(degree, 0, -1):  # the polynomial divided by (y + z)
                        less[s - 1] = poly[s] - z * less[s]
                        total += factors[size, s - 1] * less[s - 1]
                    sums[i, group, feature[begin + e]] += rest * (1 - z) * total


@numba.njit(parallel=True, nogil=True, cache=True)
def _add_steps(
    rows,  # in   (n, d) float32
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    roots,  # in   (t + 1,) int64
    group,  # in   (t,) int32  to which output a tree adds
    means,  # in   (m,) float64  of the answers below each node
    count,  # in   int64  how many of the trees
    sums,  # adds (n, k, d + 1) float64
):
    """Adds to sums (n, k, d + 1) by how much each step of the first `count` trees changes the mean."""
    n, d = rows.shape
    for b in numba.prange((n + BLOCK - 1) // BLOCK):
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            for t in range(count):
                node, g = np.int64(roots[t]), group[t]
                sums[i, g, d] += means[node]
                while nodes[node * 4 + 2] != node:
                    about, cut = nodes[node * 4 + 1], floats[node * 4]
                    value = rows[i, about >> 1]
                    right = value >= cut or (value != value and about & 1 == 0)
                    child = np.int64(nodes[node * 4 + 2]) + right
                    sums[i, g, about >> 1] += means[child] - means[node]
                    node = child
