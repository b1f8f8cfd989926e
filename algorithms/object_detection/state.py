"""What training knows: weights, the optimizer's memory, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from algoport.algorithms.object_detection.metrics import Tally
from algoport.algorithms.object_detection.network import Detector, parameters
from algoport.algorithms.shared.neural import epochs


@dataclass
class Progress(epochs.Progress):
    """Where a job stands; early stopping goes by the validation mAP."""

    tally: Tally = field(default_factory=Tally)
    is_random: bool = True  # whether training began from random weights


@dataclass(kw_only=True)
class State(epochs.State):
    """The same at every member."""

    network: Detector
    progress: Progress = field(default_factory=Progress)

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        """By the names of MXNet's layers."""
        return parameters(self.network)
