"""Which layers a residual network has (He, Zhang, Ren and Sun 2016). Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

# Units a stage of the networks for large pictures; from 50 layers on a unit has a bottleneck.
UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
BOTTLENECK = 50
LOW = 32  # height up to which a large network begins without halving the picture twice
LARGE, SMALL = tuple(UNITS), (20, 32, 44, 56, 110)  # the depths of both families


@dataclass(frozen=True, kw_only=True)
class Design:
    """All that decides which layers there are before the head."""

    num_layers: int
    channels: int  # of a picture
    height: int  # of a picture, in pixels

    @property
    def is_small(self) -> bool:
        """Whether it is of the family for small pictures."""
        return self.num_layers not in UNITS

    @property
    def halves_at_once(self) -> bool:
        """Whether the stem halves the picture twice: a convolution of 7 x 7, and pooling."""
        return not self.is_small and self.height > LOW

    @property
    def has_bottlenecks(self) -> bool:
        """Whether a unit narrows before its 3 x 3 convolution."""
        return not self.is_small and self.num_layers >= BOTTLENECK

    @property
    def units(self) -> tuple[int, ...]:
        """How many units each stage has."""
        return ((self.num_layers - 2) // 6,) * 3 if self.is_small else UNITS[self.num_layers]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the first convolution, and at the end of each stage."""
        if self.is_small:
            return (16, 16, 32, 64)
        return (64, 256, 512, 1024, 2048) if self.has_bottlenecks else (64, 64, 128, 256, 512)

    @property
    def strides(self) -> tuple[int, ...]:
        """The stride of each stage's first unit."""
        return (1,) + (2,) * (len(self.units) - 1)
