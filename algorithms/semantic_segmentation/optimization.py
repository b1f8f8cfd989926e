"""Which step follows from a gradient, by the settings."""

from __future__ import annotations

from typing import Any, cast

from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.shared.neural import schedules
from algoport.algorithms.shared.neural.optimizers import Rule

POWER = 0.9  # of poly
HEAD_RATE = 10.0  # by how much decoders learn faster than the encoder
_DECAYING = ("sgd", "nag")  # weight_decay is used by these alone


def rule(settings: Hyperparameters) -> Rule:
    """The optimizer; rmsprop is Graves's centered one, with a momentum."""
    own = settings.optimizer
    return Rule(
        kind=cast(Any, "centered_rmsprop" if own == "rmsprop" else own),
        momentum=settings.gamma2 if own == "rmsprop" else settings.momentum,
        weight_decay=settings.weight_decay if own in _DECAYING else 0.0,
        gamma=settings.gamma1,
    )


def steps_of_epoch(settings: Hyperparameters) -> int:
    """Batches of an epoch by which the learning rate falls: whole ones, as the original counts."""
    return max(1, settings.num_training_samples // settings.mini_batch_size)


def learning_rate(settings: Hyperparameters, epoch: int, step: int) -> float:
    """The rate of a batch, both counted from 0. A rest of an epoch that fills no batch does not move it on."""
    rate, every = settings.learning_rate, steps_of_epoch(settings)
    updates, total = epoch * every + min(step, every), settings.epochs * every
    if settings.lr_scheduler == "poly":
        return schedules.polynomial_decay(rate, POWER, updates, total)
    if settings.lr_scheduler == "cosine":
        return schedules.cosine_decay(rate, updates, total)
    return schedules.step_decay(rate, settings.lr_scheduler_factor, settings.steps, epoch)
