"""How likely targets are under what the network says, in torch.    b windows   t steps   o outputs"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.forecasting_deepar.hyperparameters import (
    BETA,
    DETERMINISTIC,
    GAUSSIAN,
    NEGATIVE_BINOMIAL,
    STUDENT_T,
)

_EDGE = 1e-5  # how near to 0 and 1 a target of the beta distribution may be
_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)


def losses(likelihood: str, outputs: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    """Negative log-likelihood (b, t) of targets (b, t), given outputs (b, t, o) and scales (b,).

    Of deterministic-L1 it is the absolute error in units of the scale: else the largest series would be all that
    counts.
    """
    return _LOSSES[likelihood](outputs, targets, scales[:, None])


def _positive(x: Tensor) -> Tensor:
    """Softplus, and a little, so that it is never 0."""
    return functional.softplus(x) + 1e-5


def _gaussian(outputs: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    sigma = _positive(outputs[..., 1])
    error = (targets / scales - outputs[..., 0]) / sigma
    return 0.5 * error * error + torch.log(sigma * scales) + _HALF_LOG_2_PI


def _student(outputs: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    sigma, freedom = _positive(outputs[..., 1]), 2 + _positive(outputs[..., 2])
    error = (targets / scales - outputs[..., 0]) / sigma
    return (
        torch.log(sigma * scales)
        + 0.5 * torch.log(math.pi * freedom)
        + torch.lgamma(0.5 * freedom)
        - torch.lgamma(0.5 * (freedom + 1))
        + 0.5 * (freedom + 1) * torch.log1p(error * error / freedom)
    )


def _negative_binomial(outputs: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    """Equation 4 of the paper, with the logarithm of alpha * mu so that few counts lose no digits."""
    mean = scales * _positive(outputs[..., 0])
    shape = _positive(outputs[..., 1]) / torch.sqrt(scales)
    count, size = shape.reciprocal(), shape * mean
    return (
        torch.lgamma(targets + 1)
        + torch.lgamma(count)
        - torch.lgamma(targets + count)
        + (count + targets) * torch.log1p(size)
        - targets * torch.log(size)
    )


def _beta(outputs: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    a, b = _positive(outputs[..., 0]), _positive(outputs[..., 1])
    inside = targets.clamp(_EDGE, 1 - _EDGE)
    return (
        torch.lgamma(a)
        + torch.lgamma(b)
        - torch.lgamma(a + b)
        - (a - 1) * torch.log(inside)
        - (b - 1) * torch.log1p(-inside)
    )


def _absolute(outputs: Tensor, targets: Tensor, scales: Tensor) -> Tensor:
    return (targets / scales - outputs[..., 0]).abs()


_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    GAUSSIAN: _gaussian,
    STUDENT_T: _student,
    NEGATIVE_BINOMIAL: _negative_binomial,
    BETA: _beta,
    DETERMINISTIC: _absolute,
}
