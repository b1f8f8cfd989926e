"""Batch normalization over the pictures of all members, with the rectifier behind it.

n pictures   c channels   m values a channel, of all members

Statistics are of the whole batch wherever its pictures lie, so that several hosts compute what one would: sums of
values and squares are exchanged on the way forward, and sums of gradients on the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Exchange = Callable[[NDArray[np.float64]], None]  # replaces an array by its sum over the members

EPS, MOVING = 2e-5, 0.9


class Normalized(nn.Module):
    """Per channel, a batch with mean 0 and variance 1, scaled and shifted; `rectified`: and what is below 0 is 0.

    Where it does not learn, it uses moving averages, of variances as they are and not of estimates of a population's.
    """

    scale: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, exchange: Exchange, *, rectified: bool = True, scaled: bool = True) -> None:
        super().__init__()
        self.exchange, self.rectified = exchange, rectified
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
            out = torch.batch_norm(x, self.scale, self.shift, self.mean, self.variance, False, 0.0, EPS, False)
            return out.relu_() if self.rectified else out
        whole: Any = _Whole.apply
        learned: Tensor = whole(x, self.scale, self.shift, self.mean, self.variance, self.rectified, self.exchange)
        return learned


class _Whole(torch.autograd.Function):
    """One layer's way forward and back."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        moving_mean: Tensor,
        moving_variance: Tensor,
        rectified: bool,
        exchange: Exchange,
    ) -> Tensor:
        """Normalize with the statistics of all members, and let the moving averages follow."""
        mean, variance, count = _statistics(x, exchange)
        moving_mean.mul_(MOVING).add_(mean, alpha=1 - MOVING)
        moving_variance.mul_(MOVING).add_(variance, alpha=1 - MOVING)
        y = torch.batch_norm(x, scale, shift, mean, variance, False, 0.0, EPS, False)
        if rectified:
            y = y.relu_()
        ctx.save_for_backward(x, scale, mean, torch.rsqrt(variance + EPS), y if rectified else None)
        ctx.count, ctx.exchange = count, exchange
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradients of the input and of this member's part of scale and shift."""
        x, scale, mean, inverse, y = ctx.saved_tensors
        if y is not None:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        if not len(x):
            zeros = torch.zeros_like(scale)
            _exchanged(zeros, zeros, ctx.exchange)
            return torch.zeros_like(x), zeros, zeros.clone(), None, None, None, None
        back, of_scale, of_shift = torch.ops.aten.native_batch_norm_backward(
            gradient, x, scale, None, None, mean, inverse, True, EPS, [True, True, True]
        )
        # The library has taken away the means of this member's gradients; those of all may be others.
        all_scale, all_shift = _exchanged(of_scale, of_shift, ctx.exchange)
        own = x.numel() // x.shape[1]
        off_scale = of_scale.double() / own - all_scale / ctx.count
        off_shift = of_shift.double() / own - all_shift / ctx.count
        if bool(off_scale.any()) or bool(off_shift.any()):
            slope = (scale * inverse * inverse * off_scale).float()
            level = (scale * inverse * off_shift).float() - slope * mean
            back = back + (x * slope.view(1, -1, 1, 1) + level.view(1, -1, 1, 1)).to(back.dtype)
        return back, of_scale, of_shift, None, None, None, None


def _statistics(x: Tensor, exchange: Exchange) -> tuple[Tensor, Tensor, float]:
    """Mean and variance of each channel over all members, and of how many values they are."""
    c = x.shape[1]
    sums = np.zeros((3, c))
    if len(x):
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
        count = x.numel() // c
        own, spread = mean.double().cpu().numpy(), variance.double().cpu().numpy()
        sums[0], sums[1], sums[2] = own * count, (spread + own * own) * count, count
    exchange(sums)
    whole = max(float(sums[2, 0]), 1.0)
    mean_, square = sums[0] / whole, sums[1] / whole
    variance_ = np.maximum(square - mean_ * mean_, 0.0)
    made = [torch.from_numpy(array).to(x.device, torch.float32) for array in (mean_, variance_)]
    return made[0], made[1], whole


def _exchanged(of_scale: Tensor, of_shift: Tensor, exchange: Exchange) -> tuple[Tensor, Tensor]:
    sums = torch.stack([of_scale, of_shift]).double().cpu().numpy()
    exchange(sums)
    whole = torch.from_numpy(sums).to(of_scale.device)
    return whole[0], whole[1]
