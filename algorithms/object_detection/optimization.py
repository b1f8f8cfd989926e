"""Which step follows from a gradient, by the settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from algoport.algorithms.object_detection.hyperparameters import Hyperparameters
from algoport.algorithms.object_detection.network import Detector, is_of_base, parameters
from algoport.algorithms.shared.neural import schedules
from algoport.algorithms.shared.neural.optimizers import Optimizer, Rule

_DECAYING = ("sgd", "rmsprop")  # weight_decay is used by these alone
CLIP = 10.0  # the norm that a gradient has at most: of a network that begins at random, the first are far larger


def rule(settings: Hyperparameters) -> Rule:
    """The optimizer."""
    return Rule(
        kind=cast(Any, settings.optimizer),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay if settings.optimizer in _DECAYING else 0.0,
        clip_norm=CLIP,
    )


def decays(name: str) -> bool:
    """Whether weight decay applies to a parameter, as it does to all but shifts."""
    return name.endswith(("weight", "scale"))


def learning_rate(settings: Hyperparameters, updates: int, hosts: int = 1) -> float:
    """The rate of the update after so many, lowered where the epochs of `lr_scheduler_step` are over; an epoch is as
    many updates as `num_training_samples` fill batches of all hosts."""
    epoch = max(settings.num_training_samples // settings.batch_of(hosts), 1)
    ends = [step * epoch for step in settings.steps]
    return schedules.step_decay(settings.learning_rate, settings.lr_scheduler_factor, ends, updates)


class Steps:
    """The optimizer's updates: shifts of the heads go twice as far, and what is frozen stays."""

    def __init__(self, network: Detector, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._doubled = [
            parameter for name, parameter in network.named_parameters() if name.endswith("_pred_conv.bias")
        ]
        self._frozen: list[Tensor] = []

    def freeze(self, network: Detector, pattern: str) -> list[str]:
        """Do not train what a pattern matches the beginning of; the names of that."""
        if not pattern:
            return []
        match = re.compile(pattern).match
        chosen = {
            name: tensor
            for name, tensor in parameters(network)
            if isinstance(tensor, nn.Parameter) and is_of_base(name) and match(name)
        }
        self._frozen = list(chosen.values())
        return list(chosen)

    def step(self, rate: float) -> None:
        """One update from gradients that are those of the whole loss."""
        with torch.no_grad():
            still = _copies(self._frozen)
            for tensor in self._frozen:
                assert tensor.grad is not None
                tensor.grad.zero_()
            before = _copies(self._doubled)
            self._optimizer.step(1.0, rate)
            for tensor, old in zip(self._doubled, before, strict=True):
                tensor.add_(tensor - old)
            for tensor, old in zip(self._frozen, still, strict=True):
                tensor.copy_(old)


def _copies(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]
