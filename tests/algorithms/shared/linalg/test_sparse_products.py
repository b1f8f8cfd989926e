"""Products of sparse rows beside dense ones; whole numbers, so that float32 is exact and no tolerance is needed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.shared.linalg.sparse_products import BLOCK, add_transposed, by_column, multiply, padded


@pytest.mark.parametrize("n", [0, 1, BLOCK, BLOCK + 1, 200])
@pytest.mark.parametrize("v", [1, 40])
def test_products_are_the_plain_ones(n: int, v: int) -> None:
    random = np.random.default_rng(n + v)
    dense = random.integers(-3, 4, (n, v)) * (random.random((n, v)) < 0.2)
    rows = sparse.csr_array(dense.astype(np.float32))
    indptr, indices = rows.indptr.astype(np.int64), rows.indices.astype(np.int32)
    width = padded(17)
    matrix, other = (random.integers(-5, 6, (size, width)).astype(np.float32) for size in (v, n))
    weights = random.integers(0, 3, n).astype(np.float32)

    product, sums = np.empty((n, width), np.float32), np.ones((v, width))
    multiply(indptr, indices, rows.data, matrix, product)
    starts, of, places = np.empty(v + 1, np.int64), np.empty(rows.nnz, np.int32), np.empty(rows.nnz, np.int64)
    by_column(indptr, indices, starts, of, places)
    add_transposed(starts, of, places, rows.data, weights, other, sums)

    np.testing.assert_array_equal(product, dense @ matrix)
    np.testing.assert_array_equal(sums, 1 + dense.T @ (weights[:, None] * other))
    for column in range(v):
        some = slice(starts[column], starts[column + 1])
        np.testing.assert_array_equal(of[some], np.flatnonzero(dense[:, column]))
        np.testing.assert_array_equal(indices[places[some]], column)


def test_rows_are_filled_up_to_whole_vectors() -> None:
    assert [padded(width) for width in (1, 16, 17, 100)] == [16, 16, 32, 112]
