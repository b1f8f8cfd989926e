"""How a network does on the validation pictures.    k classes"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.group import Group
from algoport.algorithms.semantic_segmentation import input
from algoport.algorithms.shared.vision import confusion, upsampling
from algoport.algorithms.shared.vision.prefetch import Batch


@dataclass(frozen=True)
class Figures:
    """Of the validation pictures of all members."""

    table: NDArray[np.float64]  # (k, k): pixels by true and predicted class
    pictures: int

    @property
    def mean_iou(self) -> float:
        """The mean over the classes."""
        return confusion.mean_iou(self.table)

    @property
    def pixel_accuracy(self) -> float:
        """The share that is right."""
        return confusion.pixel_accuracy(self.table)


def evaluate(
    scores_of: Callable[[Tensor], Tensor],  # pixels (n, 3, h, w) -> scores at an eighth of the size
    batches: Iterator[Batch],
    k: int,
    device: str,
    group: Group,
    over: Callable[[], bool],
    reporter: Reporter,
) -> Figures | None:
    """The confusion matrix of all pixels; None where there are no pictures, or a stop leaves no time. One exchange."""
    table, seen, cut = np.zeros((k, k)), np.zeros(2), False
    for batch in batches:
        cut = over()
        if cut:
            break
        if not len(batch):
            continue
        pixels, classes = input.tensors(batch, device)
        with torch.inference_mode():
            scores = scores_of(pixels)
        predicted = upsampling.classes(scores, *classes.shape[1:])
        table += confusion.confusion(classes.cpu().numpy(), predicted, k)
        seen[0] += len(batch)
    seen[1] = cut
    group.sum_(table, seen)
    if seen[1]:
        reporter.note("The validation channel is not scored, as a stop was asked for.")
        return None
    return Figures(table, int(seen[0])) if seen[0] else None
