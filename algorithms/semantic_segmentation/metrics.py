"""Sums over a training epoch, from which its loss follows."""

from __future__ import annotations

from dataclasses import dataclass

from algoport.algorithms.shared.neural import epochs


@dataclass
class Tally(epochs.Tally):
    """Sums over the pixels that count, and pictures."""

    loss: float = 0.0
    pixels: float = 0.0
    pictures: float = 0.0

    @property
    def mean_loss(self) -> float:
        """The loss of a pixel."""
        return self.loss / max(self.pixels, 1.0)
