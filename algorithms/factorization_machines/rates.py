"""The numbers of steps of Adam, of MXNet's form: weight decay is part of the gradient, which is clipped behind it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.factorization_machines.hyperparameters import Hyperparameters

BETA_1, BETA_2 = 0.9, 0.999
EPS = 1e-8  # where none is set


class Rates(NamedTuple):
    """The numbers of a step. A rate of 0 is no step."""

    # For the kernels (8,): what sums of gradients are multiplied by, 1 - beta_1, 1 - beta_2, clip, 1 / the correction
    # of the mean of squares, eps beside the corrected root, and of the linear weights the rate and the weight decay.
    linear: NDArray[np.float32]
    factors: NDArray[np.float32]  # (2,) the rate and the weight decay
    bias: list[float]  # the same eight for the bias


def of_steps(settings: Hyperparameters, updates: int, rows: NDArray[np.int64]) -> list[Rates]:
    """Those of the steps after so many, with so many rows each."""
    numbers = updates + 1 + np.arange(len(rows))
    first, second = 1 - BETA_1**numbers, 1 - BETA_2**numbers
    shared = np.empty((len(rows), 8))
    shared[:, 0] = 1 / np.maximum(rows, 1) if settings.rescale_grad is None else settings.rescale_grad
    shared[:, 1:3] = 1 - BETA_1, 1 - BETA_2
    shared[:, 3] = math.inf if settings.clip_gradient is None else settings.clip_gradient
    shared[:, 4] = 1 / second
    # MXNet's stands beside the root that is not corrected.
    shared[:, 5] = (EPS if settings.eps is None else settings.eps) / np.sqrt(second)
    shared[:, 6], shared[:, 7] = settings.bias_lr * settings.use_bias / first, settings.bias_wd
    with np.errstate(over="ignore"):  # a rate that is far too large ends in weights that are not finite
        linear, factors = shared.astype(np.float32), np.empty((len(rows), 2), np.float32)
        linear[:, 6], linear[:, 7] = settings.linear_lr * settings.use_linear / first, settings.linear_wd
        factors[:, 0], factors[:, 1] = settings.factors_lr / first, settings.factors_wd
    return [Rates(*parts) for parts in zip(linear, factors, shared.tolist(), strict=True)]
