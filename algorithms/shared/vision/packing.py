"""Convolutions of a network that only predicts: weights lie as the processor's library wants them, and what follows
them, a normalization, a sum or a rectifier, is done in the same pass over memory.    c channels

The library would otherwise bring the weights into its order for each request: of one picture of 224 x 224 and 18
layers, 27 ms with that and 20 ms without it, on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from algoport.algorithms.shared.vision import winograd
from algoport.algorithms.shared.vision.convolution import RectifiedConvolution
from algoport.algorithms.shared.vision.normalization import BatchNorm
from algoport.algorithms.shared.vision.residual.network import Backbone, Unit


class PackedConvolution(nn.Module):
    """A convolution that has learned, for pictures of one size; of others it is slower."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        size: Sequence[int],  # (n, c, h, w) of what it is given
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        self._how: Any = [padding] * 2, [stride] * 2, [dilation] * 2, 1
        self._after = "relu" if rectified else "none"
        self._bias = bias
        self._weight = weight.detach().contiguous(memory_format=torch.channels_last)
        self._filters = len(weight)
        self._points: NDArray[np.float32] | None = None  # the filters as tiles take them, where these are faster
        if winograd.is_faster(weight.shape, [stride] * 2, [padding] * 2, [dilation] * 2, size, ready=True):
            self._weight, self._points = torch.empty(0), winograd.at_points(self._weight)
            return
        is_there: Any = torch.backends.mkldnn.is_available
        self._fuses = bool(is_there())
        if self._fuses:
            reordered: Any = torch.ops.mkldnn._reorder_convolution_weight
            self._weight = reordered(self._weight, *self._how, list(size))

    @classmethod
    def of(
        cls, plain: nn.Conv2d, size: Sequence[int], *, normalization: BatchNorm | None = None, rectified: bool = False
    ) -> PackedConvolution:
        """A network's convolution; with the normalization behind it, if there is one."""
        weight, bias = plain.weight.detach(), None if plain.bias is None else plain.bias.detach()
        if normalization is not None:
            slope, level = _line(normalization)
            weight = (weight.double() * slope[:, None, None, None]).float()
            bias = level.float() if bias is None else (bias.double() * slope + level).float()
        padding: Any = plain.padding
        how = {"stride": plain.stride[0], "padding": padding[0], "dilation": plain.dilation[0]}
        return cls(weight, bias, size, rectified=rectified, **how)

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """The convolution, with another tensor added, and rectified after that."""
        operators: Any = torch.ops.mkldnn
        out: Tensor
        if self._points is not None:
            out = self._by_tiles(x, plus)
        elif self._fuses and plus is None:
            out = operators._convolution_pointwise(x, self._weight, self._bias, *self._how, self._after, [], "")
        elif self._fuses:
            fused = operators._convolution_pointwise.binary
            after = None if self._after == "none" else self._after
            out = fused(x, plus, self._weight, self._bias, *self._how, "add", 1.0, after, [], "")
        else:
            padding, stride, dilation, _ = self._how
            out = functional.conv2d(x, self._weight, self._bias, stride, padding, dilation)
            out = out if plus is None else out.add_(plus)
            out = out if self._after == "none" else out.relu_()
        return out

    def _by_tiles(self, x: Tensor, plus: Tensor | None) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        points: Any = self._points
        rectified, (padding, *_) = self._after != "none", self._how[0]
        how = self._filters, self._bias, padding
        out = winograd.output(x, points, *how, rectified=rectified and plus is None)
        if plus is not None:
            out = out.add_(plus)
            out = out.relu_() if rectified else out
        return out


class PackedUnit(nn.Module):
    """A unit of a residual network: the normalizations within are joined to the convolutions in front of them, and the
    sum to the last one. The first, which sums come to that are needed as they are, too, is one pass with its rectifier.
    """

    def __init__(self, unit: Unit, name: str, sizes: dict[str, torch.Size]) -> None:
        super().__init__()
        first: Any = unit.get_submodule("bn1")
        self._slope, self._level = (each.float()[:, None, None] for each in _line(first))
        self.convolutions = nn.ModuleList()
        for number in range(1, unit.steps + 1):
            own, size = f"conv{number}", sizes[f"{name}.conv{number}"]
            behind: Any = unit.get_submodule(f"bn{number + 1}") if number < unit.steps else None
            plain: Any = unit.get_submodule(own)
            self.convolutions.append(
                PackedConvolution.of(plain, size, normalization=behind, rectified=behind is not None)
            )
        self.sc = None if unit.sc is None else PackedConvolution.of(unit.sc, sizes[f"{name}.sc"])

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the convolutions and the shortcut."""
        # By torch, whose threads are awake: the compiled pass took a tenth of a millisecond to wake its own.
        first = inner = torch.addcmul(self._level, x, self._slope).relu_()
        *most, last = self.convolutions
        for convolution in most:
            inner = convolution(inner)
        whole: Tensor = last(inner, x if self.sc is None else self.sc(first))
        return whole


def pack(network: nn.Module, x: Tensor) -> None:
    """Replace the convolutions of a network in evaluation, each for the size of what reaches it from `x`."""
    sizes = _sizes(network, x)
    units = tuple(f"{name}." for name, module in network.named_modules() if isinstance(module, Unit))
    for name, module in list(network.named_modules()):
        if isinstance(module, Unit):
            _replace(network, name, PackedUnit(module, name, sizes))
        elif isinstance(module, Backbone) and module.bn0 is not None:
            size = sizes[f"{name}.conv0".removeprefix(".")]
            packed: Any = PackedConvolution.of(module.conv0, size, normalization=module.bn0, rectified=True)
            module.conv0, module.bn0 = packed, nn.Identity()  # type: ignore[assignment]
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d) and not name.startswith(units):
            rectified = isinstance(module, RectifiedConvolution)
            _replace(network, name, PackedConvolution.of(module, sizes[name], rectified=rectified))


def _sizes(network: nn.Module, x: Tensor) -> dict[str, torch.Size]:
    """What reaches each convolution, by its name."""
    sizes: dict[str, torch.Size] = {}
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            record: Any = lambda _, inputs, name=name: sizes.__setitem__(name, inputs[0].shape)  # noqa: E731
            hooks.append(module.register_forward_pre_hook(record))
    with torch.inference_mode():
        network(x)
    for hook in hooks:
        hook.remove()
    return sizes


def _replace(network: nn.Module, name: str, packed: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, packed)


def _line(normalization: BatchNorm) -> tuple[Tensor, Tensor]:
    """Slope and level of what a normalization does to each channel, (c,) float64."""
    scale, shift, mean, variance = (
        getattr(normalization, kind).detach().double() for kind in ("scale", "shift", "mean", "variance")
    )
    slope = scale / torch.sqrt(variance + normalization.eps)
    return slope, shift - mean * slope
