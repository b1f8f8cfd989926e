"""The first convolution, behind the normalization of the data.    n pictures   o channels out   c channels in

Nothing in front of the data learns, so that the gradient of the convolution's input is needed for one thing only: for
the shift that was added to each of its channels. That is the sum of the input's gradient over all places, which follows
from sums of the output's gradient. Computed as other layers do it, it took 8 % of a step of 18 layers at 224 x 224.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class StemConvolution(torch.autograd.Function):
    """A convolution of data to which a shift was added."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shift: Tensor, stride: int, padding: int) -> Tensor:
        """The convolution; `shift` (c,) is in `x` already."""
        device = x.device.type
        if torch.is_autocast_enabled(device):
            kind = torch.get_autocast_dtype(device)
            x, weight = x.to(kind), weight.to(kind)
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradients of the weight and of the shift; none of the data."""
        x, weight = ctx.saved_tensors
        if not len(x):
            return None, torch.zeros_like(weight).float(), torch.zeros(weight.shape[1], device=x.device), None, None
        of_weight = _of_weight(gradient, x, weight, ctx)
        # What a one at each place of a channel would be weighed by, for each tap of the filter.
        whole = _over_pictures(gradient.float())
        ones = torch.ones(1, 1, *x.shape[2:], device=x.device)
        taps = _of_weight(whole, ones, weight[:, :1].float(), ctx)  # (o, 1, size, size)
        of_shift = (taps * weight.float()).sum(dim=(0, 2, 3))
        return None, of_weight.float(), of_shift, None, None


def _of_weight(gradient: Tensor, x: Tensor, weight: Tensor, ctx: Any) -> Tensor:
    _, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [ctx.stride] * 2, [ctx.padding] * 2, [1, 1], False, [0, 0], 1, [False, True, False]
    )
    return of_weight  # type: ignore[no-any-return]


def _over_pictures(gradient: Tensor) -> Tensor:
    """The sum over the first axis, (1, o, h, w), read in the order in which it lies in memory."""
    n, o, h, w = gradient.shape
    if gradient.is_contiguous(memory_format=torch.channels_last):
        flat = gradient.permute(0, 2, 3, 1).reshape(n, -1).sum(dim=0)
        return flat.view(1, h, w, o).permute(0, 3, 1, 2)
    return gradient.sum(dim=0, keepdim=True)
