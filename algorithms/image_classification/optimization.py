"""Which step follows from a gradient, by the settings."""

from __future__ import annotations

import math
from typing import Any, cast

from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.shared.neural import schedules
from algoport.algorithms.shared.neural.optimizers import Rule

_DECAYING = ("sgd", "nag")  # weight_decay is used by these alone


def rule(settings: Hyperparameters) -> Rule:
    """The optimizer."""
    return Rule(
        kind=cast(Any, settings.optimizer),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay if settings.optimizer in _DECAYING else 0.0,
        beta_1=settings.beta_1,
        beta_2=settings.beta_2,
        eps=settings.eps,
        gamma=settings.gamma,
    )


def decays(name: str) -> bool:
    """Whether weight decay applies to a parameter, as it does to all but shifts."""
    return name.endswith(("weight", "scale"))


def learning_rate(settings: Hyperparameters, updates: int, hosts: int = 1) -> float:
    """The rate of the update after so many, lowered where the epochs of `lr_scheduler_step` are over; an epoch is as
    many updates as `num_training_samples` fill batches of all hosts."""
    epoch = math.ceil(settings.num_training_samples / settings.batch_of(hosts))
    ends = [step * epoch for step in settings.steps]
    return schedules.step_decay(settings.learning_rate, settings.lr_scheduler_factor, ends, updates)
