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

from algoport.algorithms.ipinsights.kernels.layers import clear_, copy_, layers_back, layers_forward
from algoport.algorithms.ipinsights.kernels.vectors import backward, forward
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.sampling.negatives import half_bits, permuted, random_address
from algoport.algorithms.shared.threads import share

CHUNK = 32  # runs whose products are taken together
ABREAST = 8  # pairs of a row that are forward at a time
GROUP = 64  # pairs that go through further layers together
LOSS, RIGHT = 0, 1  # columns of `sums`


@numba.njit(nogil=True, cache=True, error_model="numpy")
def gradients(
    team,  # as `threads.team` gives it
    lanes,  # in   (a + 1,) int64  the first run of each lane
    rows,  # in   (u,) int64  the entity's row of each run
    begins,  # in   (u + 1,) int64  the first row of the batch of each run
    own,  # in   (n,) uint32  addresses
    places,  # in   (n,) int64  the number of each row in the batch of all members
    others,  # in   (m,) uint32  addresses of the batch of all members
    rates,  # in   (2,) int64  random and shuffled negatives of a row
    keys,  # in   (2,) uint64  of both
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
    """The gradients of the sum of the cross entropies of a batch's pairs, lane by lane, where there are no further
    layers."""
    batch = rows, begins, own, places, others, rates, keys
    network = entities, tables, outer, outer_turned, bias
    out = values, octets, table_sums, outer_sums, bias_sums, sums
    share(team, _lane, len(lanes) - 1, (lanes, batch, network, out))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def deep_gradients(
    team,  # as `threads.team` gives it
    lanes,  # in   (a + 1,) int64  the first run of each lane
    rows,  # in   (u,) int64  the entity's row of each run
    begins,  # in   (u + 1,) int64  the first row of the batch of each run
    own,  # in   (n,) uint32  addresses
    places,  # in   (n,) int64  the number of each row in the batch of all members
    others,  # in   (m,) uint32  addresses of the batch of all members
    rates,  # in   (2,) int64  random and shuffled negatives of a row
    keys,  # in   (2,) uint64  of both
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
    """The same where there are further layers: a kernel of its own, as most jobs need not compile it."""
    batch = rows, begins, own, places, others, rates, keys
    network = entities, tables, outer, outer_turned, bias
    out = values, octets, table_sums, outer_sums, bias_sums, sums
    share(team, _deep_lane, len(lanes) - 1, (lanes, batch, network, out, (inner, turned, inner_sums)))


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
def _address(
    k,  # of the row's pairs
    own,  # the row's address
    place,  # the row's number
    others,  # in   (m,) uint32
    count,  # m, uint64
    bits,  # half_bits(m)
    rates,  # in   (2,) int64
    keys,  # in   (2,) uint64
):
    """That of the k-th pair of a row: its own, those of its random negatives, those of its shuffled ones."""
    random = rates[0]
    if k == 0:
        return own
    if k <= random:
        return random_address(keys[0], np.uint64(place) * np.uint64(random) + np.uint64(k - 1))
    return others[np.int64(permuted(np.uint64(place), count, keys[1] + np.uint64(4 * k), bits))]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _lane(i, lanes, batch, network, out):
    entities, tables, outer, _, bias = network
    values, octets, table_sums, outer_sums, bias_sums, sums = out
    d, h = entities.shape[1], tables.shape[1]
    _clear(octets[i], outer_sums[i], bias_sums[i], sums[i])
    chunk = _chunk(d, h)
    for first in range(lanes[i], lanes[i + 1], CHUNK):
        runs = min(CHUNK, lanes[i + 1] - first)
        _load(first, runs, batch[0], network, chunk)
        _pairs(first, runs, batch, (tables, bias, len(outer) > 0), chunk, (octets[i], sums[i]))
        _store(first, runs, network, chunk, values, outer_sums[i], bias_sums[i])
    fold(octets[i], table_sums[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _deep_lane(i, lanes, batch, network, out, layers):
    inner, turned, inner_sums = layers
    entities, tables, _, _, bias = network
    values, octets, table_sums, outer_sums, bias_sums, sums = out
    d, h = entities.shape[1], tables.shape[1]
    _clear(octets[i], outer_sums[i], bias_sums[i], sums[i])
    for layer in range(len(inner)):
        for row in range(h + 1):
            clear_(inner_sums[i, layer, row])
    chunk = _chunk(d, h)
    for first in range(lanes[i], lanes[i + 1], CHUNK):
        runs = min(CHUNK, lanes[i + 1] - first)
        _load(first, runs, batch[0], network, chunk)
        own = inner, turned, inner_sums[i]
        _deep_pairs(first, runs, batch, (tables, bias), own, chunk, (octets[i], sums[i]))
        _store(first, runs, network, chunk, values, outer_sums[i], bias_sums[i])
    fold(octets[i], table_sums[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _clear(octets, outer_sums, bias_sums, sums):
    for row in range(len(octets)):
        clear_(octets[row])
    for row in range(len(outer_sums)):
        clear_(outer_sums[row])
    clear_(bias_sums)
    clear_(sums)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _chunk(d, h):
    """Of some runs: entities e (CHUNK, d), and with the last layer z (CHUNK, h); what is summed over a run's pairs,
    derivatives times hidden units u (CHUNK, h), and derivatives (CHUNK,)."""
    e, z, u = np.zeros((CHUNK, d), np.float32), np.zeros((CHUNK, h), np.float32), np.zeros((CHUNK, h), np.float32)
    return e, z, u, np.zeros(CHUNK, np.float32)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _load(first, runs, rows, network, chunk):
    """Sets what a chunk has of its entities, and its sums to 0."""
    entities, _, outer, outer_turned, _ = network
    e, z, u, weights = chunk
    clear_(weights)
    for r in range(runs):
        copy_(entities[rows[first + r]], e[r])
        clear_(u[r])
        clear_(z[r])
        if len(outer) == 0:
            copy_(e[r], z[r])
    if len(outer):
        add_product_(runs, e.shape[1], e, outer_turned, z)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _store(first, runs, network, chunk, values, outer_sums, bias_sums):
    """From the sums of a chunk to the gradients of its entities and of the last layer."""
    _, _, outer, _, bias = network
    e, _, u, weights = chunk
    d, h = e.shape[1], u.shape[1]
    for r in range(runs):
        _add_scaled(bias_sums, weights[r], e[r])
        for j in range(d):
            values[first + r, j] = weights[r] * bias[j]
            if len(outer) == 0:
                values[first + r, j] += u[r, j]
    if len(outer):
        add_product_(runs, h, u, outer, values[first : first + runs])
        add_product_(h, runs, u.T, e, outer_sums)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _pairs(first, runs, batch, encoder, chunk, out):
    """The pairs of some runs, each forward and backward at once: adds to the chunk's sums, octets and sums. Some pairs
    of a row go forward before the first goes back, so that nobody waits for its exponential."""
    tables, bias, bent = encoder
    octets, sums = out
    _, begins, own, places, others, rates, keys = batch
    e, z, u, weights = chunk
    h, each, count = tables.shape[1], 1 + rates[0] + rates[1], np.uint64(len(others))
    bits, hidden = half_bits(count), np.empty((ABREAST, h), np.float32)
    address, scores = np.empty(ABREAST, np.uint32), np.empty(ABREAST)
    for r in range(runs):
        shift = dot(e[r], bias)
        for p in range(begins[first + r], begins[first + r + 1]):
            odds = 1.0
            for start in range(0, each, ABREAST):
                some = min(ABREAST, each - start)
                for s in range(some):
                    address[s] = _address(start + s, own[p], places[p], others, count, bits, rates, keys)
                for s in range(some):
                    one, two, three, four = rows_of(address[s])
                    scores[s] = shift + forward(tables, one, two, three, four, bent, z[r], hidden[s], h)
                for s in range(some):
                    real = start + s == 0
                    g, factor, loss = _loss(scores[s], real)
                    odds *= factor
                    sums[LOSS] += loss
                    sums[RIGHT] += (scores[s] > 0) == real
                    weights[r] += g
                    scores[s] = g
                for s in range(some):
                    one, two, three, four = rows_of(address[s])
                    backward(np.float32(scores[s]), z[r], hidden[s], bent, u[r], octets, one, two, three, four, h)
            sums[LOSS] += math.log(odds)


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
def _deep_pairs(first, runs, batch, encoder, layers, chunk, out):
    """`_pairs` where there are further layers: pairs go through them in groups."""
    _, begins, own, places, others, rates, keys = batch
    h, each, count = encoder[0].shape[1], 1 + rates[0] + rates[1], np.uint64(len(others))
    bits = half_bits(count)
    hidden = np.empty((len(layers[0]) + 1, GROUP, h), np.float32)
    back = np.empty((GROUP, h), np.float32)
    who, address, real = np.empty(GROUP, np.int64), np.empty(GROUP, np.uint32), np.empty(GROUP, np.bool_)
    size, left = 0, (begins[first + runs] - begins[first]) * each
    for r in range(runs):
        for p in range(begins[first + r], begins[first + r + 1]):
            for k in range(each):
                address[size] = _address(k, own[p], places[p], others, count, bits, rates, keys)
                who[size], real[size] = r, k == 0
                size, left = size + 1, left - 1
                if size == GROUP or left == 0:
                    group = size, who, address, real
                    _group(group, encoder, layers, chunk, hidden, back, out)
                    size = 0


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _group(group, encoder, layers, chunk, hidden, back, out):
    """A group of pairs, forward and backward."""
    tables, bias = encoder
    octets, sums = out
    size, who, address, real = group
    inner, turned, inner_sums = layers
    e, z, u, weights = chunk
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
            clear_(weight)
            for row in range(first, first + half):
                for j in range(len(weight)):
                    weight[j] += octets[row + half, j]
                    octets[row, j] += octets[row + half, j]
        for bit in range(8):  # a row in which the bit is not set counts negative; row 0 is the sum of all now
            weight, total = out[octet * 8 + bit], octets[octet * 256]
            for j in range(len(weight)):
                weight[j] = np.float32(2) * weight[j] - total[j]
    copy_(octets[0], out[32])
