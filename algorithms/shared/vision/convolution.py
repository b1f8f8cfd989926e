"""A convolution with the rectifier behind it, as networks without normalization have them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class RectifiedConvolution(nn.Conv2d):
    """A convolution, of whose numbers those below 0 become 0.

    In place, in the forward pass of training, too: the backward pass of a convolution does not need what came out of
    it, and a rectifier's takes its own output.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The rectified convolution."""
        return functional.relu_(super().forward(x))
