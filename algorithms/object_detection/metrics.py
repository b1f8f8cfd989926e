"""Sums over the batches of an epoch, from which its metrics follow."""

from __future__ import annotations

from dataclasses import dataclass

from algoport.algorithms.shared.neural import epochs


@dataclass
class Tally(epochs.Tally):
    """Sums over batches."""

    classes: float = 0.0  # cross-entropies
    anchors: float = 0.0  # of so many anchors
    offsets: float = 0.0  # smooth L1 losses
    numbers: float = 0.0  # of so many offsets
    count: float = 0.0  # pictures

    @property
    def cross_entropy(self) -> float:
        """Of an anchor."""
        return self.classes / max(self.anchors, 1.0)

    @property
    def smooth_l1(self) -> float:
        """Of an offset."""
        return self.offsets / max(self.numbers, 1.0)
