"""Pictures in RecordIO frames: `application/x-recordio`.

Either each frame has a small header with the label in front of the picture, as MXNet's im2rec writes them, or frames
are a picture and the text of its label by turns, as the stream of an augmented manifest has them. The first frame
tells: one that begins as a picture does has no header.
"""

from __future__ import annotations

import io
import itertools
import json
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Images
from algoport.training.formats.images.signature import is_picture, told
from algoport.training.formats.layout import Layout, shown
from algoport.training.formats.recordio import MAGIC, frame, frames

MEDIA = ("application/x-recordio",)
_HEADER = struct.Struct("<IfQQ")  # flag: how many labels follow, label where none do, number of the picture, 0
_MAGIC = struct.pack("<I", MAGIC)
MOST_LABELS = 1 << 20  # a flag beyond this is no count of labels
_BLOCK = 1 << 12  # pictures handed on at a time, however small they are

Labeled = tuple[bytes, NDArray[np.float32], int]  # a picture, its labels, and the number of its frame


def read(stream: BinaryIO, layout: Layout) -> Iterator[Images]:
    """Pictures with their labels, about a block of bytes at a time. `UserError` names the record that is not one.

    An augmented manifest's labels are a number or a list; with `label-format=class-id` a list has the numbers of the
    classes that are true of a picture, else a 0 or 1 for each class.
    """
    payloads = frames(stream, layout, MEDIA[0])
    first = next(payloads, None)
    if first is None:
        return
    every = itertools.chain([first], payloads)
    if first.startswith(_MAGIC):  # a whole file in each frame, as pipes wrap them
        for payload in every:
            yield from read(io.BytesIO(payload), layout)
        return
    labeled = _alternating(every, layout) if is_picture(first) else _headed(every, layout)
    yield from _blocks(labeled, layout)


def write(images: Images, first: int = 0) -> bytes:
    """A frame a picture, numbered from `first` on; one label stands in the header, several behind it."""
    if images.label is None:
        raise ValueError("A record has a label; these pictures have none.")
    return b"".join(
        frame(packed(data, row, first + number))
        for number, (data, row) in enumerate(zip(images.encoded, images.label, strict=True))
    )


def packed(data: bytes, labels: NDArray[np.float32], number: int) -> bytes:
    """The payload of one record."""
    if len(labels) == 1:
        return _HEADER.pack(0, float(labels[0]), number, 0) + data
    return _HEADER.pack(len(labels), 0.0, number, 0) + labels.astype("<f4").tobytes() + data


def _headed(payloads: Iterator[bytes], layout: Layout) -> Iterator[Labeled]:
    for number, payload in enumerate(payloads, 1):
        place = f"record {number}"
        if len(payload) < _HEADER.size:
            raise layout.fault(place, f"must have a header of {_HEADER.size} bytes; it has {len(payload)} in all.")
        flag, label, _, _ = _HEADER.unpack_from(payload)
        start = _HEADER.size + 4 * flag
        if flag > MOST_LABELS or start > len(payload):
            raise layout.fault(place, f"says that {flag:,} labels follow, where {len(payload):,} bytes do.")
        labels = np.frombuffer(payload, "<f4", flag, _HEADER.size) if flag else np.array([label], np.float32)
        data = payload[start:]
        if not is_picture(data):
            raise layout.fault(place, f"must hold a JPEG or PNG file; it is {told(data)}.")
        yield data, labels.astype(np.float32), number


def _alternating(payloads: Iterator[bytes], layout: Layout) -> Iterator[Labeled]:
    for number, data in enumerate(payloads):
        place = f"record {2 * number + 1}"
        if not is_picture(data):
            raise layout.fault(place, f"must be a JPEG or PNG file, as every other one; it is {told(data)}.")
        text = next(payloads, None)
        if text is None:
            raise layout.fault(place, "is a picture, and no label follows it.")
        yield data, _label(text, layout, f"record {2 * number + 2}"), 2 * number + 1


def _label(text: bytes, layout: Layout, place: str) -> NDArray[np.float32]:
    """A number, or a list of numbers, also within a JSON string."""
    try:
        value = json.loads(text)
        if isinstance(value, str):
            value = json.loads(value)
        found = np.atleast_1d(np.array(value, np.float32))
    except (ValueError, TypeError, RecursionError):
        raise layout.fault(place, f"must be a label, a number or a list of numbers; it is {shown(text)}.") from None
    if found.ndim != 1 or not np.isfinite(found).all():
        raise layout.fault(place, f"must be a label, a number or a list of numbers; it is {shown(text)}.")
    if isinstance(value, list) and layout.parameters.get("label-format", "multi-hot") == "class-id":
        return _hot(found, layout, place)
    return found


def _hot(numbers: NDArray[np.float32], layout: Layout, place: str) -> NDArray[np.float32]:
    """A 1 for each class that is named."""
    classes = layout.classes
    if classes is None:
        raise layout.fault(place, "names classes by number, and nothing says how many classes there are.")
    if not all(0 <= number < classes and number == int(number) for number in numbers):
        raise layout.fault(place, f"must name classes from 0 to {classes - 1}; it is {shown(str(numbers.tolist()))}.")
    row = np.zeros(classes, np.float32)
    row[numbers.astype(np.int64)] = 1
    return row


def _blocks(labeled: Iterator[Labeled], layout: Layout) -> Iterator[Images]:
    parts: list[Labeled] = []
    size, width = 0, None
    for each in labeled:
        width = width or len(each[1])
        if len(each[1]) != width:
            told = f"{len(each[1])} labels, where the first record has {width}."
            raise layout.fault(f"record {each[2]}", told)
        parts.append(each)
        size += len(each[0])
        if size >= layout.block or len(parts) >= _BLOCK:
            yield _images(parts, layout)
            parts, size = [], 0
    if parts:
        yield _images(parts, layout)


def _images(parts: list[Labeled], layout: Layout) -> Images:
    return Images(
        encoded=[data for data, _, _ in parts],
        label=np.stack([label for _, label, _ in parts]),
        places=[f"{layout.name}, record {number}" for _, _, number in parts],
    )
