"""Optimizers against MXNet's definitions, written plainly, and against torch.optim where that is the same."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.neural.optimizers import Optimizer, Rule, clip_norm_
from algoport.algorithms.shared.neural.weights import Weights

RATE, DECAY = 0.05, 0.01


class Plainly:
    """One weight array, and steps as the loops of MXNet's documentation have them. Clips where `most` is given."""

    def __init__(self, weight: np.ndarray, most: float | None) -> None:
        self.weight, self.most, self.step = weight.copy(), math.inf if most is None else most, 0
        self.first, self.second, self.third = (np.zeros_like(weight) for _ in range(3))

    def clipped(self, gradient: np.ndarray) -> np.ndarray:
        return np.clip(gradient, -self.most, self.most)

    def sgd(self, gradient: np.ndarray) -> None:
        gradient = self.clipped(gradient)
        self.first = 0.9 * self.first - RATE * DECAY * self.weight - RATE * gradient
        self.weight = self.weight + self.first

    def nag(self, gradient: np.ndarray) -> None:
        gradient = self.clipped(gradient) + DECAY * self.weight
        self.first = 0.9 * self.first + gradient
        self.weight = self.weight - RATE * (gradient + 0.9 * self.first)

    def adam(self, gradient: np.ndarray) -> None:
        self.step += 1
        gradient = self.clipped(gradient + DECAY * self.weight)
        self.first = 0.8 * self.first + 0.2 * gradient
        self.second = 0.95 * self.second + 0.05 * gradient**2
        rate = RATE * math.sqrt(1 - 0.95**self.step) / (1 - 0.8**self.step)
        self.weight = self.weight - rate * self.first / (np.sqrt(self.second) + 1e-4)

    def adagrad(self, gradient: np.ndarray) -> None:
        gradient = self.clipped(gradient)
        self.first = self.first + gradient**2
        self.weight = self.weight - RATE * (gradient / np.sqrt(self.first + 1e-4) + DECAY * self.weight)

    def adadelta(self, gradient: np.ndarray) -> None:
        gradient = self.clipped(gradient)
        self.first = 0.6 * self.first + 0.4 * gradient**2
        delta = np.sqrt(self.second + 1e-4) / np.sqrt(self.first + 1e-4) * gradient
        self.second = 0.6 * self.second + 0.4 * delta**2
        self.weight = self.weight - (delta + DECAY * self.weight)

    def rmsprop(self, gradient: np.ndarray) -> None:
        gradient = self.clipped(gradient + DECAY * self.weight)
        self.first = 0.7 * self.first + 0.3 * gradient**2
        self.weight = self.weight - RATE * gradient / np.sqrt(self.first + 1e-4)

    def centered_rmsprop(self, gradient: np.ndarray) -> None:
        gradient = self.clipped(gradient + DECAY * self.weight)
        self.first = 0.7 * self.first + 0.3 * gradient**2
        self.second = 0.7 * self.second + 0.3 * gradient
        self.third = 0.9 * self.third - RATE * gradient / np.sqrt(self.first - self.second**2 + 1e-4)
        self.weight = self.weight + self.third


KINDS = ["sgd", "nag", "adam", "adagrad", "adadelta", "rmsprop", "centered_rmsprop"]
SETTINGS: dict[str, Any] = {"weight_decay": DECAY, "beta_1": 0.8, "beta_2": 0.95, "gamma": 0.7, "rho": 0.6, "eps": 1e-4}


def steps(rule: Rule, weight: np.ndarray, gradients: list[np.ndarray], rate: float = RATE) -> np.ndarray:
    """The weight after steps from gradients that come as sums over four records."""
    network = nn.Linear(2, 3, bias=False)
    network.weight.data.copy_(torch.from_numpy(weight))
    optimizer = Optimizer(rule, Weights(network, Alone()))
    for gradient in gradients:
        network.weight.grad.copy_(torch.from_numpy(4 * gradient))
        optimizer.step(4, rate)
    return network.weight.detach().numpy()


def data() -> tuple[np.ndarray, list[np.ndarray]]:
    random = np.random.default_rng(0)
    return random.normal(size=(3, 2)), [random.normal(size=(3, 2)) for _ in range(5)]


