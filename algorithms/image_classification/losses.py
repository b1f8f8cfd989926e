"""Targets of pictures, and how far from them a network is.    n pictures   k classes"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters

# Most that a class's rare side is weighed; where a class never comes, its weight would be infinite.
MOST_WEIGHT = 100.0


def targets(label: NDArray[np.float32] | None, images: Images, settings: Hyperparameters, channel: str) -> Tensor:
    """The labels as (n,) int64, or with `multi_label` as (n, k) of 0 and 1; `UserError` where one is none."""
    k = settings.num_classes
    if label is None:
        raise UserError(f"Channel '{channel}': pictures must have labels; these have none.")
    if settings.multi_label:
        if label.shape[1] != k:
            raise UserError(
                f"{images.place(0)}: must have {k} labels with multi_label=1, a 0 or 1 for each class; "
                f"it has {label.shape[1]}."
            )
        wrong = np.flatnonzero(((label != 0) & (label != 1)).any(axis=1))
        if len(wrong):
            raise UserError(
                f"{images.place(int(wrong[0]))}: labels must be 0 or 1 with multi_label=1; they are others."
            )
        return torch.from_numpy(np.ascontiguousarray(label, np.float32))
    if label.shape[1] != 1:
        raise UserError(
            f"{images.place(0)}: must have one label; it has {label.shape[1]}. Where several classes can be true of a "
            "picture, the hyperparameter multi_label is 1."
        )
    column = label[:, 0]
    wrong = np.flatnonzero(~((column >= 0) & (column < k) & (column == np.floor(column))))
    if len(wrong):
        number = int(wrong[0])
        raise UserError(
            f"{images.place(number)}: the label must be a class from 0 to {k - 1} (num_classes is {k}); it is "
            f"{column[number]:g}."
        )
    return torch.from_numpy(column.astype(np.int64))


@dataclass(frozen=True)
class Loss:
    """The cross-entropy of a batch, summed: of one class among all, or of each class beside its absence."""

    multiple: bool
    weights: NDArray[np.float64] | None = None  # (k,) of positives, where they are weighed

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The sum over the pictures; with several labels, of the mean over the classes."""
        if not self.multiple:
            return functional.cross_entropy(scores, targets, reduction="sum")
        weights = None if self.weights is None else torch.from_numpy(self.weights).to(scores)
        whole = functional.binary_cross_entropy_with_logits(scores, targets, pos_weight=weights, reduction="sum")
        return whole / scores.shape[1]


def positive_weights(positive: NDArray[np.float64], count: float) -> NDArray[np.float64]:
    """How much a class's positives weigh: how many negatives it has for each of them."""
    return np.clip((count - positive) / np.maximum(positive, 1.0), 1 / MOST_WEIGHT, MOST_WEIGHT)


def hits(scores: Tensor, targets: Tensor, top_k: int | None) -> tuple[float, float]:
    """How many pictures are classified rightly, with several labels by the share of their classes; and how many have
    their class among the `top_k` most probable ones."""
    if targets.dim() > 1:
        return float(((scores > 0) == (targets > 0.5)).float().mean(dim=1).sum()), 0.0
    right = float((scores.argmax(dim=1) == targets).sum())
    if not top_k or not len(scores):
        return right, 0.0
    return right, float((scores.topk(top_k, dim=1).indices == targets[:, None]).any(dim=1).sum())


def class_weights(batches: Iterator[Images], settings: Hyperparameters, group: Group) -> NDArray[np.float64]:
    """How much the positives of each class weigh (k,), after a pass over the labels. One exchange behind the pass."""
    sums = np.zeros(settings.num_classes + 1)  # positives of each class, and pictures
    for images in batches:
        if len(images):
            sums[:-1] += targets(images.label, images, settings, "train").double().sum(dim=0).numpy()
            sums[-1] += len(images)
    group.sum_(sums)
    return positive_weights(sums[:-1], sums[-1])
