"""How a step follows from a gradient, and its learning rate.    p weights"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
from algoport.algorithms.seq2seq.state import State
from algoport.algorithms.shared.neural import rules, schedules

Array = NDArray[np.float32]
BLOCK = 1 << 16  # numbers that sgd with momentum treats at a time


def rate(settings: Hyperparameters, state: State) -> float:
    """The learning rate of the next update."""
    half = settings.fixed_rate_lr_half_life * settings.checkpoint_frequency_num_batches
    if settings.lr_scheduler_type == "fixed_rate_inv_t":
        return schedules.inverse_time(settings.learning_rate, half, state.updates)
    if settings.lr_scheduler_type == "fixed_rate_inv_sqrt_t":
        return schedules.inverse_square_root(settings.learning_rate, half, state.updates)
    return settings.learning_rate * state.reduced


def memory(settings: Hyperparameters, p: int) -> list[Array]:
    """What the optimizer keeps, before its first step."""
    if settings.optimizer_type == "sgd":
        return [np.zeros(p, np.float32)] if settings.rate_momentum else []
    return rules.states(rules.Rule(kind=settings.optimizer_type), p)


def arrays(settings: Hyperparameters) -> int:
    """How many arrays that are."""
    return len(memory(settings, 0))


def step_(settings: Hyperparameters, design: Design, state: State, gradient: Array, tokens: float) -> None:
    """One update from a gradient that is a sum over so many target tokens; weight decay leaves biases alone."""
    size = rate(settings, state)
    state.updates += 1
    clip = settings.clip_gradient if settings.clip_gradient > 0 else math.inf
    rule = rules.Rule(kind=settings.optimizer_type, rate=size, decay=settings.weight_decay, clip=clip)
    whole, matrices = slice(0, design.size), slice(0, design.decaying)
    spans = [(matrices, True), (slice(design.decaying, design.size), False)] if rule.decay else [(whole, False)]
    for span, decays in spans:
        own = [each[span] for each in state.memory]
        if settings.rate_momentum:
            _momentum_(settings, size, state.weights[span], gradient[span], own[0], tokens, clip, decays)
        else:
            rules.step_(
                rule, state.weights[span], gradient[span], own, count=tokens, updates=state.updates, decays=decays
            )


def _momentum_(
    settings: Hyperparameters,
    size: float,
    weights: Array,  # sets
    gradient: Array,
    momentum: Array,  # sets
    tokens: float,
    clip: float,
    decays: bool,
) -> None:
    """Stochastic gradient descent with momentum, as MXNet has it: the decay is added behind clipping."""
    decay = np.float32(settings.weight_decay if decays else 0)
    for first in range(0, len(weights), BLOCK):
        part = slice(first, first + BLOCK)
        own = np.clip(gradient[part] / np.float32(tokens), -clip, clip) + decay * weights[part]
        momentum[part] *= np.float32(settings.rate_momentum)
        momentum[part] -= np.float32(size) * own
        weights[part] += momentum[part]
