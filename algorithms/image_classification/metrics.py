"""Sums over pictures, from which the metrics of an epoch follow."""

from __future__ import annotations

from dataclasses import dataclass

from algoport.algorithms.shared.neural import epochs


@dataclass
class Tally(epochs.Tally):
    """Sums over pictures."""

    loss: float = 0.0
    right: float = 0.0
    near: float = 0.0  # whose class is among the most probable ones
    count: float = 0.0

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
