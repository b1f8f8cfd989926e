"""Pictures with boxes in RecordIO frames: `application/x-recordio`.

As MXNet's im2rec packs them, or a picture and its JSON annotation by turns, as an augmented manifest's stream has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.boxes import Boxes
from algoport.training.formats.boxes.objects import of_json, of_label, to_label
from algoport.training.formats.images import frames
from algoport.training.formats.images.frames import MEDIA, pack
from algoport.training.formats.layout import Layout
from algoport.training.formats.recordio import frame

__all__ = ["MEDIA", "read", "write"]


def read(stream: BinaryIO, layout: Layout) -> Iterator[Boxes]:
    """Pictures with their objects, about a block of bytes at a time. `UserError` names the record that is wrong."""
    reading = frames.Reading(header=of_label, frame=of_json, noun="annotation")
    for parts in frames.blocks(frames.entries(stream, layout, reading), layout):
        yield Boxes(
            encoded=[each.data for each in parts],
            objects=[each.known for each in parts],
            places=[each.place for each in parts],
        )


def write(boxes: Boxes) -> bytes:
    """A frame a picture with the label of its boxes, also where it has none."""
    if boxes.objects is None or any(objects is None for objects in boxes.objects):
        raise ValueError("Pictures in RecordIO have boxes, and be it none each; these say nothing of theirs.")
    labels = [to_label(objects) for objects in boxes.objects if objects is not None]
    return b"".join(
        frame(pack(data, label, number)) for number, (data, label) in enumerate(zip(boxes.encoded, labels, strict=True))
    )
