"""One picture of which the mask is asked for: `application/x-image`, `image/jpeg`, `image/png`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.masks import Masks
from algoport.training.formats.images.picture import MEDIA, ONE, only, single
from algoport.training.formats.layout import Layout

__all__ = ["MEDIA", "ONE", "read", "write"]


def read(stream: BinaryIO, layout: Layout) -> Iterator[Masks]:
    """The picture of one file or request; none where there are no bytes."""
    for data in single(stream, layout):
        yield Masks(encoded=[data], places=[layout.name])


def write(masks: Masks) -> bytes:
    """The file of the only picture, which has no mask."""
    if masks.masks is not None:
        raise ValueError("A body of one picture has no mask.")
    return only(masks)
