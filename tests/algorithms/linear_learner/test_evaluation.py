"""Metrics beside scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.batch import Batch
from algoport.algorithms.linear_learner.evaluation import log_names, tally
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from tests.groups import together


def settings_of(kind, **given):
    return Hyperparameters.read({"predictor_type": kind, "num_classes": "6", **given})


def scored(settings, targets, margins, threshold=0.0, group=None, share=slice(None)):
    """In two batches, and one of no rows."""
    counts = tally(settings, threshold)
    targets, margins = targets[share].astype(np.float32), margins[share].astype(np.float32)
    for part in (slice(0, 7), slice(7, None), slice(0, 0)):
        size = len(targets[part])
        rows = Rows(features=np.empty((size, 1), np.float32))
        counts.add(Batch(rows, targets[part], np.ones(size, np.float32)), margins[part])
    return counts.scores(group or Alone())


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_errors_of_numbers(random):
    targets, margins = random.normal(size=(2, 100)).astype(np.float32)

    figures = scored(settings_of("regressor"), targets, margins[:, None])

    assert figures["mse"] == pytest.approx(metrics.mean_squared_error(targets, margins))
    assert figures["rmse"] == pytest.approx(metrics.mean_squared_error(targets, margins) ** 0.5)
    assert figures["absolute_loss"] == pytest.approx(metrics.mean_absolute_error(targets, margins))


@pytest.mark.parametrize("threshold", [0.0, 0.4, 9.0])
def test_scores_of_two_classes(random, threshold):
    targets = random.random(200) < 0.3
    margins = np.round(random.normal(size=200) + targets, 1)
    predictions = margins.astype(np.float32) >= threshold

    figures = scored(settings_of("binary_classifier", f_beta=2), targets, margins[:, None], threshold)

    assert figures == pytest.approx(
        {
            "binary_classification_accuracy": metrics.accuracy_score(targets, predictions),
            "binary_f_beta": metrics.fbeta_score(targets, predictions, beta=2, zero_division=0),
            "precision": metrics.precision_score(targets, predictions, zero_division=0),
            "recall": metrics.recall_score(targets, predictions),
            "roc_auc_score": metrics.roc_auc_score(targets, margins),
        }
    )


def test_scores_of_several_classes(random):
    """One of which no row has, and one that no row is taken for."""
    targets = random.integers(0, 5, 300)
    margins = random.normal(size=(300, 6)).astype(np.float32)
    margins[np.arange(300), targets] += 1
    margins[:, 1] = -9
    predictions = margins.argmax(axis=1)
    powers = np.exp(margins.astype(np.float64))
    shares = powers / powers.sum(axis=1, keepdims=True)

    figures = scored(settings_of("multiclass_classifier", f_beta=0.5, accuracy_top_k=2), targets, margins)

    means = {"average": "macro", "zero_division": 0}
    place = (-margins).argsort(axis=1).argsort(axis=1)[np.arange(300), targets]
    assert figures == pytest.approx(
        {
            "multiclass_accuracy": metrics.accuracy_score(targets, predictions),
            "multiclass_top_k_accuracy": metrics.top_k_accuracy_score(targets, margins, k=2, labels=range(6)),
            "dcg": metrics.dcg_score(np.eye(6)[targets], margins),
            "macro_recall": metrics.recall_score(targets, predictions, **means),
            "macro_precision": metrics.precision_score(targets, predictions, **means),
            "macro_f_beta": metrics.fbeta_score(targets, predictions, beta=0.5, **means),
            "multiclass_balanced_accuracy": metrics.balanced_accuracy_score(
                targets[np.isin(targets, predictions) | True], predictions
            )
            if set(predictions) <= set(targets)
            else metrics.recall_score(
                targets, predictions, labels=sorted(set(targets)), average="macro", zero_division=0
            ),
            "multiclass_log_loss": metrics.log_loss(targets, shares, labels=range(6)),
        }
    )
    assert figures["dcg"] == pytest.approx((1 / np.log2(place + 2)).mean())


def test_among_equal_scores_the_lower_class_comes_first():
    figures = scored(settings_of("multiclass_classifier", accuracy_top_k=1), np.array([0, 1]), np.zeros((2, 6)))

    assert figures["multiclass_accuracy"] == figures["multiclass_top_k_accuracy"] == 0.5


@pytest.mark.parametrize("kind", ["regressor", "binary_classifier", "multiclass_classifier"])
def test_members_find_together_what_one_finds(random, kind):
    targets = random.integers(0, 2, 50)
    margins = random.normal(size=(50, 6 if kind == "multiclass_classifier" else 1))

    shared = together(
        3, lambda group: scored(settings_of(kind), targets, margins, 0.1, group, slice(group.rank, 50, 3))
    )

    alone = scored(settings_of(kind), targets, margins, 0.1)
    for figures in shared:
        assert figures == pytest.approx(alone)


@pytest.mark.parametrize("kind", ["regressor", "binary_classifier", "multiclass_classifier"])
def test_no_rows_are_no_error(kind):
    figures = scored(settings_of(kind), np.empty(0), np.empty((0, 6 if kind == "multiclass_classifier" else 1)))

    assert all(np.isfinite(value) for value in figures.values())


def test_names_that_vary_are_written_as_the_original_writes_them():
    assert log_names(settings_of("regressor", f_beta=0.5, accuracy_top_k=4), "test") == {
        "test:binary_f_beta": "binary_f_0.500",
        "test:macro_f_beta": "macro_f_0.500",
        "test:multiclass_top_k_accuracy": "multiclass_top_k_accuracy_4",
    }
