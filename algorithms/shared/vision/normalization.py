"""Batch normalization over the pictures of all members, with the rectifier behind it.

n pictures   c channels   m values a channel, of all members

Statistics are of the whole batch wherever its pictures lie, so that several hosts compute what one would: sums of
values and squares are exchanged in the forward pass, and sums of gradients in the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from algoport.algorithms.shared.vision.normalization_passes import passes

Exchange = Callable[[NDArray[np.float64]], None]  # replaces an array by its sum over the members

EPS, MOVING = 2e-5, 0.9


class BatchNorm(nn.Module):
    """Per channel, a batch with mean 0 and variance 1, scaled and shifted; `rectified`: and what is below 0 is 0.

    In evaluation it uses moving averages, of variances as they are and not of estimates of a population's.
    """

    scale: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(
        self, channels: int, exchange: Exchange, *, rectified: bool = True, scaled: bool = True, eps: float = EPS
    ) -> None:
        super().__init__()
        self.exchange, self.rectified, self.eps = exchange, rectified, eps
        if scaled:
            self.scale = nn.Parameter(torch.ones(channels))
        else:
            self.register_buffer("scale", torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if not self.training:
            out = torch.batch_norm(x, self.scale, self.shift, self.mean, self.variance, False, 0.0, self.eps, False)
            return out.relu_() if self.rectified else out
        normalize: Any = _BatchNorm.apply
        how = self.rectified, self.eps, self.exchange
        y: Tensor = normalize(x, self.scale, self.shift, self.mean, self.variance, *how)
        return y


class _BatchNorm(torch.autograd.Function):
    """One layer's forward and backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        moving_mean: Tensor,
        moving_variance: Tensor,
        rectified: bool,
        eps: float,
        exchange: Exchange,
    ) -> Tensor:
        """Normalize with the statistics of all members, and let the moving averages follow."""
        mean, variance, count = _statistics(x, exchange)
        moving_mean.mul_(MOVING).add_(mean, alpha=1 - MOVING)
        moving_variance.mul_(MOVING).add_(variance, alpha=1 - MOVING)
        inverse = torch.rsqrt(variance + eps)
        slope = scale * inverse
        level = shift - mean * slope
        ctx.save_for_backward(x, mean, inverse, slope, level)
        ctx.count, ctx.exchange, ctx.rectified = count, exchange, rectified
        return passes(x).normalize(x, slope, level, rectified)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradients of the input and of this member's part of scale and shift (Ioffe and Szegedy 2015)."""
        x, mean, inverse, slope, level = ctx.saved_tensors
        own = passes(x)
        gradient = own.like(gradient, x)
        sums = own.slopes(gradient, x, mean, slope, level, ctx.rectified)  # (2, c) float64
        of_shift, of_scale = sums[0].float(), (sums[1] * inverse).float()
        whole = _exchange(sums, ctx.exchange) / ctx.count
        off = -(slope * inverse * inverse).double() * whole[1]  # by how much a value, less the mean, changes its slope
        factors = torch.stack([slope, off.float(), (-slope * whole[0] - off * mean).float()])
        of_input = own.backward(gradient, x, slope, level, ctx.rectified, factors)
        return of_input, of_scale, of_shift, None, None, None, None, None


def _statistics(x: Tensor, exchange: Exchange) -> tuple[Tensor, Tensor, float]:
    """Mean and variance of each channel over all members, and of how many values they are."""
    c = x.shape[1]
    sums = np.zeros((3, c))
    if len(x):
        own, spread = passes(x).moments(x)
        count = x.numel() // c
        sums[0], sums[1], sums[2] = own * count, (spread + own * own) * count, count
    exchange(sums)
    whole = max(float(sums[2, 0]), 1.0)
    mean_, square = sums[0] / whole, sums[1] / whole
    variance_ = np.maximum(square - mean_ * mean_, 0.0)
    mean, variance = (torch.from_numpy(array).to(x.device, torch.float32) for array in (mean_, variance_))
    return mean, variance, whole


def _exchange(sums: Tensor, exchange: Exchange) -> Tensor:
    whole = sums.cpu().numpy().copy()
    exchange(whole)
    return torch.from_numpy(whole).to(sums.device)
