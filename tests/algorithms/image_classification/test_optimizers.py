"""The settings of optimizers and rates."""

from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.optimizers import decays, learning_rate, rule

NEEDED = {"num_classes": 2, "num_training_samples": 100, "mini_batch_size": 10}


def test_the_rule_has_the_settings():
    how = {"optimizer": "rmsprop", "eps": 1e-4, "gamma": 0.7, "weight_decay": 0.01, "beta_1": 0.8, "beta_2": 0.95}

    found = rule(Hyperparameters.read({**NEEDED, **how, "momentum": 0.5}))

    assert (found.kind, found.eps, found.gamma, found.weight_decay) == ("rmsprop", 1e-4, 0.7, 0.01)
    assert (found.beta_1, found.beta_2, found.momentum) == (0.8, 0.95, 0.5)


def test_shifts_are_not_pulled_to_zero():
    assert decays("conv0.weight") and decays("bn1.scale")
    assert not decays("bn1.shift") and not decays("fc1.bias")


def test_the_rate_falls_after_the_epochs_that_are_set():
    settings = Hyperparameters.read({**NEEDED, "num_training_samples": 95, "lr_scheduler_step": "2, 3"})

    rates = [round(learning_rate(settings, updates), 6) for updates in (0, 19, 20, 29, 30, 99)]

    assert rates == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


def test_an_epoch_of_two_hosts_is_half_as_many_updates():
    settings = Hyperparameters.read({**NEEDED, "num_training_samples": 95, "lr_scheduler_step": "2, 3"})

    rates = [round(learning_rate(settings, updates, hosts=2), 6) for updates in (0, 9, 10, 14, 15)]

    assert rates == [0.1, 0.1, 0.01, 0.01, 0.001]
