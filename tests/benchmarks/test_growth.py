"""What growth is measured on, and how its slope is told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.records import Rows
from benchmarks import growth


def _points(power: float, seconds: float = 0.1) -> list[growth.Point]:
    return [growth.Point("any", "records", 4**i, seconds * 4 ** (power * i), 1 + 4**i) for i in range(5)]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_slope_is_the_power_with_which_time_grows(power: float) -> None:
    assert growth.slope(_points(power), "seconds") == pytest.approx(power)


def test_points_that_tell_of_the_start_of_a_job_make_no_slope() -> None:
    assert growth.slope(_points(0.1, seconds=growth.LEAST / 4), "seconds") is None


def test_rows_grow_to_as_many_and_as_wide_as_asked_and_no_two_are_the_same() -> None:
    rows = Rows(
        features=np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32), label=np.ones((10, 1), np.float32)
    )

    many, wide = growth._records(rows, 45), growth._wide(rows, 4)

    assert len(many) == 45 and len(np.unique(many.dense(), axis=0)) == 45
    assert wide.dense().shape == (10, 12) and wide.dense().dtype == np.float32
    np.testing.assert_allclose(many.dense()[10:20], rows.dense(), atol=0.1)


def test_counts_stay_whole_and_sparse_rows_sparse() -> None:
    counts = np.random.default_rng(0).poisson(0.5, (6, 5)).astype(np.float32)
    thin = Rows(features=sparse.csr_array(counts))

    np.testing.assert_array_equal(growth._wide(Rows(features=counts), 2).dense(), np.tile(counts, 2))
    assert growth._wide(thin, 2).is_sparse
    np.testing.assert_array_equal(growth._wide(thin, 2).dense(), np.tile(counts, 2))
