"""One picture of which the boxes are asked for: `application/x-image`, `image/jpeg`, `image/png`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.boxes import Boxes
from algoport.training.formats.images.picture import MEDIA, ONE, only, single
from algoport.training.formats.layout import Layout

__all__ = ["MEDIA", "ONE", "read", "write"]


def read(stream: BinaryIO, layout: Layout) -> Iterator[Boxes]:
    """The picture of one file or request; none where there are no bytes."""
    for data in single(stream, layout):
        yield Boxes(encoded=[data], places=[layout.name])


def write(boxes: Boxes) -> bytes:
    """The file of the only picture, which has no boxes."""
    if boxes.objects is not None:
        raise ValueError("A body of one picture has no boxes.")
    return only(boxes)
