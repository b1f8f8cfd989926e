"""First weights: uniform, within their bounds, and the same on any number of threads."""

from __future__ import annotations

import numba
import numpy as np

from algoport.algorithms.object2vec.kernels import initial
from algoport.algorithms.object2vec.shapes import initial_table

COUNT = 3 * initial.BLOCK + 17 + (1 << 16)


def drawn(key: int, count: int = COUNT) -> np.ndarray:
    out = np.full(count, np.nan, np.float32)
    initial.uniform_(out, key, 0.5)
    return out


def test_draws_are_uniform_and_independent() -> None:
    out = drawn(3).astype(np.float64)

    assert -0.5 <= out.min() < -0.499 and 0.499 < out.max() < 0.5
    error = 1 / np.sqrt(12 * COUNT)
    assert abs(out.mean()) < 4 * error
    assert abs(out.var() - 1 / 12) < 4 * error
    assert abs(np.mean(out[1:] * out[:-1])) < 4 / 12 / np.sqrt(COUNT)
    assert np.ptp(np.histogram(out, 16, (-0.5, 0.5))[0]) < 8 * np.sqrt(COUNT / 16)


def test_a_draw_follows_from_its_key_and_its_place_alone() -> None:
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    alone = drawn(3)
    numba.set_num_threads(before)

    np.testing.assert_array_equal(drawn(3), alone)
    np.testing.assert_array_equal(drawn(3, 100), alone[:100])
    assert (drawn(4) != alone).mean() > 0.99


def test_tables_of_one_job_differ() -> None:
    random = np.random.default_rng(0)

    one, other = initial_table(50, 7, random), initial_table(50, 7, random)

    assert np.abs(one).max() <= 0.07 < 1.1 * np.abs(one).max()
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.2
