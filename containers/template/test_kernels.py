"""Every kernel against the shortest way to say the same thing."""

import numpy as np

from algoport import algorithms

kernels = algorithms.part("TEMPLATE-NAME", "kernels")


def rows(n: int, d: int) -> np.ndarray:
    """Whole numbers, so that sums are exact and no tolerance is needed."""
    return np.random.default_rng(n).integers(-9, 9, (n, d)).astype(np.float32)


def test_sums_and_squares_are_the_plain_ones() -> None:
    for n in (0, 1, 7, 1000):
        data, sums, squares = rows(n, 4), np.zeros(4), np.zeros(4)
        mean = np.array([0.0, 1.0, -2.0, 8.0])

        kernels.add_rows(data, sums)
        kernels.add_squares(data, mean, squares)

        np.testing.assert_array_equal(sums, data.sum(axis=0))
        np.testing.assert_array_equal(squares, ((data - mean) ** 2).sum(axis=0))


def test_a_distance_is_measured_in_variances() -> None:
    data, mean, variance = rows(50, 3), np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 4.0])

    squared = kernels.squared_distances(data, mean, variance)

    np.testing.assert_allclose(squared, ((data - mean) ** 2 / variance).mean(axis=1), rtol=1e-12)


def test_a_missing_value_is_noticed() -> None:
    data = rows(5, 2)
    assert kernels.finite(data)
    data[3, 1] = np.nan
    assert not kernels.finite(data)
