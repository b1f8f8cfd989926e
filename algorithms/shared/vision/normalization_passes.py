"""The passes of normalization on tensors: by kernels where channels lie beside each other in a processor's memory, else
by torch.    n pictures   c channels   m values a channel"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.shared import compiled
from algoport.algorithms.shared.vision.kernels import normalization as kernels

_KINDS = (torch.float32, torch.bfloat16)


class Passes(Protocol):
    """What normalization is made of. Tensors are (n, c, h, w), of any n; what is a channel's (c,), float32."""

    def like(self, gradient: Tensor, x: Tensor) -> Tensor:
        """A gradient as the other passes take it: of the type and order of `x`."""

    def moments(self, x: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of each channel; there is at least one value."""

    def normalize(self, x: Tensor, slope: Tensor, level: Tensor, rectified: bool) -> Tensor:
        """Values times `slope` plus `level`; 0 where that is less, if `rectified`."""

    def slopes(
        self, gradient: Tensor, x: Tensor, mean: Tensor, slope: Tensor, level: Tensor, rectified: bool
    ) -> Tensor:
        """Of what `normalize` gave: sums (2, c) float64 of its gradient, and of that times the values less `mean`."""

    def backward(
        self, gradient: Tensor, x: Tensor, slope: Tensor, level: Tensor, rectified: bool, factors: Tensor
    ) -> Tensor:
        """f times the gradient, plus g times the value, plus h; `factors` (3, c) are f, g and h."""


def passes(x: Tensor) -> Passes:
    """Those for a tensor of that type, place and order."""
    beside = x.device.type == "cpu" and x.dtype in _KINDS and x.is_contiguous(memory_format=torch.channels_last)
    return CompiledPasses() if beside and len(x) else TorchPasses()


class CompiledPasses:
    """By numba's kernels."""

    def like(self, gradient: Tensor, x: Tensor) -> Tensor:
        """Of the type and order of `x`."""
        return gradient.to(x.dtype).contiguous(memory_format=torch.channels_last)

    def moments(self, x: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance."""
        with compiled.turn():
            return kernels.moments(_rows(x))

    def normalize(self, x: Tensor, slope: Tensor, level: Tensor, rectified: bool) -> Tensor:
        """A new tensor."""
        out = torch.empty_like(x)
        with compiled.turn():
            kernels.normalize(_rows(x), slope.numpy(), level.numpy(), rectified, _rows(out))
        return out

    def slopes(
        self, gradient: Tensor, x: Tensor, mean: Tensor, slope: Tensor, level: Tensor, rectified: bool
    ) -> Tensor:
        """The sums."""
        values = _rows(x)
        with compiled.turn():
            return torch.from_numpy(
                kernels.slopes(_rows(gradient), values, mean.numpy(), slope.numpy(), level.numpy(), rectified)
            )

    def backward(
        self, gradient: Tensor, x: Tensor, slope: Tensor, level: Tensor, rectified: bool, factors: Tensor
    ) -> Tensor:
        """A new tensor."""
        out = torch.empty_like(x)
        line = slope.numpy(), level.numpy()
        with compiled.turn():
            kernels.backward(_rows(gradient), _rows(x), line[0], line[1], rectified, factors.numpy(), _rows(out))
        return out


class TorchPasses:
    """By torch, for other devices and orders."""

    def like(self, gradient: Tensor, x: Tensor) -> Tensor:
        """Of the type of `x`."""
        return gradient.to(x.dtype)

    def moments(self, x: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance."""
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
        return mean.double().cpu().numpy(), variance.double().cpu().numpy()

    def normalize(self, x: Tensor, slope: Tensor, level: Tensor, rectified: bool) -> Tensor:
        """A new tensor."""
        y = x * _wide(slope) + _wide(level)
        return (y.relu_() if rectified else y).to(x.dtype)

    def slopes(
        self, gradient: Tensor, x: Tensor, mean: Tensor, slope: Tensor, level: Tensor, rectified: bool
    ) -> Tensor:
        """The sums."""
        own = _rectified(gradient, x, slope, level, rectified)
        sums = [each.sum((0, 2, 3), dtype=torch.float64) for each in (own, own * (x - _wide(mean)))]
        return torch.stack(sums)

    def backward(
        self, gradient: Tensor, x: Tensor, slope: Tensor, level: Tensor, rectified: bool, factors: Tensor
    ) -> Tensor:
        """A new tensor."""
        f, g, h = (_wide(factor) for factor in factors)
        return (f * _rectified(gradient, x, slope, level, rectified) + g * x + h).to(x.dtype)


def _rectified(gradient: Tensor, x: Tensor, slope: Tensor, level: Tensor, rectified: bool) -> Tensor:
    """The gradient where the rectifier lets it through."""
    if not rectified:
        return gradient.float()
    return torch.where(x * _wide(slope) + _wide(level) > 0, gradient.float(), 0.0)


def _wide(values: Tensor) -> Tensor:
    return values.float().view(1, -1, 1, 1)


def _rows(x: Tensor) -> NDArray[Any]:
    """The values (m, c), without a copy; bfloat16 as its bits."""
    flat = x.detach().permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    if x.dtype == torch.bfloat16:
        return flat.view(torch.int16).numpy().view(np.uint16)
    return flat.numpy()
