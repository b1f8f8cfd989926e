"""The weights of all models, and a step of them together.

d features   k outputs of a model   m models   c columns, the k outputs of model 0, of model 1 and so on
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.linear_learner import kernels
from algoport.algorithms.linear_learner.candidates import Candidate, Schedule, optimizer
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters

Singles = NDArray[np.float32]

_OPTIMIZERS = {"sgd": kernels.SGD, "adam": kernels.ADAM, "rmsprop": kernels.RMSPROP}
_FIRST_DECAY, _SECOND_DECAY, _MOMENTUM = 0.9, 0.999, 0.9
# The mean over the steps gives the t-th of them (1 + DECAY) / (t + DECAY) of the whole: what counts is about the last
# ninth, however long the training (Shamir and Zhang, ICML 2013, eq. 6). Beside the last step itself it takes letter
# from .766 to .772, diamonds from an RMSE of 1157 to 1126; with a decay of 1 or 3 it lags, with 20 it is no better.
DECAY = 8


@dataclass(eq=False)
class Parameters:
    """What a step changes; the same at every member."""

    weights: Singles  # (d, c)
    bias: Singles  # (c,)
    first: Singles  # (d, c) moments
    second: Singles  # (d, c)
    first_bias: Singles  # (c,)
    second_bias: Singles  # (c,)
    mean: Singles  # (d, c) over the steps, the later the more
    mean_bias: Singles  # (c,)

    @classmethod
    def initial(cls, weights: Singles, bias: Singles, models: int) -> Parameters:
        """All models start from the same weights (d, k) and bias (k,)."""
        weights = np.ascontiguousarray(np.tile(weights, (1, models)), np.float32)
        bias = np.tile(bias, models).astype(np.float32)
        nothing, none = np.zeros_like(weights), np.zeros_like(bias)
        return cls(
            weights, bias, nothing, nothing.copy(), none, none.copy(), mean=weights.copy(), mean_bias=bias.copy()
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for a checkpoint."""
        return dict(vars(self))

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Parameters:
        """What `arrays` returned."""
        return cls(**{name: arrays[name].copy() for name in cls.__dataclass_fields__})


class Descent:
    """How gradients move parameters."""

    def __init__(self, settings: Hyperparameters, models: Sequence[Candidate], parameters: Parameters) -> None:
        self.parameters = parameters
        self.steps = 0
        self._settings, self._schedule = settings, Schedule(models)
        self._optimizer = _OPTIMIZERS[optimizer(settings)]
        self._wd = np.array([model.wd for model in models])
        self._l1 = np.array([model.l1 for model in models])
        self._averages = any(model.averaged for model in models)
        averaged = np.repeat([model.averaged for model in models], settings.outputs)
        self._averaged: NDArray[np.bool_] = averaged
        first, second = settings.beta_1, settings.beta_2
        if self._optimizer == kernels.SGD:
            self._beta_1 = _resolve(settings.momentum, _MOMENTUM)
        else:
            self._beta_1 = _resolve(first, _FIRST_DECAY)
        self._beta_2 = _resolve(second, _SECOND_DECAY if self._optimizer == kernels.ADAM else _FIRST_DECAY)

    def step(self, gradient: NDArray[Any], bias_gradient: NDArray[Any], weight: float) -> None:
        """One step by gradients summed over rows that together weigh so much."""
        self.steps += 1
        own, settings = self.parameters, self._settings
        kernels.update(
            own.weights,
            own.bias,
            own.first,
            own.second,
            own.first_bias,
            own.second_bias,
            gradient,
            bias_gradient,
            float(weight),
            self.steps,
            self._optimizer,
            self._schedule.rates(self.steps - 1),
            self._wd,
            self._l1,
            self._beta_1,
            self._beta_2,
            _resolve(settings.bias_lr_mult, 1.0),
            _resolve(settings.bias_wd_mult, 0.0),
            settings.use_bias,
            own.mean if self._averages else None,
            own.mean_bias if self._averages else None,
            (1 + DECAY) / (self.steps + DECAY),
        )

    def current(self) -> tuple[Singles, Singles]:
        """The weights (d, c) and bias (c,) that the models stand for: the mean of the steps, or the last one."""
        own = self.parameters
        if not self._averages or self.steps == 0:
            return own.weights, own.bias
        if self._averaged.all():
            return own.mean, own.mean_bias
        chosen = np.where(self._averaged, own.mean, own.weights), np.where(self._averaged, own.mean_bias, own.bias)
        return chosen


def draw_weights(settings: Hyperparameters, varies: NDArray[np.bool_], seed: int) -> tuple[Singles, Singles]:
    """The weights (d, k) and bias (k,) to start from. A feature that does not vary (d,) starts at 0: nothing
    would take its weight from where it is."""
    random = np.random.default_rng(seed)
    size = (len(varies), settings.outputs)
    if settings.init_method == "uniform":
        weights = random.uniform(-settings.init_scale, settings.init_scale, size)
    else:
        weights = random.normal(0, settings.init_sigma, size)
    bias = np.full(settings.outputs, settings.init_bias if settings.use_bias else 0.0, np.float32)
    return (weights * varies[:, None]).astype(np.float32), bias


def _resolve(given: float | str, auto: float) -> float:
    return auto if isinstance(given, str) else float(given)
