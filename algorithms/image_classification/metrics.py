"""Sums over pictures, from which the metrics of an epoch follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class Tally:
    """Sums over pictures."""

    loss: float = 0.0
    right: float = 0.0
    near: float = 0.0  # whose class is among the most probable ones
    count: float = 0.0

    def add(self, sums: NDArray[np.float64]) -> None:
        """Add those of more pictures: loss, right, near, count."""
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
