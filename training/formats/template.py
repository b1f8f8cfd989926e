"""The fast path of recordio-protobuf: records of one layout are a table, and tables are copied and not parsed.

A writer that is given the rows of a matrix writes frames that differ in nothing but the numbers: same lengths,
same tags, same names. What the first of them looks like is found by reading it; that the others look the same, by
comparing the bytes around the numbers, eight at a time and for all frames together.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEADER = 8  # bytes of a frame before its payload
_DOUBLES, _FLOATS, _BYTES = "<f8", "<f4", "u1"
_NAME = b"\x0a\x06values"
_TENSORS = {2: _FLOATS, 3: _DOUBLES, 7: _BYTES}


@dataclass(frozen=True)
class Numbers:
    """Where a vector lies in a frame."""

    start: int
    stop: int
    dtype: str  # "u1": integers below 128, which take a byte each

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return (self.stop - self.start) // np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Template:
    """A frame of which only the numbers differ from record to record."""

    frame: bytes  # header and payload, without padding
    features: Numbers
    label: Numbers | None

    @property
    def stride(self) -> int:
        """Bytes from one frame to the next."""
        return -(-len(self.frame) // 4) * 4

    def run(self, data: NDArray[np.uint8], start: int, padded: bool) -> int:
        """How many frames from there on look the same. `data` is what is there; unless `padded`, the last of
        them may lack its padding."""
        room = len(data) - start - (self.stride if padded else len(self.frame))
        count = 0 if room < 0 else room // self.stride + 1
        # The first frames alone, so that a change of layout is cheap to notice.
        for some in (16, count):
            same = self._same(data, start, min(some, count))
            if same < min(some, count):
                return same
        return count

    def _same(self, data: NDArray[np.uint8], start: int, count: int) -> int:
        if not count:
            return 0
        differs = np.zeros(count, bool)
        for offset, size in self._words():
            words = np.ndarray((count,), f"<u{size}", data.data, start + offset, (self.stride,))
            differs |= words != int.from_bytes(self.frame[offset : offset + size], "little")
        for part in (self.features, self.label):
            if part is not None and part.dtype == _BYTES:
                differs |= (self._view(data, start, count, part) >= 128).any(axis=1)
        return int(np.argmax(differs)) if differs.any() else count

    def _words(self) -> list[tuple[int, int]]:
        """The bytes that are no numbers, cut into words: offset and size."""
        gaps, at = [], 0
        for part in sorted((part for part in (self.features, self.label) if part), key=lambda part: part.start):
            gaps.append((at, part.start))
            at = part.stop
        gaps.append((at, len(self.frame)))
        words = []
        for begin, end in gaps:
            offset = begin
            while offset < end:
                size = next(size for size in (8, 4, 2, 1) if size <= end - offset)
                words.append((offset, size))
                offset += size
        return words

    def numbers(self, data: NDArray[np.uint8], start: int, count: int, part: Numbers) -> NDArray[np.float32]:
        """One vector of each frame: (count, d) float32."""
        if part.dtype == _FLOATS and part.count > 16:
            # As one item a row: a memory copy each, where floats that are not aligned go one by one.
            rows = np.ndarray((count,), f"V{4 * part.count}", data.data, start + part.start, (self.stride,))
            return np.ascontiguousarray(rows).view(np.float32).reshape(count, part.count)
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(self._view(data, start, count, part).astype(np.float32))

    def _view(self, data: NDArray[np.uint8], start: int, count: int, part: Numbers) -> NDArray[np.float32]:
        step = np.dtype(part.dtype).itemsize
        shape, strides = (count, part.count), (self.stride, step)
        return np.ndarray(shape, part.dtype, data.data, start + part.start, strides)


def template(frame: bytes) -> Template | None:
    """That of a frame without its padding, or None where its records need to be parsed.

    Sparse tensors, integers of several bytes, texts, and everything that protobuf allows but writers do not do
    (a field in two pieces, say) need to be parsed.
    """
    try:
        features, label = _parts(frame)
    except (ValueError, IndexError):
        return None
    if features is None or not features.count:
        return None
    return Template(frame, features, label)


def _parts(frame: bytes) -> tuple[Numbers | None, Numbers | None]:
    parts: dict[int, Numbers] = {}
    for field, start, stop in _fields(frame, HEADER, len(frame)):
        if field not in (1, 2) or field in parts:
            raise ValueError
        parts[field] = _entry(frame, start, stop)
    return parts.get(1), parts.get(2)


def _entry(frame: bytes, start: int, stop: int) -> Numbers:
    if frame[start : start + len(_NAME)] != _NAME:
        raise ValueError
    ((field, start, stop),) = _fields(frame, start + len(_NAME), stop)
    if field != 2:
        raise ValueError
    ((kind, start, stop),) = _fields(frame, start, stop)
    fields = list(_fields(frame, start, stop))
    if kind not in _TENSORS or [field for field, _, _ in fields] not in ([1], [1, 3]):
        raise ValueError
    numbers = Numbers(fields[0][1], fields[0][2], _TENSORS[kind])
    size = np.dtype(numbers.dtype).itemsize
    values = frame[numbers.start : numbers.stop]
    if (numbers.stop - numbers.start) % size or (size == 1 and values and max(values) > 127):
        raise ValueError
    if len(fields) == 2 and _varint(frame, fields[1][1]) != (numbers.count, fields[1][2]):
        raise ValueError
    return numbers


def _fields(frame: bytes, start: int, stop: int) -> list[tuple[int, int, int]]:
    """Number, start and end of the fields of a message, all of which must have a length."""
    fields = []
    while start < stop:
        tag, start = _varint(frame, start)
        size, start = _varint(frame, start)
        if tag & 7 != 2 or start + size > stop:
            raise ValueError
        fields.append((tag >> 3, start, start + size))
        start += size
    return fields


def _varint(frame: bytes, at: int) -> tuple[int, int]:
    number, shift = 0, 0
    while frame[at] > 127:
        number |= (frame[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if shift > 63:
            raise ValueError
    return number | frame[at] << shift, at + 1


def vector(name: str, values: bytes) -> bytes:
    """A map entry of that name with a Float32Tensor of these little-endian values."""
    tensor = _sized(b"\x0a", values)
    return _sized(b"\x0a", name.encode()) + _sized(b"\x12", _sized(b"\x12", tensor))


def _sized(tag: bytes, data: bytes) -> bytes:
    size, text = len(data), bytearray(tag)
    while size > 127:
        text.append(size & 127 | 128)
        size >>= 7
    return bytes(text) + bytes([size]) + data


def fill(features: dict[str, NDArray[np.float32]], label: dict[str, NDArray[np.float32]]) -> bytes:
    """One frame a row, from arrays (n, d) of the same n, by field and name: no loop over the rows."""
    payload, places = b"", []
    for tag, columns in ((b"\x0a", features), (b"\x12", label)):
        for name, array in columns.items():
            entry = _sized(tag, vector(name, bytes(4 * array.shape[1])))
            payload += entry
            places.append((HEADER + len(payload), array))
    frame = struct.pack("<II", 0xCED7230A, len(payload)) + payload
    frame += bytes(-len(frame) % 4)
    n = len(places[0][1]) if places else 0
    table = np.tile(np.frombuffer(frame, np.uint8), (n, 1))
    for stop, array in places:
        width = 4 * array.shape[1]
        table[:, stop - width : stop] = np.ascontiguousarray(array, "<f4").view(np.uint8).reshape(n, width)
    return table.tobytes()