@pytest.mark.parametrize("most", [None, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_mxnet_s_definitions(kind, most):
    """With weight decay, and clipped by value or not: where the two meet differs from one to the other."""
    weight, gradients = data()
    plain = Plainly(weight, most)

    after = steps(Rule(kind=kind, clip_value=most, **SETTINGS), weight, gradients)

    for gradient in gradients:
        getattr(plain, kind)(gradient)
    np.testing.assert_allclose(after, plain.weight, rtol=1e-4, atol=1e-6)
    assert np.abs(after - weight).min() > 1e-4


@pytest.mark.parametrize(
    ("kind", "peer"),
    [
        ("sgd", lambda given: torch.optim.SGD(given, RATE, momentum=0.9, weight_decay=DECAY)),
        ("nag", lambda given: torch.optim.SGD(given, RATE, momentum=0.9, weight_decay=DECAY, nesterov=True)),
        ("adam", lambda given: torch.optim.Adam(given, RATE, (0.8, 0.95), 1e-12, weight_decay=DECAY)),
        ("adagrad", lambda given: torch.optim.Adagrad(given, RATE, eps=1e-12)),
        ("adadelta", lambda given: torch.optim.Adadelta(given, 1.0, rho=0.6, eps=1e-4)),
        ("rmsprop", lambda given: torch.optim.RMSprop(given, RATE, 0.7, 1e-12, weight_decay=DECAY)),
        ("centered_rmsprop", lambda given: torch.optim.RMSprop(given, RATE, 0.7, 1e-12, 0, 0.9, centered=True)),
    ],
)
def test_steps_are_torch_s_where_its_definition_is_the_same(kind, peer):
    """But for where epsilon stands, which is made nothing; where weight decay enters differently, without it."""
    weight, gradients = data()
    decays = kind in ("sgd", "nag", "adam", "rmsprop")
    settings = {**SETTINGS, "eps": 1e-4 if kind == "adadelta" else 1e-24, "weight_decay": DECAY if decays else 0.0}
    parameter = nn.Parameter(torch.from_numpy(weight))
    optimizer = peer([parameter])

    after = steps(Rule(kind=kind, **settings), weight, gradients[1:])

    for gradient in gradients[1:]:
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
    np.testing.assert_allclose(after, parameter.detach().numpy(), rtol=2e-4, atol=1e-5)


def test_adadelta_uses_no_rate():
    weight, gradients = data()
    rule = Rule(kind="adadelta", weight_decay=DECAY)

    np.testing.assert_array_equal(steps(rule, weight, gradients, 1e-9), steps(rule, weight, gradients, 1e9))


@pytest.mark.parametrize("most", [0.5, 100.0])
def test_a_gradient_that_is_too_long_is_shortened_to_the_norm(most):
    gradient = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    clipped = gradient.clone()

    norm = clip_norm_(clipped, most)

    assert norm == pytest.approx(float(gradient.norm()), rel=1e-5)
    torch.testing.assert_close(clipped, gradient * min(1.0, most / norm))
    weight, gradients = data()
    rule = Rule(kind="sgd", momentum=0, clip_norm=0.5, rescale=0.1)
    moved = steps(rule, weight, [10 * gradients[0]], 1.0) - weight
    np.testing.assert_allclose(moved, -gradients[0] * 0.5 / np.linalg.norm(gradients[0]), rtol=1e-4)


def test_epsilons_that_are_not_set_are_mxnet_s():
    kinds = {kind: Rule(kind=kind).epsilon for kind in ("adam", "adagrad", "adadelta", "rmsprop")}

    assert kinds == {"adam": 1e-8, "adagrad": 1e-7, "adadelta": 1e-5, "rmsprop": 1e-8}


def test_weight_decay_applies_where_it_is_asked_for():
    network = nn.Linear(2, 3)
    before = network.bias.detach().clone(), network.weight.detach().clone()
    weights = Weights(network, Alone(), decays=lambda name: name == "weight")
    optimizer = Optimizer(Rule(kind="sgd", weight_decay=0.5), weights)

    optimizer.step(1, 0.1)

    torch.testing.assert_close(network.bias.detach(), before[0])
    torch.testing.assert_close(network.weight.detach(), before[1] * 0.95)


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_optimizer_takes_the_same_steps(kind):
    """Bit for bit those of the one that was never saved."""
    random = torch.Generator().manual_seed(1)

    def fresh():
        network = nn.Linear(3, 2)
        torch.nn.init.ones_(network.weight)
        torch.nn.init.ones_(network.bias)
        weights = Weights(network, Alone())
        return weights, Optimizer(Rule(kind=kind), weights)

    (weights, whole), (others, again) = fresh(), fresh()
    gradients = [torch.randn(8, generator=random) for _ in range(4)]
    for gradient in gradients[:2]:
        weights.gradients.copy_(gradient)
        whole.step(1, 0.1)
    again.restore(whole.arrays(), whole.updates)
    others.values.copy_(weights.values)
    for own, optimizer in ((weights, whole), (others, again)):
        for gradient in gradients[2:]:
            own.gradients.copy_(gradient)
            optimizer.step(1, 0.1)

    assert torch.equal(weights.values, others.values)
