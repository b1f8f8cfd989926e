"""Which model is the best, and when training stops early."""

import numpy as np
import pytest

from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.selection import Judgement, Margins, Selection

WEIGHTS, BIAS = np.arange(12, dtype=np.float32).reshape(2, 6), np.arange(6, dtype=np.float32)  # 3 models of 2 outputs


def judged(values, losses, noise=0.0):
    return Judgement(np.array(losses, float), np.array(values, float), lambda model: lambda: model / 10, noise)


def settings_of(patience=2, tolerance=0.1):
    given = {"early_stopping_patience": patience, "early_stopping_tolerance": tolerance}
    return Hyperparameters(predictor_type="regressor", **given)


def test_the_best_of_all_epochs_is_kept_with_its_weights_and_threshold():
    selection = Selection()

    assert selection.consider(judged([-3, -1, -2], [3, 1, 2]), WEIGHTS, BIAS, 0)
    assert not selection.consider(judged([-3, -2, -2], [3, 2, 2]), WEIGHTS + 100, BIAS + 100, 1)

    assert (selection.epoch, selection.model, selection.loss, selection.threshold) == (0, 1, 1, 0.1)
    np.testing.assert_array_equal(selection.weights, WEIGHTS[:, 2:4])
    np.testing.assert_array_equal(selection.bias, BIAS[2:4])


def test_what_is_kept_does_not_change_with_the_models():
    selection, weights = Selection(), WEIGHTS.copy()
    selection.consider(judged([-3, -1, -2], [3, 1, 2]), weights, BIAS, 0)

    weights[...] = 0

    np.testing.assert_array_equal(selection.weights, WEIGHTS[:, 2:4])


def test_of_equal_values_the_lower_loss_is_better():
    selection = Selection()

    selection.consider(judged([0.9, 0.9, 0.8], [2, 1, 0]), WEIGHTS, BIAS, 0)
    assert selection.model == 1
    assert selection.consider(judged([0.9, 0.7, 0.7], [0.5, 0, 0]), WEIGHTS, BIAS, 1)
    assert (selection.epoch, selection.model) == (1, 0)


def test_what_chance_cannot_distinguish_is_decided_by_the_loss():
    selection = Selection()

    selection.consider(judged([0.90, 0.89, 0.80], [2, 1, 0], noise=0.02), WEIGHTS, BIAS, 0)
    assert selection.model == 1
    assert selection.consider(judged([0.95, 0.1, 0.1], [9, 0, 0], noise=0.02), WEIGHTS, BIAS, 1)
    assert (selection.epoch, selection.model, selection.loss) == (1, 0, 9)


def test_a_model_that_has_diverged_is_never_chosen():
    selection = Selection()

    assert not selection.consider(judged([-np.inf] * 3, [np.nan] * 3), WEIGHTS, BIAS, 0)
    assert selection.epoch == -1
    assert selection.consider(judged([-np.inf, -5, -np.inf], [np.nan, 5, np.inf]), WEIGHTS, BIAS, 1)
    assert selection.model == 1


def test_training_ends_after_patience_epochs_without_improvement_beyond_the_tolerance():
    selection, settings = Selection(), settings_of(patience=2, tolerance=0.1)

    ends = [selection.is_settled(-loss, settings) for loss in (10, 8, 7.5, 7.3, 1)]

    assert ends == [False, False, False, True, False]


@pytest.mark.parametrize("losses", [(np.inf, np.inf, 5), (np.inf, 5, 5)])
def test_from_nothing_any_figure_is_an_improvement(losses):
    selection = Selection()

    assert not any(selection.is_settled(-loss, settings_of()) for loss in losses)


def test_its_facts_bring_it_back():
    selection = Selection()
    empty = Selection.restore(selection.facts(), selection.weights, selection.bias)
    assert empty.facts() == selection.facts()
    assert empty.value == -np.inf

    selection.consider(judged([-3, -1, -2], [3, 1, 2]), WEIGHTS, BIAS, 4)
    selection.is_settled(-1, settings_of())

    again = Selection.restore(selection.facts(), selection.weights, selection.bias)
    assert again.facts() == selection.facts()
    np.testing.assert_array_equal(again.weights, selection.weights)


@pytest.mark.parametrize("room", [0, 3, 7, 10])
def test_margins_are_kept_of_as_many_rows_as_there_is_room_for_in_every_epoch(room):
    store, random = Margins(2), np.random.default_rng(0)
    for _ in range(2):
        margins, targets = random.normal(size=(10, 2)).astype(np.float32), np.float32(np.arange(10) % 2)
        store.clear()
        left = room
        for part in (slice(0, 4), slice(4, 5), slice(5, 10)):
            store.room(len(margins[part]))[...] = margins[part]
            store.keep(targets[part][:left])
            left -= len(targets[part][:left])

        sample, positive = store.all()
        np.testing.assert_array_equal(sample, margins[:room])
        np.testing.assert_array_equal(positive, targets[:room] > 0)
