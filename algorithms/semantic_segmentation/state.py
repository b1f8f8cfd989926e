"""What training changes: weights, the optimizer's state, and the figures of the epochs; and how a checkpoint has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from algoport.algorithms.semantic_segmentation.metrics import Tally
from algoport.algorithms.semantic_segmentation.network import Segmenter
from algoport.algorithms.shared.neural import epochs
from algoport.algorithms.shared.vision.residual.dilated import parameters


@dataclass
class Progress(epochs.Progress):
    """Where a job stands; early stopping goes by the validation mIOU."""

    tally: Tally = field(default_factory=Tally)


@dataclass(kw_only=True)
class State(epochs.State):
    """The same at every member."""

    network: Segmenter
    progress: Progress = field(default_factory=Progress)

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """By the names of torchvision's layers."""
        return parameters(self.network)
