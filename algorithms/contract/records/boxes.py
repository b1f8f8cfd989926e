"""Encoded pictures, and the objects in each: a class and a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.kinds import Kind
from algoport.algorithms.contract.records.images import Images, png


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes(Images):
    """Pictures and the objects in each, of which there may be none. Nothing is decoded yet.

    An object is (5 + e) numbers: class, xmin, ymin, xmax and ymax, corners in fractions of width and height from 0 to
    1, and e more, of which the first, where it is not 0, marks what is difficult to see.
    """

    # (n,) of (o, 5 + e) float32; None where the format or the request has none, and of a picture without annotation
    objects: Sequence[NDArray[np.float32] | None] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the files and of the numbers."""
        return super().nbytes + sum(each.nbytes for each in self.objects or () if each is not None)

    def difficult(self, number: int) -> NDArray[np.bool_]:
        """(o,) which objects of a picture are marked as difficult."""
        objects = self._objects(number)
        return objects[:, 5] != 0 if objects.shape[1] > 5 else np.zeros(len(objects), bool)

    def label_width(self, number: int) -> int:
        """How many numbers the label of a picture has in MXNet's form, with its header of two."""
        return 2 + self._objects(number).size

    def _objects(self, number: int) -> NDArray[np.float32]:
        objects = None if self.objects is None else self.objects[number]
        return np.empty((0, 5), np.float32) if objects is None else objects


def _generate(random: np.random.Generator) -> Boxes:
    """One picture to ask about, or several with no object, some, or one that fills the picture; with more numbers."""
    n = 1 if random.random() < 0.3 else int(random.integers(1, 9))
    encoded = [png(height, width, random.bytes(9)) for height, width in random.integers(1, 9, (n, 2)).tolist()]
    if n == 1 and random.random() < 0.7:
        return Boxes(encoded=encoded)
    return Boxes(encoded=encoded, objects=[_some(random) for _ in range(n)])


def _some(random: np.random.Generator) -> NDArray[np.float32]:
    count, more = int(random.integers(0, 4)), int(random.choice([0, 0, 1, 3]))
    objects = random.random((count, 5 + more)).astype(np.float32)
    objects[:, 0] = random.choice([0, 1, 19, (1 << 24) - 1], count)
    low, high = objects[:, 1:3] * np.float32(0.5), np.float32(0.5) + objects[:, 3:5] * np.float32(0.5)
    objects[:, 1:3], objects[:, 3:5] = low, np.maximum(high, low + np.float32(0.01))
    if count and random.random() < 0.3:
        objects[0, 1:5] = (0, 0, 1, 1)
    return objects


KIND = Kind(
    name="boxes",
    empty=lambda width: Boxes(encoded=[]),
    formats=("boxes.recordio", "boxes.picture"),
    generate=_generate,
    schema={"type": "object"},
    noun="pictures",
    framed=("application/x-recordio",),
    folders={"application/x-image": "boxes"},
    inspection="vision.inspection",
)
