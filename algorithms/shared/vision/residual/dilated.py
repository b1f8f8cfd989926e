"""Residual networks whose last stages are dilated and keep an eighth of a picture's size.

n pictures   c channels   h height   w width

Units convolve, normalize and rectify, with the stride in the 3 x 3 convolution, and rectify the sum (He, Zhang, Ren and
Sun 2016, "Deep Residual Learning"; the variant called v1b). Where a stage has a dilation in place of its stride, its
first unit has that of the stage before (Yu, Koltun and Funkhouser 2017). Layers are called as in torchvision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from algoport.algorithms.shared.vision.convolution import Convolution
from algoport.algorithms.shared.vision.normalization import BatchNorm, Exchange
from algoport.algorithms.shared.vision.residual.dilation import EPS, DilatedDesign, UnitShape


def convolution(before: int, after: int, size: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Square, without bias, and as large at its end as its stride says."""
    return Convolution(before, after, size, stride, size // 2 * dilation, dilation, bias=False)


def normalization(channels: int, exchange: Exchange, *, rectified: bool = True) -> BatchNorm:
    """Batch normalization as all of these networks have it."""
    return BatchNorm(channels, exchange, rectified=rectified, eps=EPS)


class Unit(nn.Module):
    """Three convolutions beside a shortcut."""

    def __init__(self, shape: UnitShape, exchange: Exchange) -> None:
        super().__init__()
        self.conv1 = convolution(shape.before, shape.inner, 1)
        self.bn1 = normalization(shape.inner, exchange)
        self.conv2 = convolution(shape.inner, shape.inner, 3, shape.stride, shape.dilation)
        self.bn2 = normalization(shape.inner, exchange)
        self.conv3 = convolution(shape.inner, shape.after, 1)
        self.bn3 = normalization(shape.after, exchange, rectified=False)
        self.downsample: nn.Sequential | None = None
        if shape.projects:
            self.downsample = nn.Sequential(
                convolution(shape.before, shape.after, 1, shape.stride),
                normalization(shape.after, exchange, rectified=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        """The rectified sum."""
        y = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        y = self.bn3(self.conv3(y))
        return functional.relu_(y.add_(x if self.downsample is None else self.downsample(x)))


class DilatedBackbone(nn.Module):
    """From normalized pixels, (n, 3, h, w), to the features of its stages."""

    def __init__(self, design: DilatedDesign, exchange: Exchange) -> None:
        super().__init__()
        self.conv1 = convolution(3, design.widths[0], 7, 2)
        self.bn1 = normalization(design.widths[0], exchange)
        stages: list[list[nn.Module]] = [[], [], [], []]
        for stage, shape in design.units():
            stages[stage - 1].append(Unit(shape, exchange))
        for stage, units in enumerate(stages, 1):
            self.add_module(f"layer{stage}", nn.Sequential(*units))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What comes out of the third and of the fourth stage, at an eighth of the size."""
        x = functional.max_pool2d(self.bn1(self.conv1(x)), 3, 2, 1)
        outputs = []
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            outputs.append(x)
        return outputs[2], outputs[3]


def initialize(network: nn.Module, generator: torch.Generator, heads: Sequence[str] = ()) -> None:
    """Normal weights by the number of outputs (He et al. 2015), as torchvision draws them; those of `heads`, modules by
    name, uniform by the number of inputs, as torch draws them.

    Shifts are 0, scales 1, but 0 at the end of a unit: at first it hands on what it is given (Goyal et al. 2017,
    section 5.1), without which so deep a network with small batches is chaotic.
    """
    with torch.no_grad():
        for name, tensor in parameters(network):
            if tensor.dim() == 4:
                outer, inner, height, width = tensor.shape
                if name.startswith(tuple(heads)):
                    bound = 1 / math.sqrt(inner * height * width)
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) * (2 * bound) - bound)
                else:
                    deviation = math.sqrt(2 / (outer * height * width))
                    tensor.copy_(torch.randn(tensor.shape, generator=generator) * deviation)
            else:
                tensor.fill_(float(name.endswith((".weight", ".running_var")) and not name.endswith(".bn3.weight")))


_KINDS = {"weight": "weight", "bias": "bias"}
_NORMAL = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}


def parameters(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Weights and moving averages of convolutions and normalizations, by the names that torchvision's layers have."""
    for path, module in network.named_modules():
        if isinstance(module, BatchNorm | nn.Conv2d):
            for kind, own in (_NORMAL if isinstance(module, BatchNorm) else _KINDS).items():
                tensor = getattr(module, own)
                if tensor is not None:
                    yield f"{path}.{kind}", tensor
