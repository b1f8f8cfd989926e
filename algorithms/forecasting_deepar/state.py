"""What training changes, and how a checkpoint has it.    w weights"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.neural.early_stopping import EarlyStopping

_ARRAYS = ("weights", "average", "mean", "square", "best")
# Share of the average that stays at a step, once there were many: it reaches over a hundred steps.
STAYS = 0.99


@dataclass
class State:
    """The same at every member."""

    weights: NDArray[np.float32]  # (w,)
    average: NDArray[np.float32]  # (w,) of the weights of the last steps
    mean: NDArray[np.float32]  # (w,) Adam's, of the gradient
    square: NDArray[np.float32]  # (w,) and of its square
    best: NDArray[np.float32]  # (w,) average after the epoch of the least loss
    epoch: int = 0
    step: int = 0  # batches of this epoch so far
    steps: int = 0  # of all epochs
    loss: float = 0.0  # sum over the observed points of this epoch
    points: float = 0.0
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)  # of the losses' negatives
    curve: list[float] = field(default_factory=list)  # the losses of the epochs

    @classmethod
    def of(cls, weights: NDArray[np.float32]) -> Self:
        """Before the first step."""
        mean, square = np.zeros_like(weights), np.zeros_like(weights)
        return cls(weights=weights, average=weights.copy(), mean=mean, square=square, best=weights.copy())

    @property
    def mean_loss(self) -> float:
        """Of an observed point of this epoch."""
        return self.loss / max(self.points, 1.0)

    def average_(self) -> None:
        """Take the weights of a step into their average (Polyak and Juditsky 1992), whose terms fade exponentially.

        It reaches over a tenth of the steps so far while these are few.
        """
        stays = min(STAYS, (self.steps + 1) / (self.steps + 10))
        self.average += np.float32(1 - stays) * (self.weights - self.average)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All of it, as arrays and facts."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        facts = {name: value for name, value in vars(self).items() if name not in arrays}
        return arrays, {**facts, "early_stopping": self.early_stopping.facts()}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        """What `save` gave, in this release or the one before, which called early stopping patience and had no
        average."""
        arrays = {"average": arrays["weights"], **arrays}
        own: dict[str, Any] = {name: np.array(arrays[name], np.float32) for name in _ARRAYS}
        own |= facts
        stopping = own.pop("patience", None) or own["early_stopping"]
        return cls(**{**own, "early_stopping": EarlyStopping.of(stopping)})
