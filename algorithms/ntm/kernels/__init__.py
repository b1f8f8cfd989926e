"""Inner loops of the encoder; those of the decoder are `shared.neural.vocabulary_loss`.

n documents   z their entries (words with counts)   v words   d inputs   g outputs of a layer   k topics
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.fastmath import FAST
from algoport.algorithms.shared.linalg.sparse_products import by_column
from algoport.algorithms.shared.neural.kernels.products import add_product_
from algoport.algorithms.shared.randomness import GAMMA, draw, inner_share, mix
from algoport.algorithms.shared.threads import share, team

ROWS = 16  # rows of a block
COLUMNS = 64  # words of a block

Array = NDArray[np.float32]
_INT, _LONG, _BITS = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint64)


def sparse_product(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    weights,  # in   (v, g) float32
) -> Array:
    """Documents times weights (n, g): 2 z g flops."""
    out = np.empty((len(indptr) - 1, weights.shape[1]), np.float32)
    workers = team(len(indices) * weights.shape[1])
    _sparse_product(workers, const(indptr, _LONG), const(indices, _INT), const(values), const(weights), out)
    return out


def sparse_outer_(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    slopes,  # in   (n, g) float32
    out,  # sets (v, g) float32  the rows of words that a document has; others stay as they are
) -> None:
    """Transposed documents times slopes: each row of the result has one writer, who adds in the order of documents."""
    v = len(out)
    starts, rows, places = np.empty(v + 1, np.int64), np.empty(len(indices), np.int32), np.empty(len(indices), np.int64)
    given = const(indptr, _LONG), const(indices, _INT), const(values), const(slopes)
    _sparse_outer(team(out.size), *given, starts, rows, places, out)


def affine(
    x,  # in   (n, d) float32
    weights,  # in   (d, g) float32
    bias=None,  # in   (g,) float32, or None
) -> Array:
    """x @ weights + bias (n, g)."""
    n, g = len(x), weights.shape[1]
    out = np.zeros((n, g), np.float32) if bias is None else np.tile(np.asarray(bias, np.float32), (n, 1))
    _affine(team(n * weights.size), const(x), const(weights), out)
    return out


def latent(
    mean,  # in   (n, k) float32
    spread,  # in   (n, k) float32  logarithm of the variance
    keys,  # in   (n,) uint64  from which a document's draws come
) -> tuple[Array, Array, NDArray[np.float64]]:
    """Topic weights (n, k) of a draw, the normal numbers behind it (n, k), and the divergence of each document from the
    prior (n,)."""
    weights, noise, divergence = np.empty_like(mean), np.empty_like(mean), np.empty(len(mean))
    given = const(mean), const(spread), const(keys, _BITS)
    _latent(team(mean.size * 64), *given, weights, noise, divergence)
    return weights, noise, divergence


def hashes(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
) -> NDArray[np.uint64]:
    """A number (n,) of what a document holds, and of nothing beside."""
    out = np.empty(len(indptr) - 1, np.uint64)
    _hashes(const(indptr, _LONG), const(indices, _INT), const(const(values).view(np.uint32), np.dtype(np.uint32)), out)
    return out


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sparse_product(team, indptr, indices, values, weights, out):
    share(team, _product_of_rows, (len(out) + ROWS - 1) // ROWS, (indptr, indices, values, weights, out))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _product_of_rows(block, indptr, indices, values, weights, out):
    g = out.shape[1]
    for d in range(block * ROWS, min((block + 1) * ROWS, out.shape[0])):
        line = out[d]
        for j in range(g):
            line[j] = 0
        for e in range(indptr[d], indptr[d + 1]):
            count, row = values[e], weights[indices[e]]
            for j in range(g):
                line[j] += count * row[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _sparse_outer(
    team,  # in   threads
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    slopes,  # in   (n, g) float32
    starts,  # sets (v + 1,) int64  where each word's entries begin
    rows,  # sets (z,) int32  the document of each, word by word
    places,  # sets (z,) int64  and where it stands among those by document
    out,  # sets (v, g) float32
):
    by_column(indptr, indices, starts, rows, places)
    share(team, _outer_of_words, (len(out) + COLUMNS - 1) // COLUMNS, (starts, rows, places, values, slopes, out))


@numba.njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _outer_of_words(block, starts, rows, places, values, slopes, out):
    g = out.shape[1]
    for w in range(block * COLUMNS, min((block + 1) * COLUMNS, out.shape[0])):
        if starts[w] == starts[w + 1]:
            continue
        line = out[w]
        for j in range(g):
            line[j] = 0
        for e in range(starts[w], starts[w + 1]):
            count, row = values[places[e]], slopes[rows[e]]
            for j in range(g):
                line[j] += count * row[j]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _affine(team, x, weights, out):
    share(team, _affine_of_rows, (len(x) + ROWS - 1) // ROWS, (x, weights, out))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _affine_of_rows(block, x, weights, out):
    first, last = block * ROWS, min((block + 1) * ROWS, x.shape[0])
    add_product_(last - first, x.shape[1], x[first:last], weights, out[first:last])


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _latent(team, mean, spread, keys, weights, noise, divergence):
    share(team, _latent_of_rows, (len(mean) + ROWS - 1) // ROWS, (mean, spread, keys, weights, noise, divergence))


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _latent_of_rows(block, mean, spread, keys, weights, noise, divergence):
    k = mean.shape[1]
    for d in range(block * ROWS, min((block + 1) * ROWS, mean.shape[0])):
        for j in range(0, k, 2):
            # Two normal numbers of two uniform ones (Box and Muller 1958).
            radius = math.sqrt(-2.0 * math.log(inner_share(draw(keys[d], np.uint64(j)))))
            angle = 2.0 * math.pi * inner_share(draw(keys[d], np.uint64(j + 1)))
            noise[d, j] = radius * math.cos(angle)
            if j + 1 < k:
                noise[d, j + 1] = radius * math.sin(angle)
        most, total = -np.inf, 0.0
        for j in range(k):
            m, s = np.float64(mean[d, j]), np.float64(spread[d, j])
            total += 0.5 * (m * m + math.exp(s) - 1.0 - s)
            weights[d, j] = m + math.exp(0.5 * s) * noise[d, j]
            most = max(most, np.float64(weights[d, j]))  # as it is stored: the largest power is 1 so
        divergence[d] = total
        scale = 0.0
        for j in range(k):
            power = math.exp(weights[d, j] - most)
            weights[d, j] = power
            scale += power
        for j in range(k):
            weights[d, j] /= scale


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _hashes(indptr, indices, bits, out):
    for d in range(len(out)):
        state = np.uint64(0)
        for e in range(indptr[d], indptr[d + 1]):
            entry = (np.uint64(indices[e]) << np.uint64(32)) | np.uint64(bits[e])
            state = mix((state ^ entry) + GAMMA)
        out[d] = state
