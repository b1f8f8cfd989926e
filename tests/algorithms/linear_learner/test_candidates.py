"""The models that are trained side by side."""

import numpy as np
import pytest

from algoport.algorithms.linear_learner.candidates import Schedule, candidates, optimizer
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters


def models(balance=1.0, width=10, seed=0, **given):
    settings = Hyperparameters.read({"predictor_type": "binary_classifier", **given})
    return candidates(settings, width, balance, seed)


def test_there_are_thirty_two_and_the_first_has_the_published_settings():
    pool = models()

    assert len(pool) == len(set(pool)) == 32
    shown = pool[0].shown("adam")
    published = {
        "optimizer": "adam",
        "learning_rate": 0.1,
        "wd": 1e-4,
        "l1": 0.0,
        "lr_scheduler_step": 100,
        "lr_scheduler_factor": 0.99,
        "lr_scheduler_minimum_lr": 1e-5,
    }
    assert published.items() <= shown.items()


@pytest.mark.parametrize(("name", "value", "left"), [("learning_rate", 0.03, 8), ("wd", 0.5, 8), ("l1", 0.25, 32)])
def test_what_the_user_gave_does_not_vary(name, value, left):
    pool = models(**{name: value})

    assert {getattr(model, name) for model in pool} == {value}
    assert len(pool) == len(set(pool)) == left


def test_more_models_than_there_are_combinations_lie_near_them():
    pool = models(num_models=100, learning_rate=0.1, wd=0.01, l1=0.0)

    assert len(pool) == 100
    assert pool[0].learning_rate == 0.1
    assert len(set(pool)) >= 98
    assert all(0.1 / 3 <= model.learning_rate <= 0.3 and model.l1 == 0 for model in pool)
    assert pool == models(num_models=100, learning_rate=0.1, wd=0.01, l1=0.0)


@pytest.mark.parametrize("count", [1, 5, 32])
def test_so_many_are_trained_as_are_asked_for(count):
    assert len(models(num_models=count)) == count


def test_a_tuner_gets_one_model_whatever_is_given():
    assert len(models(num_models=7, _tuning_objective_metric="validation:objective_loss")) == 1


def test_so_many_models_are_trained_under_auto_as_fit_into_memory():
    assert len(models(width=100_000)) == 32
    assert len(models(width=5_000_000)) == 10
    assert len(models(width=500_000_000)) == 1
    assert len(models(width=5_000_000, num_models=12)) == 12


def test_the_weight_of_positive_rows_is_given_balanced_or_searched():
    def weights(given):
        return {model.positive for model in models(balance=4.0, positive_example_weight_mult=given)}

    assert weights("2.5") == {2.5}
    assert weights("balanced") == {4.0}
    assert weights("auto") == {1.0, 4.0}


def test_the_learning_rate_falls_in_steps_and_not_below_its_least():
    given = {"lr_scheduler_step": 10, "lr_scheduler_factor": 0.5, "lr_scheduler_minimum_lr": 0.2}
    falling = models(num_models=1, learning_rate=1.0, **given)
    steady = models(num_models=1, learning_rate=1.0, use_lr_scheduler="False")
    slow = models(num_models=1, learning_rate=1e-7)

    schedule = Schedule([*falling, *steady, *slow])

    rates = np.array([schedule.rates(steps) for steps in (0, 9, 10, 20, 30, 1000)])
    np.testing.assert_array_equal(rates[:, 0], [1, 1, 0.5, 0.25, 0.2, 0.2])
    assert (rates[:, 1] == 1).all()
    assert (rates[:, 2] == 1e-7).all()


def test_auto_is_adam():
    assert optimizer(Hyperparameters(predictor_type="regressor")) == "adam"
    assert optimizer(Hyperparameters(predictor_type="regressor", optimizer="sgd")) == "sgd"
