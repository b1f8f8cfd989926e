"""The settings of optimizers and rates."""

from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.optimization import decays, learning_rate, rule

NEEDED = {"num_classes": 2, "num_training_samples": 100, "mini_batch_size": 10}


def test_the_rule_has_the_settings():
    how = {"optimizer": "nag", "eps": 1e-4, "gamma": 0.7, "weight_decay": 0.01, "beta_1": 0.8, "beta_2": 0.95}

    own = rule(Hyperparameters.read({**NEEDED, **how, "momentum": 0.5}))

    assert (own.kind, own.eps, own.gamma, own.weight_decay) == ("nag", 1e-4, 0.7, 0.01)
    assert (own.beta_1, own.beta_2, own.momentum) == (0.8, 0.95, 0.5)


def test_adam_and_rmsprop_have_no_weight_decay():
    """The specification says that sgd and nag use it."""
    settings = {kind: Hyperparameters.read({**NEEDED, "optimizer": kind}) for kind in ("sgd", "nag", "adam", "rmsprop")}

    assert {kind: rule(own).weight_decay for kind, own in settings.items()} == {
        "sgd": 1e-4,
        "nag": 1e-4,
        "adam": 0.0,
        "rmsprop": 0.0,
    }


def test_weight_decay_does_not_apply_to_shifts():
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
