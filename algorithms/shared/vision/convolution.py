"""Convolutions as the networks here have them: in float32 on a processor by fewer multiplications where that pays."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from algoport.algorithms.shared.vision import winograd


class Convolution(nn.Conv2d):
    """A convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """The convolution."""
        out = winograd.convolution(x, self)
        return super().forward(x) if out is None else out


class RectifiedConvolution(nn.Conv2d):
    """A convolution, of whose numbers those below 0 become 0, as networks without normalization have them.

    In place, in the forward pass of training, too: the backward pass of a convolution does not need what came out of
    it, and a rectifier's takes its own output.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The rectified convolution."""
        out = winograd.convolution(x, self, rectified=True)
        return functional.relu_(super().forward(x)) if out is None else out
