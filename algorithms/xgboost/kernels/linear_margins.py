"""What a linear booster answers.    n rows   d features   k outputs"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.arrays import const

BLOCK = 1024  # rows a thread takes at a time


def margins(features, weights, base) -> NDArray[np.float32]:
    """(n, k): the bias, `base`, then value times weight of each feature in its order, in float32 as the library adds.
    What is missing adds nothing; weights (d + 1, k), the last row the bias."""
    weights, base = const(weights), const(base)
    if hasattr(features, "indptr"):
        output = np.empty((features.shape[0], weights.shape[1]), np.float32)
        indptr, indices = np.asarray(features.indptr, np.int64), np.asarray(features.indices, np.int32)
        _of_sparse(const(indptr, np.int64), const(indices, np.int32), const(features.data), weights, base, output)
        return output
    rows = const(features)
    output = np.empty((len(rows), weights.shape[1]), np.float32)
    _of_dense(rows, weights, base, output)
    return output


def contributions(features, weights, base) -> NDArray[np.float32]:
    """(n, k, d + 1): value times weight of each feature, and last the bias and `base`."""
    rows = features.toarray() if hasattr(features, "indptr") else np.asarray(features, np.float32)
    n, (d, k) = len(rows), (weights.shape[0] - 1, weights.shape[1])
    output = np.zeros((n, k, d + 1), np.float32)
    some = min(rows.shape[1], d)
    values = np.nan_to_num(rows[:, :some], nan=0.0, posinf=np.inf, neginf=-np.inf)
    output[:, :, :some] = values[:, None, :] * weights[:some].T[None]
    output[:, :, d] = weights[d] + base
    return output


@numba.njit(parallel=True, nogil=True, cache=True)
def _of_dense(rows, weights, base, output):
    n, width = rows.shape
    d, k = weights.shape[0] - 1, weights.shape[1]
    for b in numba.prange((n + BLOCK - 1) // BLOCK):
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            for g in range(k):
                total = weights[d, g] + base[g]
                for f in range(min(width, d)):
                    value = rows[i, f]
                    if value == value:
                        total += value * weights[f, g]
                output[i, g] = total


@numba.njit(parallel=True, nogil=True, cache=True)
def _of_sparse(indptr, indices, data, weights, base, output):
    n = len(output)
    d, k = weights.shape[0] - 1, weights.shape[1]
    for b in numba.prange((n + BLOCK - 1) // BLOCK):
        for i in range(b * BLOCK, min(n, (b + 1) * BLOCK)):
            for g in range(k):
                total = weights[d, g] + base[g]
                for j in range(indptr[i], indptr[i + 1]):
                    if indices[j] < d and data[j] == data[j]:
                        total += data[j] * weights[indices[j], g]
                output[i, g] = total
