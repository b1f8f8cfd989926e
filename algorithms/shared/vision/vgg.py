"""VGG-16 as detectors have it: the two full layers as convolutions (Simonyan and Zisserman 2015; Liu et al. 2016).

n pictures   h height   w width
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from algoport.algorithms.shared.vision.convolution import RectifiedConvolution
from algoport.algorithms.shared.vision.narrowing import narrowed

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions, and their filters
WIDE = 1024  # filters of the full layers
MEAN = (123.68, 116.779, 103.939)  # of red, green and blue, which is taken off pixels


class Backbone(nn.Module):
    """From pixels, (n, 3, h, w) from 0 to 255, to the features behind the fourth block and behind the last layer."""

    def __init__(self, share: float = 1.0) -> None:
        """`share` of the filters of each layer."""
        super().__init__()
        before = 3
        for block, (count, whole) in enumerate(BLOCKS, 1):
            width = narrowed(whole, share)
            for number in range(1, count + 1):
                self.add_module(f"conv{block}_{number}", RectifiedConvolution(before, width, 3, padding=1))
                before = width
        self.fc6 = RectifiedConvolution(before, narrowed(WIDE, share), 3, padding=6, dilation=6)
        self.fc7 = RectifiedConvolution(narrowed(WIDE, share), narrowed(WIDE, share), 1)

    def features(self, x: Tensor) -> list[Tensor]:
        """(n, 512, h / 8, w / 8), rounded up, and (n, 1024, h / 16, w / 16), or a share of the channels;
        both rectified."""
        x = x - x.new_tensor(MEAN).view(1, 3, 1, 1)
        fourth = x
        for block, (count, _) in enumerate(BLOCKS, 1):
            for number in range(1, count + 1):
                x = getattr(self, f"conv{block}_{number}")(x)
            if block == 4:
                fourth = x
            x = (
                functional.max_pool2d(x, 3, 1, 1)
                if block == 5
                else functional.max_pool2d(x, 2, 2, ceil_mode=block == 3)
            )
        return [fourth, self.fc7(self.fc6(x))]
