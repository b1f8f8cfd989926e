"""Vectors of addresses, and their dot products with those of entities.

n pairs   d numbers of a vector   h hidden units   l further layers   t = 1024, 256 rows of the tables for each octet
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.ipinsights.kernels.layers import copy_, layers_forward
from algoport.algorithms.ipinsights.kernels.pairs import dot, rows_of
from algoport.algorithms.ipinsights.kernels.vectors import forward
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.threads import share

GROUP = 64  # addresses encoded together; those that a last group lacks are taken for 0.0.0.0, so that an address has
# the same vector alone and among others


@numba.njit(nogil=True, cache=True, error_model="numpy")
def encode(
    team,
    addresses,  # in   (n,) uint32
    tables,  # in   (t, h) float32
    inner,  # in   (l, h + 1, h) float32
    outer,  # in   (h, d) float32  without a row: the sum of the tables is the vector
    bias,  # in   (d,) float32
    vectors,  # sets (n, d) float32
):
    """The vector of each address."""
    count = (len(addresses) + GROUP - 1) // GROUP
    share(team, _encode, count, (addresses, tables, inner, outer, bias, vectors))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def dots(
    rows,  # in   (n,) int64
    entities,  # in   (v, d) float32
    vectors,  # in   (n, d) float32
    out,  # sets (n,) float32
):
    """The dot product of each address's vector with its entity's."""
    for i in range(len(out)):
        out[i] = dot(entities[rows[i]], vectors[i])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _encode(i, addresses, tables, inner, outer, bias, vectors):
    h, d = tables.shape[1], vectors.shape[1]
    first = i * GROUP
    count = min(GROUP, len(addresses) - first)
    hidden = np.empty((len(inner) + 1, GROUP, h), np.float32)
    unused = np.zeros(h, np.float32)
    for s in range(GROUP):
        one, two, three, four = rows_of(addresses[first + s] if s < count else np.uint32(0))
        forward(tables, one, two, three, four, len(outer) > 0, unused, hidden[0, s], h)
    layers_forward(GROUP, inner, hidden)
    if len(outer):
        own = np.empty((GROUP, d), np.float32)
        for s in range(GROUP):
            copy_(bias, own[s])
        add_product_(GROUP, h, hidden[len(inner)], outer, own)
        for s in range(count):
            copy_(own[s], vectors[first + s])
    else:
        for s in range(count):
            copy_(hidden[0, s, :d], vectors[first + s])
