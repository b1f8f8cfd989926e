"""Means, deviations, and maps that are the same in the units of the data."""

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.scaling import Scaling, measure
from tests.groups import together


def settings_of(**given):
    return Hyperparameters.read({"predictor_type": "regressor", **given})


def scaling_of(features, label=None, group=None, **given):
    rows = Rows(features=features)
    label = np.zeros(len(rows), np.float32) if label is None else label
    return measure(rows, label, settings_of(**given), group or Alone())


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    return (random.normal(size=(1500, 4)) * (1, 0.01, 300, 5) + (0, 1000, -7, 2)).astype(np.float32)


def test_means_and_deviations_are_numpys(table):
    scaling, varies = scaling_of(table, table[:, 2])

    np.testing.assert_allclose(scaling.shift, table.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(scaling.scale, 1 / table.std(axis=0, dtype=np.float64), rtol=1e-5)
    assert scaling.label_shift == pytest.approx(table[:, 2].mean(dtype=np.float64), rel=1e-6)
    assert scaling.label_scale == pytest.approx(table[:, 2].std(dtype=np.float64), rel=1e-5)
    assert varies.all()


def test_sparse_rows_have_the_moments_of_dense_ones(table):
    table[np.abs(table) < 4] = 0

    dense, _ = scaling_of(table, unbias_data=True)
    thin, _ = scaling_of(sparse.csr_array(table), unbias_data=True)

    np.testing.assert_allclose(thin.shift, dense.shift, rtol=1e-6)
    np.testing.assert_allclose(thin.scale, dense.scale, rtol=1e-6)


def test_sparse_rows_are_shifted_only_where_it_is_asked_for(table):
    assert not scaling_of(sparse.csr_array(table))[0].shift.any()
    assert scaling_of(sparse.csr_array(table), unbias_data="true")[0].shift.all()
    assert scaling_of(table)[0].shift.all()
    assert not scaling_of(table, use_bias=False)[0].shift.any()
    assert not scaling_of(table, unbias_data="false")[0].shift.any()


def test_what_is_not_to_be_scaled_keeps_its_unit(table):
    scaling, _ = scaling_of(table, table[:, 2], normalize_data="false", normalize_label="false", unbias_label="false")

    assert (scaling.scale == 1).all()
    assert (scaling.label_shift, scaling.label_scale) == (0, 1)


def test_a_mean_that_dwarfs_the_spread_costs_no_digits():
    """Beside a million, float32 has steps of a sixteenth; the deviation of those steps is exact."""
    column = (1e6 + np.arange(1000) % 2 * 0.125).astype(np.float32)

    scaling, varies = scaling_of(column[:, None])

    assert varies[0]
    assert scaling.scale[0] == pytest.approx(16, rel=1e-5)
    assert scaling.shift[0] == pytest.approx(1e6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.3, -1e-20])
def test_a_constant_column_is_reported_and_keeps_its_unit(value):
    scaling, varies = scaling_of(np.full((777, 1), value, np.float32))

    assert not varies.any()
    assert scaling.scale[0] == 1


def test_classes_are_never_scaled(table):
    rows = Rows(features=table)
    settings = Hyperparameters.read(
        {"predictor_type": "binary_classifier", "normalize_label": "true", "unbias_label": "true"}
    )

    scaling, _ = measure(rows, np.ones(len(rows), np.float32), settings, Alone())

    assert (scaling.label_shift, scaling.label_scale) == (0, 1)


@pytest.mark.parametrize("cuts", [(750,), (0,), (1499,)])
def test_it_does_not_matter_at_which_member_rows_lie(table, cuts):
    shards = np.split(table, cuts)

    scalings = together(2, lambda group: scaling_of(shards[group.rank], shards[group.rank][:, 0], group)[0])

    alone, _ = scaling_of(table, table[:, 0])
    for scaling in scalings:
        np.testing.assert_allclose(scaling.shift, alone.shift, rtol=1e-6)
        np.testing.assert_allclose(scaling.scale, alone.scale, rtol=1e-6)
        assert scaling.label_scale == pytest.approx(alone.label_scale)
    np.testing.assert_array_equal(scalings[0].scale, scalings[1].scale)


def test_a_folded_map_says_what_the_scaled_one_says(table):
    scaling, _ = scaling_of(table, table[:, 2])
    random = np.random.default_rng(1)
    weights, bias = random.normal(size=(4, 3)).astype(np.float32), random.normal(size=3).astype(np.float32)

    raw, at_shift = scaling.folded(weights, bias)

    apart = table.astype(np.float64) - scaling.shift
    want = ((apart * scaling.scale) @ weights + bias) * scaling.label_scale + scaling.label_shift
    np.testing.assert_allclose(apart @ raw + at_shift, want, rtol=1e-5, atol=1e-3)


def test_unfolding_undoes_folding_also_in_another_scaling(table):
    scaling, _ = scaling_of(table, table[:, 2])
    random = np.random.default_rng(1)
    weights, bias = random.normal(size=(4, 1)).astype(np.float32), np.ones(1, np.float32)
    raw, at_shift = scaling.folded(weights, bias)

    again = scaling.unfolded(raw, at_shift, scaling.shift)
    np.testing.assert_allclose(again[0], weights, rtol=1e-6)
    np.testing.assert_allclose(again[1], bias, rtol=1e-5)

    other = Scaling(np.ones(4, np.float32), np.full(4, 2, np.float32), 3.0, 5.0)
    moved, near = other.folded(*other.unfolded(raw, at_shift, scaling.shift))
    want = (table.astype(np.float64) - scaling.shift) @ raw + at_shift
    np.testing.assert_allclose((table.astype(np.float64) - other.shift) @ moved + near, want, rtol=1e-4, atol=2)
