"""What is known of a job's epochs: the figures of the one that runs, the best one, and whether to go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.shared.neural.early_stopping import Patience


@dataclass
class Tally:
    """Sums over pictures."""

    loss: float = 0.0
    right: float = 0.0
    near: float = 0.0  # whose class is among the most probable ones
    count: float = 0.0

    def add(self, sums: NDArray[np.float64]) -> None:
        """Hear of some more: loss, right, near, count."""
        self.loss, self.right, self.near, self.count = (
            before + float(more) for before, more in zip(self.sums(), sums, strict=True)
        )

    def sums(self) -> list[float]:
        """Loss, right, near, count."""
        return [self.loss, self.right, self.near, self.count]

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.right / max(self.count, 1.0)

    @property
    def mean_loss(self) -> float:
        """The loss of a picture."""
        return self.loss / max(self.count, 1.0)

    @property
    def top(self) -> float:
        """The share whose class is among the most probable ones."""
        return self.near / max(self.count, 1.0)


@dataclass
class Progress:
    """Where a job stands."""

    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    tally: Tally = field(default_factory=Tally)
    patience: Patience = field(default_factory=Patience)  # of validation accuracies; epochs from 1
    history: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, accuracy: float, settings: Hyperparameters) -> bool:
        """Hear of the validation accuracy of the epoch that is over; True where it is the best so far."""
        return self.patience.hear(accuracy, self.epoch + 1, settings.early_stopping_tolerance)

    def is_over(self, settings: Hyperparameters) -> bool:
        """Whether enough epochs have brought nothing."""
        return (
            settings.early_stopping
            and self.epoch >= settings.early_stopping_min_epochs
            and self.patience.since >= settings.early_stopping_patience
        )

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {**vars(self), "tally": self.tally.sums(), "patience": self.patience.facts()}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Progress:
        """What `facts` told."""
        return cls(
            epoch=facts["epoch"],
            step=facts["step"],
            tally=Tally(*facts["tally"]),
            patience=Patience.of(facts["patience"]),
            history=list(facts["history"]),
        )
