"""Many rows through one tree at once, as bits.    n rows   t trees   m splits   v columns

A value is replaced by the number of thresholds of its feature at or below it, a byte; 64 rows are then compared with a
threshold by one instruction, and all rows with all splits of a tree, as if no way through it excluded another. What
comes out is a bit a row and split. Level after level, the bits that belong to the way of a row are selected from the
others, and spell the number of its leaf.

With 28 features and trees of depth 6 this takes a sixth of the time of walking.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.xgboost.kernels import bits, walks

ROWS = bits.ROWS  # of a block
DEEPEST = 8  # levels; of deeper trees the first few are found so, and from there on rows walk
SHALLOW = 6  # levels of the trees whose values are looked up in registers, and of those few
TABLE = 256
CODES = 255  # thresholds that a column tells apart; a feature with more has several columns
MOST_COLUMNS = 4096  # beyond this the columns of a block are too large for the second cache
WORTH = 8  # trees; for fewer the values are not worth counting


def prepare(nodes, roots, depth) -> tuple[NDArray, ...]:
    """From packed nodes (m * 4,) and the depth of each tree; one with splits by category has none here.

    A feature has as many columns as it takes to tell its thresholds apart. Returns

    features     (v,) int32        of each column
    tables       (v * 256,) float32  its thresholds as a search meets them
    first_split  (t + 1,) int64
    splits       (m,) uint32       column * 512 + default_left * 256 + the least code that goes right
    places       (m,) int32        where the split stands in its tree: 1, below it 2 and 3, and so on
    first_value  (t,) int64
    values       float32           64 or 256 a tree, of the leaves as they would stand were all ways equally long;
                                   of a tree that is too deep the bits of the nodes from which rows walk
    """
    table = nodes.reshape(-1, 4)
    t = len(depth)
    fits = depth >= 0
    leaf = table[:, 2] == np.arange(len(table))
    place = np.zeros(len(table), np.int32)
    size = np.where(fits, np.where((depth > SHALLOW) & (depth <= DEEPEST), 1 << DEEPEST, 1 << SHALLOW), 0)
    first_value = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)[:t]
    values = np.zeros(int(size.sum()), np.float32)
    _place(nodes, roots, depth, size, first_value, place, values.view(np.int32))
    compared = (place > 0) & ~leaf & (place < np.repeat(size, np.diff(roots)))
    chosen = np.flatnonzero(compared)
    threshold = table[chosen, 0].view(np.float32) + np.float32(0)  # no negative zero
    feature = table[chosen, 1] >> 1
    order = np.lexsort((threshold, feature))
    ordered, cuts = feature[order], threshold[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]) | (cuts[1:] != cuts[:-1])
    named, first_edge = np.unique(ordered[new], return_index=True)
    own = np.searchsorted(named, ordered)
    rank = np.cumsum(new) - 1 - first_edge[own]
    columns = -(-np.diff(np.append(first_edge, new.sum())) // CODES)
    column = (np.cumsum(columns) - columns)[own] + rank // CODES
    tables = np.full((int(columns.sum()), TABLE), np.inf, np.float32)
    tables[column, _met()[rank % CODES]] = cuts
    code = column * 512 + (table[chosen, 1][order] & 1) * 256 + rank % CODES + 1
    splits = np.empty(len(order), np.uint32)
    splits[order] = code
    count = np.add.reduceat(np.append(compared, False), roots[:-1]) if t else np.zeros(0)
    return (
        np.repeat(named, columns).astype(np.int32),
        tables.reshape(-1),
        np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        splits,
        place[chosen],
        first_value,
        values,
    )


def _met() -> NDArray[np.int64]:
    """Where in a table each of 255 rising thresholds stands: the middle one at 1, those of the halves at 2 and 3."""
    places = np.empty(CODES, np.int64)
    for level in range(8):
        step = TABLE >> (level + 1)
        places[step - 1 :: 2 * step] = np.arange(1 << level, 2 << level)
    return places


@numba.njit(nogil=True, cache=True)
def _place(nodes, roots, depth, size, first_value, place, values):
    """Sets the place of each node, and the bits of the values."""
    for t in range(len(depth)):
        if depth[t] < 0:
            continue
        place[roots[t]] = 1
        for node in range(roots[t], roots[t + 1]):
            if place[node] == 0:
                continue
            child = nodes[node * 4 + 2]
            if child != node and place[node] < size[t]:
                place[child], place[child + 1] = 2 * place[node], 2 * place[node] + 1
                continue
            begin, end = place[node], place[node] + 1
            while begin < size[t]:
                begin, end = 2 * begin, 2 * end
            for i in range(begin, end):
                values[first_value[t] + i - size[t]] = node if depth[t] > DEEPEST else nodes[node * 4 + 3]


@numba.njit(parallel=True, nogil=True, cache=True)
def add(
    rows,  # in   (n * d,) float32
    d,  # in   int64  features
    nodes,  # in   (m * 4,) int32  this and the next five: the packed trees, for those that are too deep
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    roots,  # in   (t + 1,) int64
    depth,  # in   (t,) int32
    group,  # in   (t,) int32  to which output a tree adds
    sets,  # in   (?,) int32  of splits by category
    count,  # in   int64  how many of the trees
    features,  # in   (v,) int32  this and the next six: of `Planes`
    tables,  # in   (v * TABLE,) float32
    first_split,  # in   (t + 1,) int64
    splits,  # in   (s,) uint32
    places,  # in   (s,) int32
    first_value,  # in   (t,) int64
    values,  # in   (?,) float32
    sums,  # adds (n, k) float32
):
    """Adds what the first `count` trees say, in their order; a thread takes a block of rows through all of them."""
    n, k = sums.shape
    for b in numba.prange((n + ROWS - 1) // ROWS):
        begin, end = b * ROWS, min(n, (b + 1) * ROWS)
        codes = np.empty(len(features) * 2 * ROWS, np.uint8)
        encode(rows, d, begin, end, features, tables, codes)
        masks, levels = np.empty((1 << DEEPEST) * bits.WORDS, np.uint64), np.zeros(DEEPEST * bits.WORDS, np.uint64)
        total = np.empty(k * ROWS, np.float32)
        ends, index = np.empty(8, np.uint64), np.empty(ROWS, np.uint8)
        for g in range(k):
            for i in range(begin, end):
                total[g * ROWS + i - begin] = sums[i, g]
        for t in range(count):
            at = group[t] * ROWS
            if depth[t] < 0:
                _walk(rows, d, begin, end, nodes, floats, sets, np.uint64(roots[t]), total, at)
                continue
            for j in range(first_split[t], first_split[t + 1]):
                code = np.int64(splits[j])
                bits.compare(codes, (code >> 8) * ROWS, code & 255, masks, places[j] * bits.WORDS)
            height = depth[t] if depth[t] <= DEEPEST else SHALLOW
            for level in range(height):
                _select(masks, levels, level)
            if depth[t] <= SHALLOW:
                for level in range(depth[t], SHALLOW):
                    for w in range(bits.WORDS):
                        levels[level * bits.WORDS + w] = 0
                bits.look_up(levels, values, first_value[t], total, at)
            else:
                for level in range(height, DEEPEST):
                    for w in range(bits.WORDS):
                        levels[level * bits.WORDS + w] = 0
                bits.index(levels, index)
                if depth[t] > DEEPEST:
                    starts = values[first_value[t] : first_value[t] + (1 << SHALLOW)].view(np.int32)
                    _walk_on(rows, d, begin, end, nodes, floats, starts, index, depth[t] - SHALLOW, ends, total, at)
                    continue
                for i in range(ROWS):
                    total[at + i] += values[first_value[t] + index[i]]
        for g in range(k):
            for i in range(begin, end):
                sums[i, g] = total[g * ROWS + i - begin]


@numba.njit(nogil=True, cache=True, inline="always")
def _select(masks, levels, level):
    """Sets a level's bits to those of the splits that the rows come to, by the bits of the levels above."""
    first = (1 << level) * bits.WORDS
    for above in range(level - 1, -1, -1):
        for i in range(1 << above):
            at = first + 2 * i * bits.WORDS
            bits.choose(levels, above * bits.WORDS, masks, at, at + bits.WORDS, first + i * bits.WORDS)
    for w in range(bits.WORDS):
        levels[level * bits.WORDS + w] = masks[first + w]


