"""The encoder of addresses: tables of octets, and layers behind the first.

h hidden units   l further layers   s addresses of a group   t = 1024, 256 rows of the tables for each octet
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.neural.kernels.products import add_product_


@numba.njit(nogil=True, cache=True, error_model="numpy")
def copy_(row, out):
    """Sets out to row, both vectors. Numba's own assignment of one takes two seconds to compile, for it checks shapes
    and words a fault."""
    for j in range(len(row)):
        out[j] = row[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def clear_(out):
    """Sets a vector to 0."""
    for j in range(len(out)):
        out[j] = 0


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def build(
    weights,  # in   (33, h) float32  of the 32 bits, the first the highest, and of the bias
    tables,  # sets (t, h) float32
):
    """What each value of an octet adds to a hidden unit: the sum of eight weights, where a bit that is not set counts
    -1. Four rows make what is a product with 32 bits else."""
    for octet in range(4):
        first = octet * 256
        for j in range(weights.shape[1]):
            tables[first, j] = weights[32, j] if octet == 0 else np.float32(0)
            for bit in range(8):
                tables[first, j] -= weights[octet * 8 + bit, j]
        for bit in range(7, -1, -1):
            half, weight = 128 >> bit, weights[octet * 8 + bit]
            for value in range(half):
                for j in range(len(weight)):
                    tables[first + half + value, j] = tables[first + value, j] + np.float32(2) * weight[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def layers_forward(
    size,  # s
    inner,  # in   (l, h + 1, h) float32  the bias last
    hidden,  # sets (l + 1, >= s, h) float32  from its first entry on, which is given
):
    """Each further layer adds to what comes in: x + max(0, W x + b)."""
    for layer in range(len(inner)):
        h = hidden.shape[2]
        x, out = hidden[layer], hidden[layer + 1]
        for s in range(size):
            copy_(inner[layer, h], out[s])
        add_product_(size, h, x, inner[layer], out)
        for s in range(size):
            for j in range(h):
                out[s, j] = x[s, j] + max(out[s, j], np.float32(0))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def layers_back(
    size,  # s
    turned,  # in   (l, h, h) float32  weights, transposed
    hidden,  # in   (l + 1, >= s, h) float32
    back,  # in, sets (>= s, h) float32  gradients of what comes out of the last, then of what goes into the first
    sums,  # adds (l, h + 1, h) float32  gradients of weights and biases
):
    """The backward pass of `layers_forward`."""
    h = hidden.shape[2]
    live = np.empty((size, h), np.float32)
    for layer in range(len(turned) - 1, -1, -1):
        x, out = hidden[layer], hidden[layer + 1]
        for s in range(size):
            for j in range(h):
                live[s, j] = back[s, j] if out[s, j] > x[s, j] else np.float32(0)
                sums[layer, h, j] += live[s, j]
        add_product_(h, size, x.T, live, sums[layer])
        add_product_(size, h, live, turned[layer], back)
