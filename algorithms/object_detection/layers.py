"""Which layers a detector has: its feature maps, and the anchors of each. Needs no torch.    a anchors

The numbers are those of MXNet's public example of SSD, whose names of layers weights have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.anchors import of_map
from algoport.algorithms.shared.vision.narrowing import NarrowDesign, narrowed

BASES = ("vgg-16", "resnet-50")
LARGE = 448  # pixels of the side from which on VGG-16 has a seventh map
SCALE = 20.0  # what the normalized features of VGG's fourth block begin with (Liu, Rabinovich and Berg 2016)
NORMALIZED = "relu4_3"


@dataclass(frozen=True)
class Extra:
    """A pair of convolutions behind the base network: 1 x 1, and 3 x 3."""

    name: str
    inner: int
    width: int
    stride: int
    padding: int


@dataclass(frozen=True, kw_only=True)
class Layers:
    """All that decides which layers there are."""

    base: str  # "vgg-16" or "resnet-50"
    side: int  # pixels
    num_classes: int
    share: float = 1.0  # of the filters of each layer

    @property
    def is_large(self) -> bool:
        """Whether there is a seventh map."""
        return self.base == "vgg-16" and self.side >= LARGE

    @property
    def base_maps(self) -> tuple[tuple[str, int], ...]:
        """Name and width of the maps that the base network gives."""
        maps = (("relu4_3", 512), ("relu7", 1024)) if self.base == "vgg-16" else (("_plus12", 1024), ("_plus15", 2048))
        return tuple((name, narrowed(width, self.share)) for name, width in maps)

    @property
    def extras(self) -> tuple[Extra, ...]:
        """What follows the base network."""
        shapes = [(512, 2, 1), (256, 2, 1), (256, 1, 0), (256, 1, 0)]
        if self.base == "resnet-50":
            shapes = [(512, 2, 1), (256, 2, 1), (256, 2, 1), (128, 2, 1)]
        elif self.is_large:
            shapes = [(512, 2, 1), (256, 2, 1), (256, 2, 1), (256, 2, 1), (256, 1, 1)]
        return tuple(
            Extra(
                f"multi_feat_{number}",
                narrowed(max(128, width // 2), self.share),
                narrowed(width, self.share),
                stride,
                padding,
            )
            for number, (width, stride, padding) in enumerate(shapes, 2)
        )

    @property
    def design(self) -> NarrowDesign:
        """The residual network under it."""
        return NarrowDesign(num_layers=50, channels=3, height=self.side, share=self.share)

    @property
    def maps(self) -> tuple[tuple[str, int], ...]:
        """Name and width of all maps that anchors lie on."""
        return (*self.base_maps, *((f"{extra.name}_conv_3x3_relu", extra.width) for extra in self.extras))

    @property
    def sizes(self) -> tuple[tuple[float, float], ...]:
        """Of each map the sides of its anchors, in fractions of the picture."""
        if self.is_large:
            first = (0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
            return tuple(zip(first, (0.1025, 0.2121, 0.3674, 0.5196, 0.6708, 0.8216, 0.9721), strict=True))
        return ((0.1, 0.141), (0.2, 0.272), (0.37, 0.447), (0.54, 0.619), (0.71, 0.79), (0.88, 0.961))

    @property
    def ratios(self) -> tuple[tuple[float, ...], ...]:
        """Of each map the ratios of width to height."""
        few, many = (1.0, 2.0, 0.5), (1.0, 2.0, 0.5, 3.0, 1 / 3)
        return (few, many, many, many, many, few, few) if self.is_large else (few, many, many, many, few, few)

    @property
    def counts(self) -> tuple[int, ...]:
        """Anchors at each place of each map."""
        return tuple(len(sizes) + len(ratios) - 1 for sizes, ratios in zip(self.sizes, self.ratios, strict=True))

    @property
    def shapes(self) -> tuple[int, ...]:
        """The side of each map, in places."""
        side = self.side
        if self.base == "vgg-16":
            third = -(-(side // 4) // 2)  # the third pooling rounds up
            sides = [third, third // 2]
        else:
            for _ in range(4):  # the stem twice, and the second and third stage: rounded up
                side = -(-side // 2)
            sides = [side, -(-side // 2)]
        for extra in self.extras:
            sides.append((sides[-1] + 2 * extra.padding - 3) // extra.stride + 1)
        return tuple(sides)

    def anchors(self) -> NDArray[np.float32]:
        """Corners (a, 4) of all anchors, map by map."""
        steps: tuple[float | None, ...] = (None,) * len(self.maps)
        if self.base == "vgg-16":
            pixels = (8, 16, 32, 64, 128, 256, 512) if self.is_large else (8, 16, 32, 64, 100, 300)
            whole = 512 if self.is_large else 300
            steps = tuple(step / whole for step in pixels) if self.side == whole else steps
        parts = [
            of_map((shape, shape), sizes, ratios, step)
            for shape, sizes, ratios, step in zip(self.shapes, self.sizes, self.ratios, steps, strict=True)
        ]
        return np.concatenate(parts)
