"""Products in tiles: against NumPy in double precision, in every orientation, and on any number of threads."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from algoport.algorithms.shared.linalg.product import Panels, product

SIZES = [(1, 1, 1), (5, 7, 33), (12, 300, 64), (37, 600, 65), (250, 257, 100), (8, 5, 1030)]


@pytest.mark.parametrize("left", ["plain", "transposed"])
@pytest.mark.parametrize("right", ["plain", "transposed"])
@pytest.mark.parametrize("m, k, n", SIZES)
def test_products_are_those_of_numpy(m: int, k: int, n: int, left: str, right: str) -> None:
    random = np.random.default_rng(m * k * n)
    a = random.normal(size=(m, k)).astype(np.float32)
    b = random.normal(size=(k, n)).astype(np.float32)
    one = np.ascontiguousarray(a.T).T if left == "transposed" else a
    other = np.ascontiguousarray(b.T).T if right == "transposed" else b
    want = a.astype(np.float64) @ b.astype(np.float64)

    got = product(one, other)
    sums = np.ones((m, n), np.float32)
    product(one, other, sums, add=True)

    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sums, want + 1, rtol=1e-4, atol=1e-4)


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(301, 700)).astype(np.float32), random.normal(size=(700, 530)).astype(np.float32)
    before, results = numba.get_num_threads(), []
    for threads in (1, before):
        numba.set_num_threads(threads)
        results.append(product(a, b))
    numba.set_num_threads(before)

    np.testing.assert_array_equal(*results)


def test_a_product_over_nothing_is_zero_and_adds_nothing() -> None:
    nothing, out = np.empty((3, 0), np.float32), np.ones((3, 2), np.float32)

    product(nothing, np.empty((0, 2), np.float32), out, add=True)
    assert (out == 1).all()
    product(nothing, np.empty((0, 2), np.float32), out)
    assert (out == 0).all()


@pytest.mark.parametrize("right", ["plain", "transposed"])
@pytest.mark.parametrize("m, k, n", [*SIZES, (0, 3, 2)])
def test_a_matrix_that_is_packed_once_gives_the_same_products(m: int, k: int, n: int, right: str) -> None:
    random = np.random.default_rng(m * k * n)
    a = random.normal(size=(m, k)).astype(np.float32)
    b = random.normal(size=(k, n)).astype(np.float32)
    panels = Panels(np.ascontiguousarray(b.T).T if right == "transposed" else b)
    want = a.astype(np.float64) @ b.astype(np.float64)

    got, sums = panels.product(a), np.ones((m, n), np.float32)
    panels.product(a, sums, add=True)

    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sums, want + 1, rtol=1e-4, atol=1e-4)
    for row in {0, m // 2, m - 1} & set(range(m)):
        np.testing.assert_array_equal(panels.product(a[row : row + 1])[0], got[row])  # company changes no bit


def test_a_packed_matrix_without_rows_gives_zeros_and_adds_nothing() -> None:
    panels, out = Panels(np.empty((0, 2), np.float32)), np.full((3, 2), np.nan, np.float32)

    panels.product(np.empty((3, 0), np.float32), out)
    assert (out == 0).all()
    out[:] = 1
    panels.product(np.empty((3, 0), np.float32), out, add=True)
    assert (out == 1).all()
