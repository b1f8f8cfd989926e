"""Pictures with a label, or one a class, in RecordIO frames: `application/x-recordio`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Images
from algoport.training.formats.images import frames
from algoport.training.formats.images.frames import MEDIA, Entry, pack
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.recordio import frame

__all__ = ["MEDIA", "pack", "read", "write"]

Label = NDArray[np.float32]  # (l,)


def read(stream: BinaryIO, layout: Layout) -> Iterator[Images]:
    """Pictures with their labels, about a block of bytes at a time. `UserError` names the record that is not one.

    An augmented manifest's labels are a number or a list; with `label-format=class-id` a list has the numbers of the
    classes that are true of a picture, else a 0 or 1 for each class.
    """
    reading = frames.Reading(header=lambda labels, data, layout, place: labels, frame=_label, noun="label")
    for parts in frames.blocks(_alike(frames.entries(stream, layout, reading), layout), layout):
        yield Images(
            encoded=[each.data for each in parts],
            label=np.stack([each.known for each in parts]),
            places=[each.place for each in parts],
        )


def write(images: Images, first: int = 0) -> bytes:
    """A frame a picture, numbered from `first` on; one label stands in the header, several behind it."""
    if images.label is None:
        raise ValueError("A record has a label; these pictures have none.")
    return b"".join(
        frame(pack(data, row, first + number))
        for number, (data, row) in enumerate(zip(images.encoded, images.label, strict=True))
    )


def _alike(entries: Iterator[Entry[Label]], layout: Layout) -> Iterator[Entry[Label]]:
    """The same; `UserError` where one has more labels or fewer than the first."""
    width = None
    for each in entries:
        width = width or len(each.known)
        if len(each.known) != width:
            sentence = f"{len(each.known)} labels, where the first record has {width}."
            raise layout.fault(each.place.removeprefix(f"{layout.name}, "), sentence)
        yield each


def _label(text: bytes, data: bytes, layout: Layout, place: str) -> Label:
    """A number, or a list of numbers, also within a JSON string."""
    try:
        value = json.loads(text)
        if isinstance(value, str):
            value = json.loads(value)
        numbers = np.atleast_1d(np.array(value, np.float32))
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise layout.fault(place, f"must be a label, a number or a list of numbers; it is {excerpt(text)}.") from None
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise layout.fault(place, f"must be a label, a number or a list of numbers; it is {excerpt(text)}.")
    if isinstance(value, list) and layout.parameters.get("label-format", "multi-hot") == "class-id":
        return _hot(numbers, layout, place)
    return numbers


def _hot(numbers: Label, layout: Layout, place: str) -> Label:
    """A 1 for each class that is named."""
    classes = layout.classes
    if classes is None:
        raise layout.fault(place, "names classes by number, and nothing says how many classes there are.")
    if not all(0 <= number < classes and number == int(number) for number in numbers):
        raise layout.fault(place, f"must name classes from 0 to {classes - 1}; it is {excerpt(str(numbers.tolist()))}.")
    row = np.zeros(classes, np.float32)
    row[numbers.astype(np.int64)] = 1
    return row
