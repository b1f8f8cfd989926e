"""Optimizers against the formulas of MXNet, written plainly."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from algorithms.image_classification.hyperparameters import Hyperparameters
from algorithms.image_classification.optimizers import Optimizer, Weights, learning_rate

NEEDED = {"num_classes": 2, "num_training_samples": 100, "mini_batch_size": 10}


def plainly(kind: str, weight: np.ndarray, gradients: list[np.ndarray], rate: float) -> np.ndarray:
    momentum, mean, square = (np.zeros_like(weight) for _ in range(3))
    for step, given in enumerate(gradients, 1):
        gradient = given + 0.01 * weight if kind in ("sgd", "nag") else given
        if kind == "sgd":
            momentum = 0.9 * momentum - rate * gradient
            weight = weight + momentum
        elif kind == "nag":
            momentum = 0.9 * momentum + gradient
            weight = weight - rate * (gradient + 0.9 * momentum)
        elif kind == "adam":
            mean, square = 0.8 * mean + 0.2 * gradient, 0.95 * square + 0.05 * gradient**2
            own = rate * math.sqrt(1 - 0.95**step) / (1 - 0.8**step)
            weight = weight - own * mean / (np.sqrt(square) + 1e-4)
        else:
            square = 0.7 * square + 0.3 * gradient**2
            weight = weight - rate * gradient / np.sqrt(square + 1e-4)
    return weight


@pytest.mark.parametrize("kind", ["sgd", "nag", "adam", "rmsprop"])
def test_steps_are_those_of_the_formulas(kind):
    """Gradients are sums over four pictures."""
    random = np.random.default_rng(0)
    weight, gradients = random.normal(size=(3, 2)), [random.normal(size=(3, 2)) for _ in range(5)]
    how = {"optimizer": kind, "weight_decay": 0.01, "beta_1": 0.8, "beta_2": 0.95, "gamma": 0.7, "eps": 1e-4}
    network = nn.Linear(2, 3, bias=False)
    network.weight.data.copy_(torch.from_numpy(weight))
    weights = Weights(network)
    optimizer = Optimizer(Hyperparameters.read({**NEEDED, **how}), weights)

    for gradient in gradients:
        network.weight.grad.copy_(torch.from_numpy(4 * gradient))
        optimizer.step(4, 0.05)

    np.testing.assert_allclose(network.weight.detach().numpy(), plainly(kind, weight, gradients, 0.05), rtol=1e-4)


def test_shifts_are_not_pulled_to_zero():
    network = nn.Linear(2, 3)
    before = network.bias.detach().clone(), network.weight.detach().clone()
    weights = Weights(network)
    optimizer = Optimizer(Hyperparameters.read({**NEEDED, "weight_decay": 0.5}), weights)

    optimizer.step(1, 0.1)

    torch.testing.assert_close(network.bias.detach(), before[0])
    torch.testing.assert_close(network.weight.detach(), before[1] * 0.95)


def test_parameters_and_gradients_are_views_of_one_array():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    want = [parameter.detach().clone() for parameter in network.parameters()]

    weights = Weights(network)

    for parameter, before in zip(network.parameters(), want, strict=True):
        torch.testing.assert_close(parameter.detach(), before)
    network(torch.randn(2, 3, 3, 3)).sum().backward()
    assert float(weights.gradients.abs().sum()) > 0
    weights.values.zero_()
    assert all(not parameter.any() for parameter in network.parameters())


def test_the_rate_falls_after_the_epochs_that_are_set():
    settings = Hyperparameters.read({**NEEDED, "num_training_samples": 95, "lr_scheduler_step": "2, 3"})

    rates = [round(learning_rate(settings, updates), 6) for updates in (0, 19, 20, 29, 30, 99)]

    assert rates == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
