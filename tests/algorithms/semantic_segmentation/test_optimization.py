"""Learning rates as the original's logs have them, and its optimizers."""

import math

import pytest

from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.semantic_segmentation.optimization import learning_rate, rule, steps_of_epoch


def of(**given):
    return Hyperparameters.read({"num_classes": 21, "num_training_samples": 1464, **given})


def test_poly_is_that_of_a_published_log():
    """1,464 pictures, 91 batches an epoch, ten epochs: learning_rate 0.000098 after 20 batches."""
    settings = of(learning_rate=0.0001)

    assert steps_of_epoch(settings) == 91
    assert f"{learning_rate(settings, 0, 19):f}" == "0.000098"
    assert learning_rate(settings, 5, 0) == pytest.approx(0.0001 * 0.5**0.9)


def test_a_rest_of_an_epoch_does_not_end_the_fall_early():
    settings = of(num_training_samples=20, epochs=4, learning_rate=0.1)

    assert learning_rate(settings, 2, 1) == learning_rate(settings, 3, 0) > 0


def test_cosine_and_step():
    cosine = of(lr_scheduler="cosine", learning_rate=0.1)
    step = of(lr_scheduler="step", lr_scheduler_step="2, 4", lr_scheduler_factor=0.5, learning_rate=0.1)

    assert learning_rate(cosine, 2, 0) == pytest.approx(0.05 * (1 + math.cos(0.2 * math.pi)))
    assert [learning_rate(step, epoch, 3) for epoch in range(6)] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_optimizers_take_the_settings_that_are_theirs():
    rmsprop, sgd, adam = (rule(of(optimizer=name, gamma1=0.8, gamma2=0.7)) for name in ("rmsprop", "sgd", "adam"))

    assert (rmsprop.kind, rmsprop.gamma, rmsprop.momentum, rmsprop.weight_decay) == ("centered_rmsprop", 0.8, 0.7, 0)
    assert (sgd.kind, sgd.momentum, sgd.weight_decay) == ("sgd", 0.9, 1e-4)
    assert adam.weight_decay == 0