@numba.njit(nogil=True, cache=True)
def _walk(
    rows,  # in   (n * d,) float32
    d,  # in   int64  features
    begin,  # in   int64  the first row
    end,  # in   int64  behind the last row
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    sets,  # in   (?,) int32  of splits by category
    root,  # in   uint64
    total,  # adds (k * ROWS,) float32
    at,  # in   int64  where in `total` the tree adds
):
    """Adds what one tree that splits by category says of the rows of a block, walking."""
    for i in range(begin, end):
        node = walks.leaf(rows, np.uint64(i * d), nodes, floats, sets, root, np.int32(-1))
        total[at + i - begin] += floats[node * np.uint64(4) + np.uint64(3)]


@numba.njit(nogil=True, cache=True)
def _walk_on(
    rows,  # in   (n * d,) float32
    d,  # in   int64  features
    begin,  # in   int64  the first row
    end,  # in   int64  behind the last row
    nodes,  # in   (m * 4,) int32
    floats,  # in   (m * 4,) float32  the bits of `nodes`
    starts,  # in   (1 << SHALLOW,) int32
    index,  # in   (ROWS,) uint8  where rows are after the first levels
    deep,  # in   int64  steps below
    ends,  # sets (8,) uint64  room
    total,  # adds (k * ROWS,) float32
    at,  # in   int64  where in `total` the tree adds
):
    """Adds what one tree says of the rows of a block, whose places `index` gives after the first levels."""
    for first in range(0, end - begin, 8):
        # The last eight rows of all, where fewer are left: those that come twice are added once.
        i = min(first, max(end - begin - 8, 0))
        if end - begin < 8:
            for j in range(end - begin):
                node = np.uint64(starts[index[j] >> (DEEPEST - SHALLOW)])
                node = walks.below(rows, np.uint64((begin + j) * d), nodes, floats, node, deep)
                total[at + j] += floats[node * np.uint64(4) + np.uint64(3)]
            return
        for j in range(8):
            ends[j] = np.uint64(starts[index[i + j] >> (DEEPEST - SHALLOW)])
        walks.eight(rows, d, begin + i, nodes, floats, deep, ends)
        for j in range(first - i, 8):
            total[at + i + j] += floats[ends[j] * np.uint64(4) + np.uint64(3)]


@numba.njit(nogil=True, cache=True)
def encode(rows, d, begin, end, features, tables, codes):
    """Sets the codes of a block: of each column once with a missing value above all, and once below all."""
    rest = np.zeros(64 * d, np.float32)
    for first in range(begin, end, 64):
        to, at, source = first - begin, first * d, rows
        if first + 64 > end:
            for i in range((end - first) * d):
                rest[i] = rows[first * d + i]
            at, source = 0, rest
        for v in range(len(features)):
            above = 2 * v * ROWS + to
            bits.encode(source, at + features[v], d, tables, v * TABLE, codes, above, above + ROWS)
