"""Residual networks whose units normalize before they convolve (He, Zhang, Ren and Sun 2016).

n pictures   c channels   h height   w width   k classes

The shape is that of the public MXNet example: its names are those of the layers, so that weights can be exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from algoport.algorithms.shared.neural import snapshots
from algoport.algorithms.shared.vision.normalization import Exchange, Normalized
from algoport.algorithms.shared.vision.stem import Entry

# Units a stage of the networks for large pictures; from 50 layers on a unit has a bottleneck.
UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
BOTTLENECK = 50
LOW = 32  # height up to which a large network begins without halving the picture twice


@dataclass(frozen=True, kw_only=True)
class Design:
    """All that decides which layers there are."""

    num_layers: int
    num_classes: int
    channels: int
    height: int
    width: int

    @property
    def is_small(self) -> bool:
        """Whether it is of the family for small pictures."""
        return self.num_layers not in UNITS

    @property
    def has_bottlenecks(self) -> bool:
        """Whether a unit narrows before its 3x3 convolution."""
        return not self.is_small and self.num_layers >= BOTTLENECK

    @property
    def units(self) -> tuple[int, ...]:
        """How many units each stage has."""
        return ((self.num_layers - 2) // 6,) * 3 if self.is_small else UNITS[self.num_layers]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the first convolution, and at the end of each stage."""
        if self.is_small:
            return (16, 16, 32, 64)
        return (64, 256, 512, 1024, 2048) if self.has_bottlenecks else (64, 64, 128, 256, 512)


class Convolution(nn.Conv2d):
    """A convolution as all here are: square, without bias, and as large at its end as its stride says."""

    def __init__(self, before: int, after: int, size: int, stride: int = 1) -> None:
        super().__init__(before, after, size, stride, size // 2, bias=False)


class Unit(nn.Module):
    """Normalize, rectify, convolve, two or three times over, beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int, bottleneck: bool, exchange: Exchange) -> None:
        super().__init__()
        inner = after // 4 if bottleneck else after
        shapes = [(before, inner, 1, 1), (inner, inner, 3, stride), (inner, after, 1, 1)]
        if not bottleneck:
            shapes = [(before, after, 3, stride), (after, after, 3, 1)]
        for number, (own, into, size, step) in enumerate(shapes, 1):
            self.add_module(f"bn{number}", Normalized(own, exchange))
            self.add_module(f"conv{number}", Convolution(own, into, size, step))
        self.sc = None if stride == 1 and before == after else Convolution(before, after, 1, stride)
        self.steps = len(shapes)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both ways."""
        first = inner = self.get_submodule("bn1")(x)
        for number in range(1, self.steps + 1):
            inner = getattr(self, f"conv{number}")(inner if number == 1 else getattr(self, f"bn{number}")(inner))
        whole: Tensor = inner + (x if self.sc is None else self.sc(first))
        return whole


class Network(nn.Module):
    """From pixels, (n, c, h, w) from 0 to 255, to a score for each class, (n, k)."""

    def __init__(self, design: Design, exchange: Exchange) -> None:
        super().__init__()
        first, *widths = design.widths
        large = not design.is_small and design.height > LOW
        self.bn_data = Normalized(design.channels, exchange, rectified=False, scaled=False)
        self.conv0 = Convolution(design.channels, first, 7 if large else 3, 2 if large else 1)
        self.bn0 = Normalized(first, exchange) if large else None
        before = first
        self.units: list[str] = []
        for stage, (count, after) in enumerate(zip(design.units, widths, strict=True), 1):
            for unit in range(1, count + 1):
                stride = 2 if stage > 1 and unit == 1 else 1
                name = f"stage{stage}_unit{unit}"
                self.add_module(name, Unit(before, after, stride, design.has_bottlenecks, exchange))
                self.units.append(name)
                before = after
        self.bn1 = Normalized(before, exchange)
        self.fc1 = nn.Linear(before, design.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """The scores."""
        x = self._entered(x)
        if self.bn0 is not None:
            x = functional.max_pool2d(self.bn0(x), 3, 2, 1)
        for name in self.units:
            x = getattr(self, name)(x)
        x = self.bn1(x).mean((2, 3))
        with torch.autocast(x.device.type, enabled=False):
            scores: Tensor = self.fc1(x.float())
        return scores

    def _entered(self, x: Tensor) -> Tensor:
        """The first convolution of normalized pixels."""
        if not self.training:
            first: Tensor = self.conv0(self.bn_data(x))
            return first
        with torch.no_grad():
            x = self.bn_data(x)
        entry: Any = Entry.apply
        made: Tensor = entry(
            x, self.conv0.weight, self.bn_data.shift, self.conv0.stride[0], self.conv0.kernel_size[0] // 2
        )
        return made


def built(design: Design, exchange: Exchange) -> Network:
    """A network whose weights are yet to be set: no random numbers are drawn for nothing."""
    with torch.device("meta"):
        network = Network(design, exchange)
    return network.to_empty(device="cpu")


def initialize(network: Network, seed: int) -> None:
    """Weights from a normal distribution by the number of inputs (Xavier, magnitude 2); the rest is 0, scales are 1."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in tensors(network):
            if name.endswith("_weight"):
                tensor.copy_(torch.randn(tensor.shape, generator=random) * math.sqrt(2.0 / tensor[0].numel()))
            else:
                tensor.fill_(float(name.endswith(("_gamma", "_moving_var"))))


_KINDS = {"weight": "weight", "bias": "bias"}
_NORMAL = {"scale": "gamma", "shift": "beta", "mean": "moving_mean", "variance": "moving_var"}


def tensors(network: Network) -> Iterator[tuple[str, Tensor]]:
    """All that a network knows, by the names of the example."""
    for path, module in network.named_modules():
        names = _NORMAL if isinstance(module, Normalized) else _KINDS
        for own, kind in names.items():
            tensor = getattr(module, own, None)
            if isinstance(tensor, Tensor) and isinstance(module, Normalized | nn.Conv2d | nn.Linear):
                yield f"{path.replace('.', '_')}_{kind}", tensor


def arrays(network: Network) -> dict[str, NDArray[Any]]:
    """Copies of all that a network knows."""
    return snapshots.arrays(tensors(network))


def fill(network: Network, given: Mapping[str, NDArray[Any]]) -> None:
    """Set what a network knows; names and shapes must be right."""
    snapshots.fill(tensors(network), given)


def shapes(design: Design) -> dict[str, tuple[int, ...]]:
    """The shape of all that a network knows, by name; nothing is allocated."""
    with torch.device("meta"):
        network = Network(design, lambda sums: None)
    return {name: tuple(tensor.shape) for name, tensor in tensors(network)}
