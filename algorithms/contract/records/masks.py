"""Encoded pictures, and a mask of the same size for each: the class of every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from algoport.algorithms.contract.kinds import Kind
from algoport.algorithms.contract.records.images import Images, png


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks(Images):
    """Pictures and their masks. Nothing is decoded yet."""

    # (n,) PNG files of as many pixels as the picture, a number of 8 bits each: a gray level, or a place in a palette
    masks: Sequence[bytes | None] | None = None  # None where the request or the format has none

    @property
    def nbytes(self) -> int:
        """Bytes of the files."""
        return super().nbytes + sum(len(mask) for mask in self.masks or () if mask is not None)


def _generate(random: np.random.Generator) -> Masks:
    """One picture to ask about, or several with masks, gray or of a palette."""
    n = 1 if random.random() < 0.3 else int(random.integers(1, 9))
    sizes = random.integers(1, 9, (n, 2)).tolist()
    encoded = [png(height, width, random.bytes(9)) for height, width in sizes]
    if n == 1 and random.random() < 0.7:
        return Masks(encoded=encoded)
    colors = random.choice(["gray", "palette"], n).tolist()
    masks = [png(height, width, random.bytes(3), color) for (height, width), color in zip(sizes, colors, strict=True)]
    return Masks(encoded=encoded, masks=masks)


KIND = Kind(
    name="masks",
    empty=lambda width: Masks(encoded=[]),
    formats=("masks.recordio", "masks.picture"),
    generate=_generate,
    schema={"type": "object"},
    noun="pictures",
    framed=("application/x-recordio",),
    folders={"application/x-image": "masks"},
    inspection="vision.inspection",
)
