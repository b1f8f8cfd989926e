"""How a step follows from a gradient, as MXNet defines its optimizers.    p parameters"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.shared.neural import snapshots
from algoport.algorithms.shared.neural.weights import Weights

_MEMORY = {"sgd": ("momentum",), "nag": ("momentum",), "adam": ("mean", "square"), "rmsprop": ("square",)}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which one it is, and its settings."""

    kind: Literal["sgd", "nag", "adam", "rmsprop"]
    momentum: float = 0.9  # sgd, nag
    weight_decay: float = 0.0  # sgd, nag: the share of a weight that is added to its gradient
    beta_1: float = 0.9  # adam
    beta_2: float = 0.999
    eps: float = 1e-8  # adam, rmsprop
    gamma: float = 0.9  # rmsprop


class Optimizer:
    """Moves weights; remembers what its kind needs, p numbers each."""

    def __init__(self, rule: Rule, weights: Weights) -> None:
        self._rule, self._weights = rule, weights
        self.memory = {name: torch.zeros_like(weights.values) for name in _MEMORY[rule.kind]}
        self.updates = 0

    def step(self, count: float, rate: float) -> None:
        """One update from gradients that are sums over so many records."""
        self.updates += 1
        gradients = self._weights.gradients.div_(count)
        if self._rule.kind in ("sgd", "nag") and self._rule.weight_decay:
            gradients.addcmul_(self._weights.values, self._weights.decaying, value=self._rule.weight_decay)
        getattr(self, f"_{self._rule.kind}")(gradients, rate)

    def _sgd(self, gradients: Tensor, rate: float) -> None:
        momentum = self.memory["momentum"].mul_(self._rule.momentum).sub_(gradients, alpha=rate)
        self._weights.values.add_(momentum)

    def _nag(self, gradients: Tensor, rate: float) -> None:
        """Nesterov's: the momentum after this step counts already."""
        momentum = self.memory["momentum"].mul_(self._rule.momentum).add_(gradients)
        self._weights.values.sub_(gradients.add_(momentum, alpha=self._rule.momentum), alpha=rate)

    def _adam(self, gradients: Tensor, rate: float) -> None:
        """Kingma and Ba 2015; `eps` stands beside the uncorrected root."""
        one, two = self._rule.beta_1, self._rule.beta_2
        mean = self.memory["mean"].mul_(one).add_(gradients, alpha=1 - one)
        square = self.memory["square"].mul_(two).addcmul_(gradients, gradients, value=1 - two)
        unbiased = math.sqrt(1 - two**self.updates) if two < 1 else 1.0
        first = 1 - one**self.updates if one < 1 else 1.0
        divisor = square.sqrt().add_(self._rule.eps)
        self._weights.values.addcdiv_(mean, divisor, value=-rate * unbiased / first)

    def _rmsprop(self, gradients: Tensor, rate: float) -> None:
        """Tieleman and Hinton 2012; `eps` stands within the root."""
        gamma = self._rule.gamma
        square = self.memory["square"].mul_(gamma).addcmul_(gradients, gradients, value=1 - gamma)
        self._weights.values.addcdiv_(gradients, (square + self._rule.eps).sqrt_(), value=-rate)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of what it remembers."""
        return snapshots.arrays(self.memory.items())

    def fill(self, given: Mapping[str, NDArray[np.float32]], updates: int) -> None:
        """Set what it remembers."""
        self.updates = updates
        snapshots.fill(self.memory.items(), given)
