"""How a step follows from a gradient, as MXNet defines its optimizers.    p parameters

All parameters lie in one array, and so do their gradients, so that a step is a few passes over arrays, and an exchange
between hosts is one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from algorithms.image_classification.hyperparameters import Hyperparameters


class Weights:
    """The parameters of a network and their gradients, each in one array that the network's own are views of."""

    def __init__(self, network: nn.Module) -> None:
        parameters = list(network.named_parameters())
        device = parameters[0][1].device
        size = sum(parameter.numel() for _, parameter in parameters)
        self.values = torch.empty(size, device=device)
        self.gradients = torch.zeros(size, device=device)
        self.decaying = torch.zeros(size, device=device)  # 1 where weights are pulled to zero: of all but shifts
        at = 0
        for name, parameter in parameters:
            span = slice(at, at + parameter.numel())
            values, gradients = (_shaped(whole[span], parameter) for whole in (self.values, self.gradients))
            values.copy_(parameter.data)
            parameter.data, parameter.grad = values, gradients
            self.decaying[span] = float(name.endswith(("weight", "scale")))
            at = span.stop


def _shaped(flat: Tensor, like: Tensor) -> Tensor:
    """A part of the array in a parameter's shape, and in the order that convolutions read it in."""
    if like.dim() < 4:
        return flat.view(like.shape)
    outer, inner, height, width = like.shape
    return flat.view(outer, height, width, inner).permute(0, 3, 1, 2)


class Optimizer:
    """Moves weights; remembers what its kind needs, p numbers each."""

    def __init__(self, settings: Hyperparameters, weights: Weights) -> None:
        self._settings, self._weights = settings, weights
        names = {"sgd": ("momentum",), "nag": ("momentum",), "adam": ("mean", "square"), "rmsprop": ("square",)}
        self.memory = {name: torch.zeros_like(weights.values) for name in names[settings.optimizer]}
        self.updates = 0

    def step(self, count: float, rate: float) -> None:
        """One update from gradients that are sums over so many pictures."""
        self.updates += 1
        gradients = self._weights.gradients.div_(count)
        if self._settings.optimizer in ("sgd", "nag") and self._settings.weight_decay:
            gradients.addcmul_(self._weights.values, self._weights.decaying, value=self._settings.weight_decay)
        getattr(self, f"_{self._settings.optimizer}")(gradients, rate)

    def _sgd(self, gradients: Tensor, rate: float) -> None:
        momentum = self.memory["momentum"].mul_(self._settings.momentum).sub_(gradients, alpha=rate)
        self._weights.values.add_(momentum)

    def _nag(self, gradients: Tensor, rate: float) -> None:
        momentum = self.memory["momentum"].mul_(self._settings.momentum).add_(gradients)
        self._weights.values.sub_(gradients.add_(momentum, alpha=self._settings.momentum), alpha=rate)

    def _adam(self, gradients: Tensor, rate: float) -> None:
        one, two = self._settings.beta_1, self._settings.beta_2
        mean = self.memory["mean"].mul_(one).add_(gradients, alpha=1 - one)
        square = self.memory["square"].mul_(two).addcmul_(gradients, gradients, value=1 - two)
        unbiased = math.sqrt(1 - two**self.updates) if two < 1 else 1.0
        first = 1 - one**self.updates if one < 1 else 1.0
        divisor = square.sqrt().add_(self._settings.eps)
        self._weights.values.addcdiv_(mean, divisor, value=-rate * unbiased / first)

    def _rmsprop(self, gradients: Tensor, rate: float) -> None:
        gamma = self._settings.gamma
        square = self.memory["square"].mul_(gamma).addcmul_(gradients, gradients, value=1 - gamma)
        self._weights.values.addcdiv_(gradients, (square + self._settings.eps).sqrt_(), value=-rate)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of what it remembers."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.memory.items()}

    def fill(self, given: Mapping[str, NDArray[Any]], updates: int) -> None:
        """Set what it remembers."""
        self.updates = updates
        for name, tensor in self.memory.items():
            tensor.copy_(torch.from_numpy(np.array(given[name], np.float32)))


def learning_rate(settings: Hyperparameters, updates: int) -> float:
    """The rate of the update after so many, lowered where the epochs of `lr_scheduler_step` are over; an epoch is as
    many updates as `num_training_samples` fill batches."""
    epoch = math.ceil(settings.num_training_samples / settings.mini_batch_size)
    passed = sum(updates >= step * epoch for step in settings.steps)
    return settings.learning_rate * settings.lr_scheduler_factor**passed
