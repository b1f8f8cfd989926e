"""Pictures in RecordIO frames with what is known of each, whatever that is: `application/x-recordio`.

Either each frame has a small header with numbers in front of the picture, as MXNet's im2rec writes them, or frames are
a picture and what is known of it by turns, as the stream of an augmented manifest has them. The first frame tells: one
that begins as a picture does has no header.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.signature import KNOWN, description, is_picture
from algoport.training.formats.layout import Layout
from algoport.training.formats.recordio import MAGIC, frames

MEDIA = ("application/x-recordio",)
MOST_LABELS = 1 << 20  # a flag beyond this is no count of labels
_HEADER = struct.Struct("<IfQQ")  # flag: how many labels follow, label where none do, number of the picture, 0
_MAGIC = struct.pack("<I", MAGIC)
_BLOCK = 1 << 12  # pictures handed on at a time, however small they are

K = TypeVar("K")


@dataclass(frozen=True)
class Entry(Generic[K]):
    """A picture and what is known of it."""

    data: bytes
    known: K
    number: int  # of its frame, from 1
    source: str  # the stream, or the object within it

    @property
    def place(self) -> str:
        """Where it stood, in front of a fault."""
        return f"{self.source}, record {self.number}"


@dataclass(frozen=True, kw_only=True)
class Reading(Generic[K]):
    """How what is known of a picture is read. Each is given the layout and the place that its faults name."""

    header: Callable[[NDArray[np.float32], bytes, Layout, str], K]  # from the numbers in front of the picture
    frame: Callable[[bytes, bytes, Layout, str], K]  # from the frame that follows it
    noun: str  # what that frame holds: "label"


def entries(stream: BinaryIO, layout: Layout, reading: Reading[K]) -> Iterator[Entry[K]]:
    """Every picture of a stream, of the files in its frames where pipes wrapped whole files. `UserError` names the
    record that is not one."""
    payloads = frames(stream, layout, MEDIA[0])
    first = next(payloads, None)
    if first is None:
        return
    every = itertools.chain([first], payloads)
    if not first.startswith(_MAGIC):
        yield from _unwrap(every, layout, reading)
        return
    for number, payload in enumerate(every, 1):
        inner = replace(layout, name=f"{layout.name}, object {number}")
        yield from _unwrap(frames(io.BytesIO(payload), inner, MEDIA[0]), inner, reading)


def pack(data: bytes, labels: NDArray[np.float32], number: int) -> bytes:
    """The payload of one record with a header."""
    if len(labels) == 1:
        return _HEADER.pack(0, float(labels[0]), number, 0) + data
    return _HEADER.pack(len(labels), 0.0, number, 0) + labels.astype("<f4").tobytes() + data


def blocks(pictures: Iterator[Entry[K]], layout: Layout) -> Iterator[list[Entry[K]]]:
    """About as many pictures at a time as a block has bytes."""
    parts: list[Entry[K]] = []
    size = 0
    for each in pictures:
        parts.append(each)
        size += len(each.data)
        if size >= layout.block or len(parts) >= _BLOCK:
            yield parts
            parts, size = [], 0
    if parts:
        yield parts


def _unwrap(payloads: Iterator[bytes], layout: Layout, reading: Reading[K]) -> Iterator[Entry[K]]:
    first = next(payloads, None)
    if first is not None:
        read = _alternating if is_picture(first) else _with_header
        yield from read(itertools.chain([first], payloads), layout, reading)


def _with_header(payloads: Iterator[bytes], layout: Layout, reading: Reading[K]) -> Iterator[Entry[K]]:
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
            raise layout.fault(place, f"must hold {KNOWN}; it is {description(data)}.")
        known = reading.header(labels.astype(np.float32), data, layout, place)
        yield Entry(data, known, number, layout.name)


def _alternating(payloads: Iterator[bytes], layout: Layout, reading: Reading[K]) -> Iterator[Entry[K]]:
    for number, data in enumerate(payloads):
        place = f"record {2 * number + 1}"
        if not is_picture(data):
            raise layout.fault(place, f"must be {KNOWN}, as every other one; it is {description(data)}.")
        following = next(payloads, None)
        if following is None:
            raise layout.fault(place, f"is a picture, and no {reading.noun} follows it.")
        known = reading.frame(following, data, layout, f"record {2 * number + 2}")
        yield Entry(data, known, 2 * number + 1, layout.name)
