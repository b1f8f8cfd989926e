"""The classifier: a residual backbone, and a score for each class.    n pictures   c channels   k classes"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from algoport.algorithms.shared.vision.normalization import BatchNorm, Exchange
from algoport.algorithms.shared.vision.residual.design import Design
from algoport.algorithms.shared.vision.residual.network import Backbone, parameters


class Classifier(Backbone):
    """From pixels, (n, c, h, w) from 0 to 255, to a score for each class, (n, k)."""

    def __init__(self, design: Design, num_classes: int, exchange: Exchange) -> None:
        super().__init__(design, exchange)
        self.bn1 = BatchNorm(self.widths[-1], exchange)
        self.fc1 = nn.Linear(self.widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """The scores."""
        x = self.bn1(self.features(x)[-1]).mean((2, 3))
        with torch.autocast(x.device.type, enabled=False):
            scores: Tensor = self.fc1(x.float())
        return scores


def build(design: Design, num_classes: int, exchange: Exchange) -> Classifier:
    """A network whose weights are yet to be set: no random numbers are drawn for nothing."""
    with torch.device("meta"):
        network = Classifier(design, num_classes, exchange)
    return network.to_empty(device="cpu")


@functools.lru_cache(maxsize=32)
def shapes(design: Design, num_classes: int) -> dict[str, tuple[int, ...]]:
    """The shape of all that a network holds, by name; nothing is allocated."""
    with torch.device("meta"):
        network = Classifier(design, num_classes, lambda sums: None)
    return {name: tuple(tensor.shape) for name, tensor in parameters(network)}
