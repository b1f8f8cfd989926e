"""A picture and its mask by turns in RecordIO frames, as an augmented manifest's stream has them:
`application/x-recordio`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from algoport.algorithms.contract.records.masks import Masks
from algoport.training.formats.images import frames
from algoport.training.formats.images.frames import MEDIA
from algoport.training.formats.layout import Layout
from algoport.training.formats.masks.mask import check
from algoport.training.formats.recordio import frame

__all__ = ["MEDIA", "read", "write"]


def read(stream: BinaryIO, layout: Layout) -> Iterator[Masks]:
    """Pictures with their masks, about a block of bytes at a time. `UserError` names the record that is wrong."""
    reading = frames.Reading(header=_with_header, frame=check, noun="mask")
    for parts in frames.blocks(frames.entries(stream, layout, reading), layout):
        yield Masks(
            encoded=[each.data for each in parts],
            masks=[each.known for each in parts],
            places=[each.place for each in parts],
        )


def write(masks: Masks) -> bytes:
    """Two frames a picture."""
    if masks.masks is None or any(mask is None for mask in masks.masks):
        raise ValueError("Pictures in RecordIO have a mask each; some of these have none.")
    pairs = zip(masks.encoded, masks.masks, strict=True)
    return b"".join(frame(data) + frame(mask) for data, mask in pairs if mask is not None)


def _with_header(labels: Any, data: bytes, layout: Layout, place: str) -> bytes:
    """Nothing: a header has no room for a mask."""
    raise layout.fault(
        place, "has a header in front of its picture, where a picture and its mask must stand in frames by turns."
    )
