"""Losses and gradients of pairs of means, in one call: comparison and perceptron, forward and backward pass.

m pairs in q panels of WIDTH   e numbers of a vector   s parts of a comparison   k inputs and n outputs of a layer

A task has some inputs of a layer: it makes them of the layer before, and adds up their part of the outputs. Such parts
are summed in their order when the next layer takes them, so the bits are the same on any number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.object2vec.kernels.layers import (
    BIASES,
    INPUTS,
    OUTPUTS,
    PACKED,
    PARTS,
    TASKS,
    WEIGHTS,
    WIDTH,
    X,
    activate,
    backward,
    by_activation,
    forward,
    outer,
    put,
    span,
    summed,
)
from algoport.algorithms.object2vec.kernels.rows import adam_of_all_, sums_
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.threads import ALONE, WORTH, share

PRODUCT, LEFT, RIGHT, GAP = range(4)  # parts of a comparison


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gradient_(
    workers,  # in   threads
    weights,  # in   (p,) float32
    gradient,  # sets (p,) float32  of the sum over the pairs
    layout,  # in   (layers, 9) int64
    compared,  # in   (s,) int64  parts of the comparison
    activation,  # in   of all layers but the last
    classes,  # in   whether outputs are of classes; else there is one, with its squared error
    tables,  # in   two (v, e) float32  token vectors
    ids,  # in   two (t,) int32  tokens of the sequences
    offsets,  # in   two (m + 1,) int64
    labels,  # in   (m,) float32
    room,  # sets six arrays of float32, as `means.Passes` lays them out
    plans,  # in   two of (t,) int64, (t,) float32, (r + 1,) int64  as `sums_of_rows` has them; of the pairs' gradients
    values,  # sets two (r, e) float32  gradients of table rows
    behind,  # sets what `adam_of_all_` is given for the rows that these pairs use to catch up
    figures,  # sets (3,) float64  sum of the losses, how many classes are right, and how many pairs there are
):
    """Forward and backward pass, once the rows of the tables are where they are by now."""
    records, rows, none, done, sums, numbers = behind
    if len(rows[0]) + len(rows[1]):
        nothing = gradient[:0]
        adam_of_all_(workers, nothing, nothing, nothing, nothing, records, rows, none, done, sums, numbers)
    m, layers = len(labels), len(layout)
    means, x, parts, slopes, packed = room[:5]
    by_pairs = room[5]
    q = (m + WIDTH - 1) // WIDTH
    figures[:] = 0
    if m == 0:
        gradient[:] = 0
        return
    first = (layout, compared, tables[0], ids[0], offsets[0], tables[1], ids[1], offsets[1])
    share(workers, _first, layout[0, TASKS], (q, weights, *first, means, x, parts))
    for layer in range(1, layers):
        share(workers, _layer, layout[layer, TASKS], (layer, q, weights, layout, activation, x, parts))
    _outputs(m, q, weights, gradient, layout[layers - 1], classes, labels, parts, slopes, packed, figures)
    for layer in range(layers - 1, 0, -1):
        given = (layer, m, weights, gradient, layout, activation, x, slopes, packed)
        share(workers, _layer_backward, layout[layer, TASKS], given)
    last = (m, weights, gradient, layout, compared, means, x, slopes, packed, by_pairs)
    share(workers, _first_backward, layout[0, TASKS], last)
    for side in range(2):
        places, scales, begins = plans[side]
        if len(begins) > 1:
            own = workers if len(places) * values[side].shape[1] >= WORTH else ALONE
            sums_(own, by_pairs, places, scales, begins, values[side])


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _mean(table, ids, offsets, q, first, last, out):
    """Sets some numbers of the means of all sequences, pairs in lanes."""
    m = len(offsets) - 1
    own = np.empty(last - first, np.float32)
    for p in range(q):
        for lane in range(WIDTH):
            i = p * WIDTH + lane
            if i >= m:
                for d in range(first, last):
                    out[p, d, lane] = 0
                continue
            begin, end = offsets[i], offsets[i + 1]
            row = table[ids[begin], first:last]
            if end == begin + 1:
                for d in range(len(own)):
                    out[p, first + d, lane] = row[d]
                continue
            for d in range(len(own)):
                own[d] = row[d]
            for place in range(begin + 1, end):
                row = table[ids[place], first:last]
                for d in range(len(own)):
                    own[d] += row[d]
            factor = np.float32(1) / np.float32(end - begin)
            for d in range(len(own)):
                out[p, first + d, lane] = own[d] * factor


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _first(
    task,  # whose numbers these are
    q,  # panels of pairs
    weights,  # in   (p,) float32
    layout,  # in   (layers, 9) int64
    compared,  # in   (s,) int64
    left,  # in   (v, e) float32
    left_ids,  # in   (t,) int32
    left_offsets,  # in   (m + 1,) int64
    right,  # in   (v, e) float32
    right_ids,  # in   (t,) int32
    right_offsets,  # in   (m + 1,) int64
    means,  # sets (2, q, e, WIDTH) float32
    x,  # sets (all,) float32
    parts,  # sets (all,) float32
):
    """Some numbers of both vectors of all pairs: their comparison, and its part of the first layer."""
    e, own, rows = left.shape[1], layout[0], len(compared)
    first, last = span(task, own[TASKS], e)
    _mean(left, left_ids, left_offsets, q, first, last, means[0])
    _mean(right, right_ids, right_offsets, q, first, last, means[1])
    for p in range(q):
        u, v = means[0, p, first:last].reshape(-1), means[1, p, first:last].reshape(-1)
        for part in range(rows):
            begin = own[X] + (p * own[INPUTS] + part * e + first) * WIDTH
            _compare(compared[part], u, v, x[begin : begin + len(u)])
    for part in range(rows):
        forward(task, q, weights, own, x, part * e + first, last - first, parts, 1 if part == 0 else 0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _compare(kind, u, v, out):
    """Sets a part of a comparison of some numbers."""
    if kind == PRODUCT:
        for i in range(len(out)):
            out[i] = u[i] * v[i]
    elif kind == LEFT:
        for i in range(len(out)):
            out[i] = u[i]
    elif kind == RIGHT:
        for i in range(len(out)):
            out[i] = v[i]
    else:
        for i in range(len(out)):
            out[i] = abs(u[i] - v[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _layer(
    task,  # whose inputs these are
    layer,  # behind the first
    q,  # panels of pairs
    weights,  # in   (p,) float32
    layout,  # in   (layers, 9) int64
    activation,  # of the layer before
    x,  # sets (all,) float32
    parts,  # sets (all,) float32
):
    """Some inputs of a layer behind the first, and their part of its outputs."""
    k, before = layout[layer, INPUTS], layout[layer - 1]
    first, last = span(task, layout[layer, TASKS], k)
    biases = weights[before[BIASES] : before[BIASES] + k]
    for p in range(q):
        begin = layout[layer, X] + (p * k + first) * WIDTH
        own = x[begin : begin + (last - first) * WIDTH]
        summed(first, last, p, q, biases, before[PARTS], before[TASKS], parts, own)
        activate(activation, own)
    forward(task, q, weights, layout[layer], x, first, last - first, parts, 1)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _outputs(
    m,  # pairs
    q,  # panels of them
    weights,  # in   (p,) float32
    gradient,  # sets (p,) float32
    own,  # in   (9,) int64  the last layer's row of the layout
    classes,  # whether outputs are of classes
    labels,  # in   (m,) float32
    parts,  # in   (all,) float32
    slopes,  # sets (all,) float32
    packed,  # sets (all,) float32
    figures,  # sets (3,) float64
):
    """Losses from the parts of the last layer, whose row of the layout is `own`; their gradients by its outputs."""
    n = own[OUTPUTS]
    z = np.empty((n, WIDTH), np.float32)
    biases = weights[own[BIASES] : own[BIASES] + n]
    by_biases = gradient[own[BIASES] : own[BIASES] + n]
    by_biases[:] = 0
    figures[2] = m
    for p in range(q):
        summed(0, n, p, q, biases, own[PARTS], own[TASKS], parts, z.reshape(-1))
        for lane in range(WIDTH):
            i = p * WIDTH + lane
            if i >= m:
                z[:, lane] = 0
            elif classes:
                figures[0] += _classes(z[:, lane], np.int64(labels[i]), figures)
            else:
                gap = z[0, lane] - labels[i]
                figures[0] += np.float64(gap) * np.float64(gap)
                z[0, lane] = np.float32(2) * gap
            for j in range(n):
                by_biases[j] += z[j, lane]
        for j in range(n):
            put(z[j], p, q, j, n, own, slopes, packed)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _classes(z, label, figures):
    """The cross entropy of a pair; its outputs become its gradient by them."""
    most = np.float64(z[0])
    for j in range(1, len(z)):
        most = max(most, np.float64(z[j]))
    total, own = 0.0, np.float64(z[label]) - most
    for j in range(len(z)):
        total += np.exp(np.float64(z[j]) - most)
    figures[1] += own == 0
    for j in range(len(z)):
        z[j] = np.float32(np.exp(np.float64(z[j]) - most) / total - (1.0 if j == label else 0.0))
    return np.log(total) - own


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _layer_backward(
    task,  # whose rows these are
    layer,  # behind the first
    m,  # pairs
    weights,  # in   (p,) float32
    gradient,  # sets (p,) float32
    layout,  # in   (layers, 9) int64
    activation,  # of the layer before
    x,  # in   (all,) float32
    slopes,  # sets (all,) float32
    packed,  # sets (all,) float32
):
    """The gradients of some rows of a layer's weights, and by the outputs of the layer before that these are for."""
    k, n, own, before = layout[layer, INPUTS], layout[layer, OUTPUTS], layout[layer], layout[layer - 1]
    first, last = span(task, own[TASKS], k)
    q, rows, at = (m + WIDTH - 1) // WIDTH, last - first, own[WEIGHTS] + first * n
    by_biases, out = gradient[before[BIASES] : before[BIASES] + k], np.empty((q, rows * WIDTH), np.float32)
    by_biases[first:last] = 0
    backward(q, weights, own, slopes, first, rows, out)
    for p in range(q):
        place = own[X] + (p * k + first) * WIDTH
        by_activation(activation, x[place : place + rows * WIDTH], out[p])
        for r in range(rows):
            values = out[p, r * WIDTH : (r + 1) * WIDTH]
            for i in range(min(WIDTH, m - p * WIDTH)):
                by_biases[first + r] += values[i]
            put(values, p, q, first + r, k, before, slopes, packed)
    outer(m, x, own[X] + first * WIDTH, k, rows, packed, own[PACKED], n, gradient, at)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _first_backward(
    task,  # whose rows these are
    m,  # pairs
    weights,  # in   (p,) float32
    gradient,  # sets (p,) float32
    layout,  # in   (layers, 9) int64
    compared,  # in   (s,) int64
    means,  # in   (2, q, e, WIDTH) float32
    x,  # in   (all,) float32
    slopes,  # in   (all,) float32
    packed,  # in   (all,) float32
    by_pairs,  # sets (2m, e) float32  those of the first encoder, and then those of the second
):
    """The gradients of some rows of the first layer's weights, and of these numbers of both vectors of each pair."""
    e, k, n = means.shape[2], layout[0, INPUTS], layout[0, OUTPUTS]
    first, last = span(task, layout[0, TASKS], e)
    q, rows, at = (m + WIDTH - 1) // WIDTH, last - first, layout[0, WEIGHTS] + first * n
    out, sides = np.empty((q, rows * WIDTH), np.float32), np.zeros((2, q, rows * WIDTH), np.float32)
    for part in range(len(compared)):
        backward(q, weights, layout[0], slopes, part * e + first, rows, out)
        for p in range(q):
            u, v = means[0, p, first:last].reshape(-1), means[1, p, first:last].reshape(-1)
            _compare_backward(compared[part], u, v, out[p], sides[0, p], sides[1, p])
    for side in range(2):
        for i in range(m):
            to, given = by_pairs[side * m + i, first:last], sides[side, i // WIDTH, i % WIDTH :]
            for r in range(rows):
                to[r] = given[r * WIDTH]
    for part in range(len(compared)):
        begin = layout[0, X] + (part * e + first) * WIDTH
        outer(m, x, begin, k, rows, packed, layout[0, PACKED], n, gradient, at + part * e * n)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _compare_backward(kind, u, v, given, by_u, by_v):
    """Adds the gradients of both vectors by a part of their comparison."""
    if kind == PRODUCT:
        for i in range(len(u)):
            by_u[i] += given[i] * v[i]
            by_v[i] += given[i] * u[i]
    elif kind == LEFT:
        for i in range(len(u)):
            by_u[i] += given[i]
    elif kind == RIGHT:
        for i in range(len(u)):
            by_v[i] += given[i]
    else:
        for i in range(len(u)):
            gap = u[i] - v[i]
            slope = given[i] * (np.float32(gap > 0) - np.float32(gap < 0))
            by_u[i] += slope
            by_v[i] -= slope
