"""How a network does on the validation pictures.    n pictures   k classes"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.contract import Reporter
from algoport.algorithms.contract.group import Group
from algoport.algorithms.image_classification import losses
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.metrics import Tally
from algoport.algorithms.shared.vision.prefetch import Batch

MOST = 1000  # classes up to which there is a confusion matrix


@dataclass(frozen=True)
class Figures:
    """Of the validation pictures of all members."""

    tally: Tally
    table: NDArray[np.float64]  # as `table_shape` says


def evaluate(
    forward: Callable[[Batch], tuple[Tensor, Tensor, Tensor]],  # scores (n, k), targets, and the loss, summed
    batches: Iterator[Batch],
    settings: Hyperparameters,
    group: Group,
    over: Callable[[], bool],
    reporter: Reporter,
) -> Figures | None:
    """Loss, accuracy and confusion matrix; None where there are no pictures, or a stop leaves no time. One exchange."""
    sums, table, cut = np.zeros(5), np.zeros(table_shape(settings)), False
    for batch in batches:
        cut = over()
        if cut:
            break
        if not len(batch):
            continue
        with torch.inference_mode():
            scores, targets, loss = forward(batch)
        sums[:4] += [float(loss), *losses.hits(scores, targets, None), len(batch)]
        count_(table, scores, targets)
    sums[4] = cut
    group.sum_(sums, table)
    if sums[4]:
        reporter.note("The validation channel is not scored, as a stop was asked for.")
        return None
    tally = Tally()
    tally.add(sums[:4])
    return Figures(tally, table) if tally.count else None


def table_shape(settings: Hyperparameters) -> tuple[int, ...]:
    """The shape of the confusion matrix: true class (k) by predicted class (k); with several labels of each class (k),
    how often it was false or true (2) and predicted to be (2)."""
    k = settings.num_classes
    if settings.multi_label:
        return (k, 2, 2)
    return (k, k) if k <= MOST else (0, 0)


def count_(table: NDArray[np.float64], scores: Tensor, targets: Tensor) -> None:
    """Count some pictures; adds to the table."""
    if not table.size:
        return
    if targets.dim() == 1:
        pairs = np.stack([targets.cpu().numpy(), scores.argmax(dim=1).cpu().numpy()])
        np.add.at(table, tuple(pairs), 1.0)
        return
    true, predicted = targets.cpu().numpy() > 0.5, scores.cpu().numpy() > 0
    for one in (0, 1):
        for other in (0, 1):
            table[:, one, other] += ((true == one) & (predicted == other)).sum(axis=0)
