"""How a step follows from a gradient, as MXNet 1.x defines its optimizers.    p parameters

Where MXNet's `clip_gradient` and weight decay meet differs by optimizer, and is kept: sgd, nag, adagrad and adadelta
clip the gradient and add the decay behind that; adam and rmsprop add the decay first and clip the sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.shared.neural import tensors
from algoport.algorithms.shared.neural.weights import Weights

Kind = Literal["sgd", "nag", "adam", "adagrad", "adadelta", "rmsprop", "centered_rmsprop"]

_STATE: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum",),
    "nag": ("momentum",),
    "adam": ("mean", "square"),
    "adagrad": ("history",),
    "adadelta": ("square", "delta"),
    "rmsprop": ("square",),
    "centered_rmsprop": ("square", "mean", "momentum"),
}
# What MXNet adds under the root where nobody sets it.
_EPS = {"adam": 1e-8, "adagrad": 1e-7, "adadelta": 1e-5, "rmsprop": 1e-8, "centered_rmsprop": 1e-8}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which optimizer it is, and its settings."""

    kind: Kind
    momentum: float = 0.9  # sgd, nag; centered_rmsprop: of the update (MXNet's gamma2)
    weight_decay: float = 0.0  # the share of a weight that is added to its gradient, of adadelta to its step
    beta_1: float = 0.9  # adam
    beta_2: float = 0.999
    eps: float | None = None  # adam, adagrad, adadelta, rmsprop; None: MXNet's
    gamma: float = 0.9  # rmsprop: decay of the mean of squares (MXNet's gamma1)
    rho: float = 0.9  # adadelta
    rescale: float = 1.0  # what gradients are multiplied by before all else
    clip_norm: float | None = None  # the largest norm of the whole gradient
    clip_value: float | None = None  # the largest size of each of its components (MXNet's clip_gradient)

    @property
    def epsilon(self) -> float:
        """What is added to a divisor."""
        return _EPS.get(self.kind, 0.0) if self.eps is None else self.eps


class Optimizer:
    """Updates weights in place; its state is an array (p,) for each name that its kind needs."""

    def __init__(self, rule: Rule, weights: Weights) -> None:
        self._rule, self._weights = rule, weights
        self.state = {name: torch.zeros_like(weights.values) for name in _STATE[rule.kind]}
        self.updates = 0

    def step(self, count: float, rate: float) -> None:
        """One update from gradients that are sums over so many records; changes the gradients. adadelta uses no rate.

        Raises nothing where a gradient is not finite: who needs to know looks at the loss.
        """
        self.updates += 1
        gradients = self._weights.gradients.div_(count)
        if self._rule.rescale != 1:
            gradients.mul_(self._rule.rescale)
        if self._rule.clip_norm is not None:
            clip_norm_(gradients, self._rule.clip_norm)
        getattr(self, f"_{self._rule.kind}")(gradients, rate)

    def _sgd(self, gradients: Tensor, rate: float) -> None:
        self._decay_(self._clip_(gradients))
        momentum = self.state["momentum"].mul_(self._rule.momentum).sub_(gradients, alpha=rate)
        self._weights.values.add_(momentum)

    def _nag(self, gradients: Tensor, rate: float) -> None:
        """Nesterov's: the momentum after this step counts already (Sutskever et al. 2013)."""
        self._decay_(self._clip_(gradients))
        momentum = self.state["momentum"].mul_(self._rule.momentum).add_(gradients)
        self._weights.values.sub_(gradients.add_(momentum, alpha=self._rule.momentum), alpha=rate)

    def _adam(self, gradients: Tensor, rate: float) -> None:
        """Kingma and Ba 2015; `eps` stands beside the uncorrected root."""
        self._clip_(self._decay_(gradients))
        one, two = self._rule.beta_1, self._rule.beta_2
        mean = self.state["mean"].mul_(one).add_(gradients, alpha=1 - one)
        square = self.state["square"].mul_(two).addcmul_(gradients, gradients, value=1 - two)
        unbiased = math.sqrt(1 - two**self.updates) if two < 1 else 1.0
        first = 1 - one**self.updates if one < 1 else 1.0
        divisor = square.sqrt().add_(self._rule.epsilon)
        self._weights.values.addcdiv_(mean, divisor, value=-rate * unbiased / first)

    def _adagrad(self, gradients: Tensor, rate: float) -> None:
        """Duchi, Hazan and Singer 2011; `eps` stands within the root, and weight decay is not divided by it."""
        self._clip_(gradients)
        history = self.state["history"].addcmul_(gradients, gradients)
        step = gradients.div_((history + self._rule.epsilon).sqrt_())
        self._weights.values.sub_(self._decay_(step), alpha=rate)

    def _adadelta(self, gradients: Tensor, rate: float) -> None:
        """Zeiler 2012: the size of a step follows from the steps before. Uses no rate, and none for weight decay."""
        self._clip_(gradients)
        rho, eps = self._rule.rho, self._rule.epsilon
        square = self.state["square"].mul_(rho).addcmul_(gradients, gradients, value=1 - rho)
        delta = self.state["delta"]
        step = (delta + eps).sqrt_().div_((square + eps).sqrt_()).mul_(gradients)
        delta.mul_(rho).addcmul_(step, step, value=1 - rho)
        self._weights.values.sub_(self._decay_(step))

    def _rmsprop(self, gradients: Tensor, rate: float) -> None:
        """Tieleman and Hinton 2012; `eps` stands within the root."""
        self._clip_(self._decay_(gradients))
        gamma = self._rule.gamma
        square = self.state["square"].mul_(gamma).addcmul_(gradients, gradients, value=1 - gamma)
        self._weights.values.addcdiv_(gradients, (square + self._rule.epsilon).sqrt_(), value=-rate)

    def _centered_rmsprop(self, gradients: Tensor, rate: float) -> None:
        """Graves 2013, equations 38 to 45: divided by a deviation, and with a momentum."""
        self._clip_(self._decay_(gradients))
        gamma = self._rule.gamma
        square = self.state["square"].mul_(gamma).addcmul_(gradients, gradients, value=1 - gamma)
        mean = self.state["mean"].mul_(gamma).add_(gradients, alpha=1 - gamma)
        divisor = (square - mean * mean).clamp_(min=0).add_(self._rule.epsilon).sqrt_()
        momentum = self.state["momentum"].mul_(self._rule.momentum).addcdiv_(gradients, divisor, value=-rate)
        self._weights.values.add_(momentum)

    def _decay_(self, gradients: Tensor) -> Tensor:
        if self._rule.weight_decay:
            gradients.addcmul_(self._weights.values, self._weights.decaying, value=self._rule.weight_decay)
        return gradients

    def _clip_(self, gradients: Tensor) -> Tensor:
        most = self._rule.clip_value
        return gradients if most is None else gradients.clamp_(-most, most)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of its state."""
        return tensors.arrays(self.state.items())

    def restore(self, arrays: Mapping[str, NDArray[np.float32]], updates: int) -> None:
        """Set its state to what `arrays` and `updates` were."""
        self.updates = updates
        tensors.fill(self.state.items(), arrays)


def clip_norm_(gradients: Tensor, most: float) -> float:
    """Shorten a gradient to the norm `most` where it is longer (Pascanu et al. 2013); the norm that it had."""
    norm = float(torch.linalg.vector_norm(gradients, dtype=torch.float64))
    if norm > most:
        gradients.mul_(most / norm)
    return norm
