"""Optimizers against the formulas of MXNet, written plainly."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.neural.optimizers import Optimizer, Rule
from algoport.algorithms.shared.neural.weights import Weights


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
    rule = Rule(kind=kind, weight_decay=0.01, beta_1=0.8, beta_2=0.95, gamma=0.7, eps=1e-4)
    network = nn.Linear(2, 3, bias=False)
    network.weight.data.copy_(torch.from_numpy(weight))
    weights = Weights(network, Alone())
    optimizer = Optimizer(rule, weights)

    for gradient in gradients:
        network.weight.grad.copy_(torch.from_numpy(4 * gradient))
        optimizer.step(4, 0.05)

    np.testing.assert_allclose(network.weight.detach().numpy(), plainly(kind, weight, gradients, 0.05), rtol=1e-4)


def test_only_what_decays_is_pulled_to_zero():
    network = nn.Linear(2, 3)
    before = network.bias.detach().clone(), network.weight.detach().clone()
    weights = Weights(network, Alone(), decays=lambda name: name == "weight")
    optimizer = Optimizer(Rule(kind="sgd", weight_decay=0.5), weights)

    optimizer.step(1, 0.1)

    torch.testing.assert_close(network.bias.detach(), before[0])
    torch.testing.assert_close(network.weight.detach(), before[1] * 0.95)


def test_what_is_remembered_can_be_kept_and_set():
    """Bit for bit the next step of the one that was never put away."""
    random = torch.Generator().manual_seed(1)

    def begun():
        network = nn.Linear(3, 2)
        torch.nn.init.ones_(network.weight)
        torch.nn.init.ones_(network.bias)
        weights = Weights(network, Alone())
        return weights, Optimizer(Rule(kind="adam"), weights)

    (weights, whole), (others, again) = begun(), begun()
    gradients = [torch.randn(8, generator=random) for _ in range(4)]
    for gradient in gradients[:2]:
        weights.gradients.copy_(gradient)
        whole.step(1, 0.1)
    again.fill(whole.arrays(), whole.updates)
    others.values.copy_(weights.values)
    for own, optimizer in ((weights, whole), (others, again)):
        for gradient in gradients[2:]:
            own.gradients.copy_(gradient)
            optimizer.step(1, 0.1)

    assert torch.equal(weights.values, others.values)
