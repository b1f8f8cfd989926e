"""One batch of pairs, forward and backward.

n rows of a batch   u runs   a lanes   d numbers of a vector   h hidden units   l further layers   t = 1024, 256 rows of
the tables for each octet

Rows are in the order of their entities; a run is the rows of one entity within one lane, a lane a fixed part of the
batch. The score of a pair is e · (W x + b) = (Wᵀ e) · x + e · b: the last layer is applied once a run and not once an
address, so that a pair, whether observed, random or shuffled, costs the sum of four rows of tables and a dot product.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from algoport.algorithms.ipinsights.kernels.layers import layers_back, layers_forward
from algoport.algorithms.ipinsights.kernels.vectors import backward, forward
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.sampling.negatives import half_bits, permuted, random_address
from algoport.algorithms.shared.threads import share

CHUNK = 32  # runs whose products are taken together
GROUP = 64  # pairs that go through further layers together
LOSS, RIGHT = 0, 1  # columns of `sums`


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gradients(
    team,
    lanes,  # in   (a + 1,) int64  the first run of each lane
    rows,  # in   (u,) int64  the entity's row of each run
    begins,  # in   (u + 1,) int64  the first row of the batch of each run
    own,  # in   (n,) uint32  addresses
    places,  # in   (n,) int64  the number of each row in the batch of all members
    others,  # in   (m,) uint32  addresses of the batch of all members
    rates,  # random and shuffled negatives of a row
    keys,  # of both, uint64
    entities,  # in   (v, d) float32
    tables,  # in   (t, h) float32
    inner,  # in   (l, h + 1, h) float32  further layers, the bias last
    turned,  # in   (l, h, h) float32  the same without bias, transposed
    outer,  # in   (h, d) float32  the last layer; without a row, there is none
    outer_turned,  # in   (d, h) float32
    bias,  # in   (d,) float32
    values,  # sets (u, d) float32  gradients of entities
    octets,  # sets (a, t, h) float32  scratch
    table_sums,  # sets (a, 33, h) float32  gradients of the first layer, the bias last
    inner_sums,  # sets (a, l, h + 1, h) float32
    outer_sums,  # sets (a, h, d) float32
    bias_sums,  # sets (a, d) float32
    sums,  # sets (a, 2) float64  cross entropies, and pairs that are told apart rightly
):
    """The gradients of the sum of the cross entropies of a batch's pairs, lane by lane."""
    network = (entities, tables, inner, turned, outer, outer_turned, bias)
    out = (values, octets, table_sums, inner_sums, outer_sums, bias_sums, sums)
    share(team, _lane, len(lanes) - 1, (lanes, rows, begins, own, places, others, rates, keys, network, out))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def dot(one, other):
    """The dot product of two vectors of float32."""
    total = np.float32(0)
    for j in range(len(one)):
        total += one[j] * other[j]
    return total


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _add_scaled(out, factor, row):
    for j in range(len(out)):
        out[j] += factor * row[j]


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def rows_of(address):
    """The rows of the tables for the four octets of an address."""
    a = np.int64(address)
    return a >> 24, 256 + ((a >> 16) & 255), 512 + ((a >> 8) & 255), 768 + (a & 255)


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _address(k, own, place, others, count, bits, rates, keys):
    """That of the k-th pair of a row: its own, those of its random negatives, those of its shuffled ones."""
    random = rates[0]
    if k == 0:
        return own
    if k <= random:
        return random_address(keys[0], np.uint64(place) * np.uint64(random) + np.uint64(k - 1))
    return others[np.int64(permuted(np.uint64(place), count, keys[1] + np.uint64(4 * k), bits))]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _lane(i, lanes, rows, begins, own, places, others, rates, keys, network, out):
    entities, tables, inner, turned, outer, outer_turned, bias = network
    values, octets, table_sums, inner_sums, outer_sums, bias_sums, sums = out
    d, h, bent = entities.shape[1], tables.shape[1], len(outer) > 0
    octets[i] = 0
    inner_sums[i] = 0
    outer_sums[i] = 0
    bias_sums[i] = 0
    sums[i] = 0
    e, z = np.zeros((CHUNK, d), np.float32), np.zeros((CHUNK, h), np.float32)
    u, weights = np.zeros((CHUNK, h), np.float32), np.zeros(CHUNK, np.float32)
    for first in range(lanes[i], lanes[i + 1], CHUNK):
        runs = min(CHUNK, lanes[i + 1] - first)
        for r in range(runs):
            e[r] = entities[rows[first + r]]
        if bent:
            z[:runs] = 0
            add_product_(runs, d, e, outer_turned, z)
        else:
            z[:runs, :d] = e[:runs]
        u[:runs] = 0
        pairs = (lanes, rows, begins, own, places, others, rates, keys)
        if len(inner):
            _deep_pairs(i, first, runs, pairs, tables, inner, turned, e, z, bias, u, weights, octets, inner_sums, sums)
        else:
            _pairs(i, first, runs, pairs, tables, bent, e, z, bias, u, weights, octets[i], sums[i])
        for r in range(runs):
            _add_scaled(bias_sums[i], weights[r], e[r])
            for j in range(d):
                values[first + r, j] = weights[r] * bias[j]
        if bent:
            add_product_(runs, h, u, outer, values[first : first + runs])
            add_product_(h, runs, u.T, e, outer_sums[i])
        else:
            values[first : first + runs] += u[:runs, :d]
    fold(octets[i], table_sums[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pairs(i, first, runs, pairs, tables, bent, e, z, bias, u, weights, octets, sums):
    """The pairs of some runs: adds to u, octets and sums, sets weights."""
    _, _, begins, own, places, others, rates, keys = pairs
    h, each, count = tables.shape[1], 1 + rates[0] + rates[1], np.uint64(len(others))
    bits, hidden = half_bits(count), np.empty(h, np.float32)
    for r in range(runs):
        shift, weight = dot(e[r], bias), np.float32(0)
        for p in range(begins[first + r], begins[first + r + 1]):
            odds = 1.0
            for k in range(each):
                one, two, three, four = rows_of(_address(k, own[p], places[p], others, count, bits, rates, keys))
                score = np.float64(shift + forward(tables, one, two, three, four, bent, z[r], hidden, h))
                g, factor, loss = _loss(score, k == 0)
                odds *= factor
                sums[LOSS] += loss
                sums[RIGHT] += (score > 0) == (k == 0)
                weight += g
                backward(g, z[r], hidden, bent, u[r], octets, one, two, three, four, h)
            sums[LOSS] += math.log(odds)
        weights[r] = weight


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _loss(score, real):
    """The derivative of a pair's cross entropy by its score, as float32; and the cross entropy in two parts, a factor
    from 1 to 2 whose logarithm counts, of which many are multiplied before one is taken, and a summand."""
    small = math.exp(-abs(score))
    share = (1.0 if score >= 0 else small) / (1.0 + small)
    if real:
        return np.float32(share - 1.0), 1.0 + small, max(-score, 0.0)
    return np.float32(share), 1.0 + small, max(score, 0.0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _deep_pairs(i, first, runs, pairs, tables, inner, turned, e, z, bias, u, weights, octets, inner_sums, sums):
    """`_pairs` where there are further layers: pairs go through them in groups."""
    _, _, begins, own, places, others, rates, keys = pairs
    h, each, count = tables.shape[1], 1 + rates[0] + rates[1], np.uint64(len(others))
    bits = half_bits(count)
    hidden = np.empty((len(inner) + 1, GROUP, h), np.float32)
    back = np.empty((GROUP, h), np.float32)
    who, address = np.empty(GROUP, np.int64), np.empty(GROUP, np.uint32)
    real = np.empty(GROUP, np.bool_)
    size, weights[:runs] = 0, 0
    for r in range(runs):
        for p in range(begins[first + r], begins[first + r + 1]):
            for k in range(each):
                address[size] = _address(k, own[p], places[p], others, count, bits, rates, keys)
                who[size], real[size] = r, k == 0
                size += 1
                last = r == runs - 1 and p == begins[first + r + 1] - 1 and k == each - 1
                if size == GROUP or last:
                    _group(size, who, address, real, tables, inner, turned, e, z, bias, u, weights, hidden, back,
                           octets[i], inner_sums[i], sums[i])  # fmt: skip
                    size = 0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _group(
    size, who, address, real, tables, inner, turned, e, z, bias, u, weights, hidden, back, octets, inner_sums, sums
):
    h, top = tables.shape[1], len(inner)
    for s in range(size):
        one, two, three, four = rows_of(address[s])
        forward(tables, one, two, three, four, True, z[who[s]], hidden[0, s], h)
    layers_forward(size, inner, hidden)
    for s in range(size):
        r = who[s]
        score = np.float64(dot(e[r], bias) + dot(z[r], hidden[top, s]))
        g, factor, loss = _loss(score, real[s])
        sums[LOSS] += loss + math.log(factor)
        sums[RIGHT] += (score > 0) == real[s]
        weights[r] += g
        _add_scaled(u[r], g, hidden[top, s])
        for j in range(h):
            back[s, j] = g * z[r, j]
    layers_back(size, turned, hidden, back, inner_sums)
    for s in range(size):
        one, two, three, four = rows_of(address[s])
        nothing = hidden[top, s]  # what is added to it is not read any more
        backward(np.float32(1), back[s], hidden[0, s], True, nothing, octets, one, two, three, four, h)


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def fold(
    octets,  # in   (t, h) float32  gradients of the tables' rows; changed
    out,  # sets (33, h) float32  gradients of the weights of the 32 bits, which are 1 or -1, and of the bias
):
    """From tables back to bits, half of a table onto the other at a time."""
    for octet in range(4):
        for bit in range(8):
            half, first, weight = 128 >> bit, octet * 256, out[octet * 8 + bit]
            weight[:] = 0
            for row in range(first, first + half):
                for j in range(len(weight)):
                    weight[j] += octets[row + half, j]
                    octets[row, j] += octets[row + half, j]
        for bit in range(8):  # a row in which the bit is not set counts negative; row 0 is the sum of all now
            weight, total = out[octet * 8 + bit], octets[octet * 256]
            for j in range(len(weight)):
                weight[j] = np.float32(2) * weight[j] - total[j]
    out[32] = octets[0]
