"""Products of sparse rows with tall matrices.    n rows   v columns   z entries   w numbers of a matrix's row

Rows are as SciPy's csr_array has them. Matrices have a row a column of the sparse ones, and `padded` numbers in each,
so that vectors need no rest. Every row of a result has one writer and one order of additions: the number of threads
changes no bit.
"""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.shared.linalg.fastmath import FAST

LANE = 16  # numbers that a row of a matrix is filled up to a multiple of
BLOCK = 32  # rows, or columns, that a thread takes at a time


def padded(width: int) -> int:
    """How many numbers a row of a matrix has where so many count; the others are zero."""
    return -(-width // LANE) * LANE


@numba.njit(nogil=True, cache=True)
def by_column(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    starts,  # sets (v + 1,) int64
    rows,  # sets (z,) int32   row of each entry, column by column and by row within one
    places,  # sets (z,) int64   where the entry stands among those by row
):
    """The entries in the order of their columns: what the product with the transposed rows reads."""
    starts[:] = 0
    for e in range(len(indices)):
        starts[indices[e] + 1] += 1
    for v in range(len(starts) - 1):
        starts[v + 1] += starts[v]
    free = starts[:-1].copy()
    for r in range(len(indptr) - 1):
        for e in range(indptr[r], indptr[r + 1]):
            at = free[indices[e]]
            free[indices[e]] = at + 1
            rows[at], places[at] = r, e


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def multiply(
    indptr,  # in   (n + 1,) int64
    indices,  # in   (z,) int32
    values,  # in   (z,) float32
    matrix,  # in   (v, w) float32
    product,  # sets (n, w) float32
):
    """The rows times a matrix; 2 z w flops, and a row of the matrix read an entry."""
    n, w = product.shape
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        for r in range(np.int64(block) * BLOCK, min(n, (np.int64(block) + 1) * BLOCK)):
            line = product[r]
            line[:] = 0
            for e in range(indptr[r], indptr[r + 1]):
                factor, row = values[e], matrix[indices[e]]
                for j in range(w):
                    line[j] += factor * row[j]


@numba.njit(parallel=True, nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def add_transposed(
    starts,  # in   (v + 1,) int64
    rows,  # in   (z,) int32
    places,  # in   (z,) int64
    values,  # in   (z,) float32  in the order of the rows
    weights,  # in   (n,) float32  of each row
    matrix,  # in   (n, w) float32
    sums,  # adds (v, w) float64
):
    """The transposed rows, each times its weight, times a matrix. The entries of a column are summed in float32."""
    v, w = sums.shape
    for block in numba.prange((v + BLOCK - 1) // BLOCK):
        line = np.empty(w, np.float32)
        for c in range(np.int64(block) * BLOCK, min(v, (np.int64(block) + 1) * BLOCK)):
            if starts[c] == starts[c + 1]:
                continue
            line[:] = 0
            for e in range(starts[c], starts[c + 1]):
                r = rows[e]
                factor, row = values[places[e]] * weights[r], matrix[r]
                for j in range(w):
                    line[j] += factor * row[j]
            total = sums[c]
            for j in range(w):
                total[j] += line[j]
