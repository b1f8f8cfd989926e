"""What a model answers, and what is no model."""

import json

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.model import Model, logit, probabilities, shares, sigmoid
from algoport.algorithms.shared import artifact


def model_of(kind="binary_classifier", loss="logistic", k=1, **more):
    random = np.random.default_rng(0)
    given = {
        "weights": random.normal(size=(4, k)).astype(np.float32),
        "bias": random.normal(size=k).astype(np.float32),
        "shift": random.normal(size=4).astype(np.float32),
        "scale": np.full(4, 0.5, np.float32),
        "predictor_type": kind,
        "loss": loss,
    }
    return Model(**{**given, **more})


ROWS = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)


def margins(model, rows=ROWS):
    return (rows.astype(np.float64) - model.shift) @ model.weights + model.bias


def test_a_binary_answer_is_a_probability_and_its_label():
    model = model_of(threshold=0.5)

    answers = model.predict(Rows(features=ROWS))

    np.testing.assert_allclose(answers["score"], 1 / (1 + np.exp(-margins(model)[:, 0])), rtol=1e-5)
    np.testing.assert_array_equal(answers["predicted_label"], margins(model)[:, 0] >= 0.5)


def test_a_hinge_answer_is_the_margin():
    model = model_of(loss="hinge_loss")

    np.testing.assert_allclose(model.predict(Rows(features=ROWS))["score"], margins(model)[:, 0], rtol=1e-4, atol=1e-5)


def test_a_multiclass_answer_is_a_vector_that_sums_to_one():
    model = model_of("multiclass_classifier", "softmax_loss", 5)

    answers = model.predict(Rows(features=ROWS))

    np.testing.assert_allclose(answers["score"].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(answers["predicted_label"], margins(model).argmax(axis=1))


def test_a_regression_has_a_score_only():
    answers = model_of("regressor", "squared_loss").predict(Rows(features=ROWS))

    assert list(answers) == ["score"]


def test_sparse_rows_are_answered_like_dense_ones():
    model, rows = model_of(), np.where(np.abs(ROWS) > 1, ROWS, 0)

    thin = model.predict(Rows(features=sparse.csr_array(rows)))

    np.testing.assert_allclose(thin["score"], model.predict(Rows(features=rows))["score"], rtol=1e-5)


def test_a_mean_that_dwarfs_the_spread_costs_no_digits():
    """Rows beside ten million, that differ by whole numbers."""
    model = model_of("regressor", "squared_loss", shift=np.full(4, 1e7, np.float32))
    rows = (1e7 + np.random.default_rng(0).integers(-5, 6, (50, 4))).astype(np.float32)

    np.testing.assert_allclose(
        model.predict(Rows(features=rows))["score"], margins(model, rows)[:, 0], rtol=1e-5, atol=1e-5
    )


def test_extreme_margins_have_finite_scores():
    far = np.array([[-1e30, -200.0, 0.0, 200.0, 1e30]], np.float32)

    np.testing.assert_array_equal(probabilities(far[0]), [0, 0, 0.5, 1, 1])
    np.testing.assert_array_equal(shares(far), [[0, 0, 0, 0, 1]])
    assert sigmoid(-800) == 0
    assert sigmoid(800) == 1


@pytest.mark.parametrize("margin", [-30.0, -1.0, 0.0, 2.5, 30.0])
def test_a_probability_s_margin_is_the_one_it_came_from(margin):
    assert logit(sigmoid(margin)) == pytest.approx(margin, rel=1e-3)
    assert np.isfinite([logit(0), logit(1), logit(7.0)]).all()


def test_a_saved_threshold_keeps_every_digit(tmp_path):
    """Also beyond where a probability has any."""
    for threshold in (40.123456789, -0.1, 1e-12):
        model_of(threshold=threshold).save(tmp_path)
        assert Model.load(tmp_path).threshold == threshold


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": "kmeans"}, "is a model of kmeans and not of linear-learner"),
        ({"predictor_type": "tree"}, "predictor_type and loss do not fit"),
        ({"loss": "squared_loss"}, "predictor_type and loss do not fit"),
        ({"predictor_type": "multiclass_classifier", "loss": "softmax_loss"}, "'weights' has 1 columns"),
        ({"margin_threshold": "high"}, "margin_threshold must be a finite number"),
        ({"margin_threshold": float("nan")}, "margin_threshold must be a finite number"),
        ({"label_scale": 0}, "scales must be above 0"),
        ({"label_shift": None}, "label_shift must be a finite number"),
    ],
)
def test_facts_that_do_not_fit_are_reported(tmp_path, change, message):
    model_of().save(tmp_path)
    facts = json.loads((tmp_path / artifact.FACTS).read_text())
    (tmp_path / artifact.FACTS).write_text(json.dumps({**facts, **change}))

    with pytest.raises(UserError, match=message):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "has no array 'weights'"),
        ({"weights": np.ones(4, np.float32)}, "'weights' must be finite numbers in 2 dimensions"),
        ({"weights": np.full((4, 1), np.inf, np.float32)}, "'weights' must be finite"),
        ({"weights": np.ones((4, 1), np.int32)}, "'weights' must be finite numbers"),
        ({"bias": np.ones(2, np.float32)}, "do not fit those of 'weights'"),
        ({"shift": np.ones(5, np.float32)}, "do not fit those of 'weights'"),
        ({"scale": np.zeros(4, np.float32)}, "scales must be above 0"),
    ],
)
def test_arrays_that_do_not_fit_are_reported(tmp_path, change, message):
    model_of().save(tmp_path)
    arrays, facts = artifact.load(tmp_path)
    arrays = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    del facts["format_version"]
    artifact.save(tmp_path, arrays, facts)

    with pytest.raises(UserError, match=message):
        Model.load(tmp_path)
