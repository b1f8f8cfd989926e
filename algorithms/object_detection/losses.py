"""How far a network is from its targets.    n pictures   a anchors   k classes, the background not counted"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.shared.vision.boxes import Assignment, targets


class Losses(NamedTuple):
    """Sums over this member's pictures, and over how many entries they are."""

    classes: Tensor  # cross-entropy of the anchors that are learned from
    offsets: Tensor  # smooth L1 of the offsets of those that have an object
    anchors: float  # that are learned from
    numbers: float  # offsets that are not met exactly


def losses(
    scores: Tensor,  # (n, a, k + 1)
    offsets: Tensor,  # (n, a, 4)
    anchors: NDArray[np.float32],  # (a, 4)
    objects: list[NDArray[np.float32]],  # (n,) of (o, 5 + e)
) -> Losses:
    """Both losses (Liu et al. 2016, equation 1), each to be divided by its count, as MXNet's example does it."""
    known, wanted = targets(anchors, objects, scores.detach().float().cpu().numpy(), Assignment())
    device = scores.device
    classes = torch.from_numpy(known).to(device)
    chosen = classes >= 0
    of_classes = functional.cross_entropy(scores[chosen], classes[chosen], reduction="sum")
    positive = classes > 0
    each = functional.smooth_l1_loss(offsets[positive], torch.from_numpy(wanted).to(device)[positive], reduction="none")
    return Losses(of_classes, each.sum(), float(chosen.sum()), float((each > 0).sum()))
