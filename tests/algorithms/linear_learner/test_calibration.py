"""Thresholds beside trying every one of them, and areas beside scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.metrics import fbeta_score, precision_score, recall_score, roc_auc_score

from algoport.algorithms.linear_learner import calibration
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters

CRITERIA = ("accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision")


def settings_of(criterion, **more):
    given = {"predictor_type": "binary_classifier", "binary_classifier_model_selection_criteria": criterion}
    return Hyperparameters.read({**given, **more})


def worth(margins, positive, threshold, asked):
    """The value of a threshold, as scikit-learn measures it."""
    predictions = margins >= threshold
    recall = recall_score(positive, predictions, zero_division=0)
    precision = precision_score(positive, predictions, zero_division=0)
    return {
        "accuracy": (predictions == positive).mean(),
        "f_beta": fbeta_score(positive, predictions, beta=asked.f_beta, zero_division=0),
        "precision_at_target_recall": precision if recall >= asked.target_recall else -1.0,
        "recall_at_target_precision": recall if precision >= asked.target_precision else precision - 1.0,
    }[asked.binary_classifier_model_selection_criteria]


@pytest.mark.parametrize("criterion", CRITERIA)
@settings(deadline=None, max_examples=25)
@given(n=some.integers(1, 30), levels=some.integers(1, 9), target=some.floats(0.05, 0.95), seed=some.integers(0, 999))
def test_no_threshold_is_better_than_the_one_chosen(criterion, n, levels, target, seed):
    """Whole numbers as margins, so that ties are common."""
    random = np.random.default_rng(seed)
    margins = random.integers(-levels, levels + 1, n).astype(np.float32)
    positive = random.random(n) < random.random()
    asked = settings_of(criterion, f_beta=2.0, target_recall=target, target_precision=target)

    values, thresholds = calibration.calibrate(margins[:, None], positive, asked)

    everywhere = [worth(margins, positive, place, asked) for place in np.arange(-levels - 0.5, levels + 1)]
    assert values[0] == pytest.approx(max(everywhere))
    assert worth(margins, positive, thresholds[0], asked) == pytest.approx(values[0])


def test_of_thresholds_as_good_as_each_other_the_natural_one_is_taken():
    margins, positive = np.array([[-3], [-1], [2], [4]], np.float32), np.array([False, False, True, True])

    for loss, middle in (("logistic", 0.0), ("hinge_loss", 0.5)):
        _, thresholds = calibration.calibrate(margins, positive, settings_of("accuracy", loss=loss))
        assert thresholds[0] == middle


def test_a_threshold_lies_in_the_middle_between_two_scores():
    margins, positive = np.array([[1], [3], [6], [7]], np.float32), np.array([False, False, True, True])

    _, thresholds = calibration.calibrate(margins, positive, settings_of("accuracy"))

    assert thresholds[0] == 4.5


def test_a_model_that_has_diverged_is_worth_nothing():
    margins = np.array([[np.nan, 1], [2, 3]], np.float32)

    values, _ = calibration.calibrate(margins, np.array([False, True]), settings_of("accuracy"))

    assert values[0] == -np.inf
    assert values[1] == 1


def test_each_model_gets_the_threshold_it_would_get_alone():
    random = np.random.default_rng(0)
    margins, positive = random.normal(size=(200, 5)).astype(np.float32), random.random(200) < 0.3

    together = calibration.calibrate(margins, positive, settings_of("f_beta"))

    for j in range(5):
        alone = calibration.calibrate(margins[:, j : j + 1], positive, settings_of("f_beta"))
        assert (together[0][j], together[1][j]) == (alone[0][0], alone[1][0])


@pytest.mark.parametrize("target", [0.9, 0.5])
def test_a_precision_that_no_threshold_keeps_is_reported_by_a_negative_value(target):
    """The highest scores are of the negatives."""
    margins, positive = np.array([[3], [2], [1], [0]], np.float32), np.array([False, False, True, True])

    values, _ = calibration.calibrate(
        margins, positive, settings_of("recall_at_target_precision", target_precision=target)
    )

    assert (values[0] < 0) == (target == 0.9)


@settings(deadline=None, max_examples=25)
@given(n=some.integers(2, 60), levels=some.integers(1, 9), seed=some.integers(0, 999))
def test_the_area_is_scikit_learns(n, levels, seed):
    random = np.random.default_rng(seed)
    margins, positive = random.integers(-levels, levels + 1, n).astype(np.float32), np.arange(n) % 3 == 0

    assert calibration.area(margins, positive) == pytest.approx(roc_auc_score(positive, margins))


def test_the_area_of_one_class_alone_is_a_half():
    assert calibration.area(np.ones(3, np.float32), np.ones(3, np.bool_)) == 0.5
    assert calibration.area(np.ones(0, np.float32), np.ones(0, np.bool_)) == 0.5


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("models", [1, 5, 33])
def test_many_rows_are_worth_what_they_are_to_within_a_bin(criterion, models):
    """The value is that of an edge, and hardly below the best there is."""
    random = np.random.default_rng(0)
    positive = random.random(6000) < 0.6
    margins = (2 * random.normal(size=(6000, models)) + np.where(positive, 1, -1)[:, None]).astype(np.float32)
    asked = settings_of(criterion)

    values = calibration.valued(margins, positive, asked)

    best, _ = calibration.calibrate(margins, positive, asked)
    assert (values <= best).all() and (values > best - 0.005).all()
    edges = np.arange(1025) / 512 - 1
    places = margins[:, 0] / (1 + np.abs(margins[:, 0]))
    steps = [worth(places, positive, edge, asked) for edge in edges[::16]]
    assert values[0] >= max(steps) - 1e-12


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_a_model_with_one_margin_that_is_no_number_is_worth_nothing(wrong):
    margins, positive = np.tile(np.arange(1000, dtype=np.float32)[:, None], (1, 3)), np.arange(1000) >= 500
    margins[700, 1] = wrong

    values = calibration.valued(margins, positive, settings_of("accuracy"))

    assert values[1] == -np.inf
    assert (values[[0, 2]] > 0.98).all()


def test_few_rows_are_worth_what_their_best_threshold_gives():
    random = np.random.default_rng(0)
    margins, positive = random.normal(size=(300, 5)).astype(np.float32) / 1000, random.random(300) < 0.3

    values = calibration.valued(margins, positive, settings_of("f_beta"))

    np.testing.assert_array_equal(values, calibration.calibrate(margins, positive, settings_of("f_beta"))[0])
