"""The models that are trained side by side: one with the given settings, the others near it.    m models"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters

MOST = 32  # what auto stands for; the original's published log shows as many
# Bytes that the weights of all models, their moments and their gradients may take under auto.
MOST_BYTES = 1 << 30
ARRAYS = 5 * 4  # bytes a weight: itself, two moments, the mean, the gradient

# The first of each is the best model of the original's published log, but for the learning rates of what is not adam.
# 0.5 wins on letter, where an epoch has few steps, and 0.02 on Fashion-MNIST, with its many features that say the same;
# where a loss has one slope on a whole side, large steps lead to another quantile than the one asked for: on diamonds
# with batches of 200, 0.1 ends at the .10 quantile instead of the .20 one, 0.02 at the .17 one.
RATES = {"adam": (0.1, 0.5, 0.02, 0.005), "rmsprop": (0.02, 0.1, 0.005, 0.001), "sgd": (0.02, 0.1, 0.005, 0.001)}
DECAYS = (1e-4, 1e-6, 1e-3, 1e-2)
FACTOR, STEP, LEAST = 0.99, 100, 1e-5


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The settings in which models differ."""

    learning_rate: float
    wd: float
    l1: float
    positive: float = 1.0  # what a positive row weighs
    averaged: bool = True  # whether it is the mean of its steps that counts, or the last one
    factor: float = FACTOR
    step: int = STEP
    least: float = LEAST
    scheduled: bool = True

    def shown(self, optimizer: str) -> dict[str, Any]:
        """The settings of the best model, as they are logged."""
        values = {
            "optimizer": optimizer,
            "learning_rate": self.learning_rate,
            "wd": self.wd,
            "l1": self.l1,
            "positive_example_weight_mult": self.positive,
            "averaged": self.averaged,
        }
        schedule = {
            "lr_scheduler_step": self.step,
            "lr_scheduler_factor": self.factor,
            "lr_scheduler_minimum_lr": self.least,
        }
        return values | (schedule if self.scheduled else {})


def optimizer(settings: Hyperparameters) -> str:
    """The optimizer, with auto resolved."""
    return "adam" if settings.optimizer == "auto" else settings.optimizer


def candidates(settings: Hyperparameters, width: int, balance: float, seed: int) -> list[Candidate]:
    """All of them, the given one first; `balance` is how many negative rows there are to a positive one.

    What the user gave does not vary, unless more models are asked for than the other settings make.
    """
    grid = _grid(settings, balance)
    if settings.tuning_objective_metric is not None:
        return grid[:1]
    if settings.num_models != "auto":
        return [*grid[: settings.num_models], *_draw(grid, settings.num_models - len(grid), seed)]
    fitting = MOST_BYTES // (ARRAYS * settings.outputs * max(width, 1))
    return grid[: int(max(1, min(MOST, fitting)))]


def _grid(settings: Hyperparameters, balance: float) -> list[Candidate]:
    """Every combination, in an order in which the first half and quarter of them still vary what matters most."""
    weights = {"auto": (1.0, balance), "balanced": (balance,)}
    given = settings.positive_example_weight_mult
    positives = (weights[given] if isinstance(given, str) else (given,)) if settings.is_binary else (1.0,)
    rates = _axis(settings.learning_rate, RATES[optimizer(settings)])
    if len(dict.fromkeys(positives)) > 1:
        rates = rates[:2]  # the axis of weights takes the place of the others
    axes = (_axis(settings.wd, DECAYS), dict.fromkeys(positives), (True, False), rates)
    schedule = Candidate(
        learning_rate=0.0,
        wd=0.0,
        l1=_resolve(settings.l1, 0.0),
        scheduled=settings.use_lr_scheduler,
        factor=_resolve(settings.lr_scheduler_factor, FACTOR),
        step=int(_resolve(settings.lr_scheduler_step, STEP)),
        least=_resolve(settings.lr_scheduler_minimum_lr, LEAST),
    )
    return [
        replace(schedule, learning_rate=rate, wd=wd, positive=positive, averaged=averaged)
        for wd, positive, averaged, rate in itertools.product(*axes)
    ]


def _axis(given: float | str, searched: Sequence[float]) -> Sequence[float]:
    return searched if isinstance(given, str) else (given,)


def _resolve(given: float | str, auto: float) -> float:
    return auto if isinstance(given, str) else given


def _draw(grid: Sequence[Candidate], count: int, seed: int) -> list[Candidate]:
    """So many more, each near one of the grid: its three numbers times something from a third to three."""
    random = np.random.default_rng([seed, len(grid)])
    more = []
    for number in range(max(count, 0)):
        near = grid[number % len(grid)]
        rate, wd, l1 = 3.0 ** random.uniform(-1, 1, 3)
        more.append(replace(near, learning_rate=near.learning_rate * rate, wd=near.wd * wd, l1=near.l1 * l1))
    return more


class Schedule:
    """The learning rates of all models."""

    def __init__(self, models: Sequence[Candidate]) -> None:
        self._first = np.array([model.learning_rate for model in models])
        self._factor = np.array([model.factor if model.scheduled else 1.0 for model in models])
        self._step = np.array([model.step for model in models])
        self._least = np.minimum(self._first, [model.least for model in models])

    def rates(self, steps: int) -> NDArray[np.float64]:
        """That (m,) of every model after so many steps."""
        return np.asarray(np.maximum(self._first * self._factor ** (steps // self._step), self._least))
