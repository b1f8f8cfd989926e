"""Networks with a share of the filters of each layer (Howard et al. 2017, section 3.3). Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from algoport.algorithms.shared.vision.residual.design import Design


def narrowed(width: int, share: float) -> int:
    """So much of a layer's filters, a multiple of four."""
    return max(4, 4 * round(width * share / 4))


@dataclass(frozen=True, kw_only=True)
class NarrowDesign(Design):
    """A residual network of fewer filters."""

    share: float = 1.0

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the first convolution, and at the end of each stage."""
        return tuple(narrowed(width, self.share) for width in super().widths)
