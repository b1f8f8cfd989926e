"""From scores at a fraction of a picture's size to losses, classes and probabilities of its pixels.

n pictures   k classes   h, w places with scores   H, W pixels

Interpolation is bilinear between the centers of places, as torch has it with `align_corners=False`. On a processor the
scores of full size are never written (`kernels.upsampling`); elsewhere torch computes the same.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.shared import compiled
from algoport.algorithms.shared.vision.kernels import upsampling as kernels
from algoport.algorithms.shared.vision.masks import IGNORED


def cross_entropy(scores: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    """The softmax loss summed over the pixels that count, of scores (n, k, h, w) float32 and targets (n, H, W) uint8;
    and how many pixels those are. The gradient goes to the scores."""
    k = scores.shape[1]
    if scores.device.type == "cpu" and len(scores):
        count = np.zeros(1)
        loss_of: Any = _CrossEntropy.apply
        return loss_of(scores, targets, count), float(count[0])
    wide = torch.where(targets < k, targets, IGNORED).long()
    whole = functional.interpolate(scores, targets.shape[1:], mode="bilinear", align_corners=False)
    loss = functional.cross_entropy(whole, wide, ignore_index=IGNORED, reduction="sum")
    return loss, float((targets < k).sum())


def classes(scores: Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """The class of each pixel, (n, H, W), from scores (n, k, h, w)."""
    if scores.device.type != "cpu":
        whole = functional.interpolate(scores, (height, width), mode="bilinear", align_corners=False)
        return whole.argmax(dim=1).to(torch.uint8).cpu().numpy()
    rows, row_shares, columns, column_shares = _places(scores, height, width)
    out = np.empty((len(scores), height, width), np.uint8)
    with compiled.turn():
        kernels.classes(_beside(scores), rows, row_shares, columns, column_shares, out)
    return out


def probabilities(scores: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """The probability of each class at each pixel, (k, H, W), from scores (1, k, h, w) in a processor's memory."""
    out = np.empty((scores.shape[1], height, width), np.float32)
    rows, row_shares, columns, column_shares = _places(scores, height, width)
    with compiled.turn():
        kernels.probabilities(_beside(scores)[0], rows, row_shares, columns, column_shares, out)
    return out


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, targets: Tensor, count: NDArray[np.float64]) -> Tensor:
        """The loss; sets the count. The gradient is computed at once."""
        own = _beside(scores)
        n, h, w, k = own.shape
        sums = np.zeros((n, kernels.BANDS, 2))
        gradient = np.zeros((n, kernels.BANDS, h, w, k), np.float32)
        rows, row_shares, columns, column_shares = _places(scores, *targets.shape[1:])
        with compiled.turn():
            kernels.cross_entropy(own, targets.numpy(), rows, row_shares, columns, column_shares, sums, gradient)
        count[0] = sums[..., 1].sum()
        ctx.save_for_backward(torch.from_numpy(gradient.sum(axis=1)).permute(0, 3, 1, 2))
        return torch.tensor(sums[..., 0].sum(), dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, by_loss: Tensor) -> Any:
        """What was computed, scaled."""
        (gradient,) = ctx.saved_tensors
        return gradient * by_loss.to(gradient.dtype), None, None


def _beside(scores: Tensor) -> NDArray[np.float32]:
    """The scores as (n, h, w, k), each place's beside each other."""
    return scores.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _places(scores: Tensor, height: int, width: int) -> tuple[NDArray[Any], ...]:
    return (*_axis(scores.shape[2], height), *_axis(scores.shape[3], width))


@functools.lru_cache(maxsize=64)
def _axis(few: int, many: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Of each of many places, between which two of few it lies (many, 2), and how near to the second (many,)."""
    at = np.maximum((np.arange(many) + 0.5) * few / many - 0.5, 0.0)
    first = np.minimum(at.astype(np.int32), few - 1)
    pairs = np.stack([first, np.minimum(first + 1, few - 1)], axis=1)
    return np.ascontiguousarray(pairs, np.int32), (at - first).astype(np.float32)
