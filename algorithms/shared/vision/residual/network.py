"""Residual networks whose units normalize before they convolve (He, Zhang, Ren and Sun 2016).

n pictures   c channels   h height   w width

The shape is that of the public MXNet example: its names are those of the layers, so that weights can be exchanged.
`Backbone` ends with the last stage; what follows is the head of whoever uses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from algoport.algorithms.shared.neural import tensors
from algoport.algorithms.shared.vision import convolution
from algoport.algorithms.shared.vision.normalization import BatchNorm, Exchange
from algoport.algorithms.shared.vision.residual.design import Design
from algoport.algorithms.shared.vision.stem import StemConvolution


class Convolution(convolution.Convolution):
    """A convolution as all here are: square, without bias, and as large at its end as its stride says."""

    def __init__(self, before: int, after: int, size: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(before, after, size, stride, size // 2 * dilation, dilation, bias=False)


class Unit(nn.Module):
    """Normalize, rectify, convolve, two or three times over, beside a shortcut.

    `dilations`: of the convolution that has the stride, and of one behind it.
    """

    def __init__(
        self,
        before: int,
        after: int,
        stride: int,
        bottleneck: bool,
        exchange: Exchange,
        dilations: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        inner, (first, second) = after // 4 if bottleneck else after, dilations
        shapes = [(before, inner, 1, 1, 1), (inner, inner, 3, stride, first), (inner, after, 1, 1, 1)]
        if not bottleneck:
            shapes = [(before, after, 3, stride, first), (after, after, 3, 1, second)]
        for number, (own, into, size, step, spread) in enumerate(shapes, 1):
            self.add_module(f"bn{number}", BatchNorm(own, exchange))
            self.add_module(f"conv{number}", Convolution(own, into, size, step, spread))
        self.sc = None if stride == 1 and before == after else Convolution(before, after, 1, stride)
        self.steps = len(shapes)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the convolutions and the shortcut."""
        first = inner = self.get_submodule("bn1")(x)
        for number in range(1, self.steps + 1):
            inner = getattr(self, f"conv{number}")(inner if number == 1 else getattr(self, f"bn{number}")(inner))
        whole: Tensor = inner + (x if self.sc is None else self.sc(first))
        return whole


class Backbone(nn.Module):
    """From pixels, (n, c, h, w) from 0 to 255, to the features of its stages.

    `strides` and `dilations` are the stages': with a stride of 1 and a dilation instead, a stage keeps the size of its
    input, and computes at every place what the strided one computes at some (Yu, Koltun and Funkhouser 2017). So the
    convolution that would have the stride has the dilation of the stage before.
    """

    def __init__(
        self,
        design: Design,
        exchange: Exchange,
        *,
        strides: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        first, *widths = design.widths
        large = design.halves_at_once
        self.bn_data = BatchNorm(design.channels, exchange, rectified=False, scaled=False)
        self.conv0 = Convolution(design.channels, first, 7 if large else 3, 2 if large else 1)
        self.bn0 = BatchNorm(first, exchange) if large else None
        self.widths = tuple(widths)
        self.stages: list[list[str]] = []
        strides, dilations = strides or design.strides, dilations or (1,) * len(widths)
        before, spread = first, 1
        shapes = zip(design.units, widths, strides, dilations, strict=True)
        for stage, (count, after, stride, dilation) in enumerate(shapes, 1):
            names = [f"stage{stage}_unit{unit}" for unit in range(1, count + 1)]
            for name in names:
                step = stride if name == names[0] else 1
                self.add_module(name, Unit(before, after, step, design.has_bottlenecks, exchange, (spread, dilation)))
                before, spread = after, dilation
            self.stages.append(names)

    def features(self, x: Tensor) -> list[Tensor]:
        """What comes out of each stage, (n, its width, h', w'): sums, which are neither normalized nor rectified."""
        x = self.stem(x)
        outputs = []
        for names in self.stages:
            for name in names:
                x = getattr(self, name)(x)
            outputs.append(x)
        return outputs

    def stem(self, x: Tensor) -> Tensor:
        """What the first stage is given."""
        x = self._first_convolution(x)
        return x if self.bn0 is None else functional.max_pool2d(self.bn0(x), 3, 2, 1)

    def _first_convolution(self, x: Tensor) -> Tensor:
        """The first convolution of normalized pixels."""
        if not self.training:
            plain: Tensor = self.conv0(self.bn_data(x))
            return plain
        with torch.no_grad():
            x = self.bn_data(x)
        convolve: Any = StemConvolution.apply
        out: Tensor = convolve(
            x, self.conv0.weight, self.bn_data.shift, self.conv0.stride[0], self.conv0.kernel_size[0] // 2
        )
        return out


def initialize(network: nn.Module, seed: int) -> None:
    """Weights from a normal distribution by the number of inputs (Xavier, magnitude 2); the rest is 0, scales are 1."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in parameters(network):
            if name.endswith("_weight"):
                tensor.copy_(torch.randn(tensor.shape, generator=random) * math.sqrt(2.0 / tensor[0].numel()))
            else:
                tensor.fill_(float(name.endswith(("_gamma", "_moving_var"))))


_KINDS = {"weight": "weight", "bias": "bias"}
_NORMAL = {"scale": "gamma", "shift": "beta", "mean": "moving_mean", "variance": "moving_var"}


def parameters(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Weights and moving averages of convolutions, normalizations and linear layers, by the names of the example."""
    for path, module in network.named_modules():
        names = _NORMAL if isinstance(module, BatchNorm) else _KINDS
        for own, kind in names.items():
            tensor = getattr(module, own, None)
            if isinstance(tensor, Tensor) and isinstance(module, BatchNorm | nn.Conv2d | nn.Linear):
                yield f"{path.replace('.', '_')}_{kind}", tensor


def arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Copies of `parameters`."""
    return tensors.arrays(parameters(network))


def fill(network: nn.Module, values: Mapping[str, NDArray[Any]]) -> None:
    """Set `parameters`; names and shapes must be right."""
    tensors.fill(parameters(network), values)
