"""RecordIO frames, and the protobuf records in them: `application/x-recordio-protobuf`.

Three ways to decode, by speed: tables of frames that differ only in their numbers (`template`), a compiled parser
for sparse and other records (`kernels`), and the protobuf library for what is left.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.wire import Message
from algoport.training.formats import record
from algoport.training.formats.layout import Layout
from algoport.training.formats.recognition import format_of
from algoport.training.formats.template import HEADER, Template, fill, template
from algoport.training.formats.window import Window

MEDIA = ("application/x-recordio-protobuf", "recordio-protobuf", "application/x-protobuf", "x-recordio-protobuf")
MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
_LENGTH = (1 << 29) - 1
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_FEW = 16  # frames of one layout in a row from which on they are handled as a table
SMALL = 1 << 16  # bytes up to which the protobuf library parses: numba need not be loaded for a request
_BATCH = 4096  # records parsed before looking for a table again


@dataclass(frozen=True)
class Frame:
    """A record as it lies in the window."""

    start: int  # of the frame
    stop: int  # of the frame with its padding
    parts: tuple[tuple[int, int], ...]  # of the payload, to be joined by the magic; one if it is not split

    def payload(self, data: NDArray[np.uint8]) -> bytes:
        """Its bytes."""
        return MAGIC_BYTES.join(data[start:stop].tobytes() for start, stop in self.parts)


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """Rows from the feature `values` and the label `values` of each record, dense or sparse."""
    reader = _Reader(Window(stream, layout.block), layout)
    while reader.window.fill():
        yield from reader.rows()


def frames(stream: BinaryIO, layout: Layout, media: str = MEDIA[0]) -> Iterator[bytes]:
    """The payloads of RecordIO frames, whatever they hold; `media` is what messages call the content type."""
    reader = _Reader(Window(stream, layout.block), layout, media)
    window = reader.window
    while window.fill():
        at = 0
        while frame := reader.frame(at):
            yield frame.payload(window.bytes)
            at = frame.stop
            reader.record += 1
        reader.advance(at)


def write(rows: Rows) -> bytes:
    """One frame a record, never split: float32 tensors, with keys and shape where the rows are sparse."""
    texts = (rows.uid, rows.metadata, rows.configuration)
    if rows.is_sparse or any(column is not None for column in texts):
        return b"".join(frame(payload) for payload in _messages(rows))
    label = {} if rows.label is None else {record.NAME: rows.label}
    return fill({record.NAME: rows.dense()}, label)


def frame(payload: bytes) -> bytes:
    """A payload as one frame."""
    if len(payload) > _LENGTH:
        raise ValueError(f"A record takes at most {_LENGTH:,} bytes; this one has {len(payload):,}.")
    return struct.pack("<II", MAGIC, len(payload)) + payload + bytes(-len(payload) % 4)


def with_frame(body: bytes) -> bytes:
    """The frames of a request. A bare record gets one: batch transform sends records so where it splits RecordIO into
    single ones. No record begins as a frame does."""
    if not body or body.startswith(MAGIC_BYTES) or len(body) > _LENGTH:
        return body
    from google.protobuf.message import DecodeError

    try:
        features = record.message().FromString(body).features
    except DecodeError:
        return body
    return frame(body) if features else body


def answers(
    columns: Mapping[str, NDArray[Any] | Sequence[NDArray[Any]]],
    uid: Sequence[str | None] | None = None,
    metadata: Sequence[str | None] | None = None,
) -> bytes:
    """One record an entry, with a float32 label of each column's name; vectors, also of different lengths, stay
    whole."""
    regular = all(isinstance(column, np.ndarray) for column in columns.values())
    if regular and uid is None and metadata is None:
        return fill({}, {name: _flat(np.asarray(column, np.float32)) for name, column in columns.items()})
    framed = []
    for number in range(len(next(iter(columns.values()), ()))):
        message = record.message()()
        for name, column in columns.items():
            message.label[name].float32_tensor.values.extend(np.asarray(column[number], np.float32).ravel())
        _echo(message, uid, metadata, number)
        framed.append(frame(message.SerializeToString(deterministic=True)))
    return b"".join(framed)


def messages(
    content: Sequence[Message],
    uid: Sequence[str | None] | None = None,
    metadata: Sequence[str | None] | None = None,
) -> bytes:
    """A frame a message. Whole numbers are int32 tensors, all others float32."""
    framed = []
    for number, each in enumerate(content):
        message = record.message()()
        for entries, arrays in ((message.features, each.features), (message.label, each.label)):
            for name, array in arrays.items():
                if np.asarray(array).dtype.kind in "iu":
                    entries[name].int32_tensor.values.extend(np.asarray(array, np.int32).ravel())
                else:
                    entries[name].float32_tensor.values.extend(np.asarray(array, np.float32).ravel())
        _echo(message, uid, metadata, number)
        framed.append(frame(message.SerializeToString(deterministic=True)))
    return b"".join(framed)


def _flat(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """A row an entry, also where there is none."""
    return column.reshape(len(column), math.prod(column.shape[1:]))


def _messages(rows: Rows) -> Iterator[bytes]:
    import orjson

    for number in range(len(rows)):
        message = record.message()()
        tensor = message.features[record.NAME].float32_tensor
        if rows.is_sparse:
            matrix: Any = rows.features
            begin, end = matrix.indptr[number : number + 2]
            tensor.keys.extend(matrix.indices[begin:end].tolist())
            tensor.values.extend(matrix.data[begin:end].tolist())
            tensor.shape.append(rows.width)
        else:
            tensor.values.extend(rows.features[number].tolist())
        if rows.label is not None:
            message.label[record.NAME].float32_tensor.values.extend(rows.label[number].tolist())
        _echo(message, rows.uid, rows.metadata, number)
        if rows.configuration is not None and rows.configuration[number] is not None:
            message.configuration = orjson.dumps(rows.configuration[number]).decode()
        yield message.SerializeToString(deterministic=True)


def _echo(message: Any, uid: Sequence[str | None] | None, metadata: Sequence[str | None] | None, number: int) -> None:
    for name, texts in (("uid", uid), ("metadata", metadata)):
        text = None if texts is None else texts[number]
        if text is not None:
            setattr(message, name, text)


class _Reader:
    """Takes records from a window, and knows how many it has taken and how they must look."""

    def __init__(self, window: Window, layout: Layout, media: str = MEDIA[0]) -> None:
        self.window, self.layout = window, layout
        self._media = media
        self.record = 1  # number of the next
        self._template: Template | None = None
        self._width = layout.width
        self._labels: int | None = None

    def rows(self) -> Iterator[Rows]:
        """All whole records of the window."""
        at = 0
        while frame := self.frame(at):
            count = self._same(at, frame)
            if count:
                rows = self._table(at, count)
                at += min(count * self._template.stride, self.window.end - at) if self._template else 0
            else:
                rows, at = self._parsed(frame)
            self._width, self._labels = rows.width, 0 if rows.label is None else rows.label.shape[1]
            self.record += len(rows)
            yield rows
        self.advance(at)

    def advance(self, used: int) -> None:
        """Let go of the records taken; make room where there was not one whole."""
        if used:
            self.window.drop(used)
        elif self.window.ended:
            raise self._fault(0, "ends in the middle of a record")
        else:
            self.window.grow()

    def frame(self, at: int, ahead: int = 0) -> Frame | None:
        """The record that begins there; None where it is not yet here in full. `ahead`: how many records are
        between it and the next, for the number in a fault."""
        before = self.record
        self.record += ahead
        try:
            return self._frame(at)
        finally:
            self.record = before

    def _frame(self, at: int) -> Frame | None:
        parts: list[tuple[int, int]] = []
        start = at
        while True:
            if at + HEADER > self.window.end:
                self._cut(at, start)
                return None
            magic, word = struct.unpack_from("<II", self.window.view, at)
            flag, length = word >> 29, word & _LENGTH
            self._check(magic, flag, at, bool(parts))
            begin, at = at + HEADER, at + HEADER + length
            if at > self.window.end or (not self.window.ended and at + -at % 4 > self.window.end):
                self._cut(at, start)
                return None
            parts.append((begin, at))
            at = min(at + -at % 4, self.window.end)
            if flag in (_WHOLE, _LAST):
                return Frame(start, at, tuple(parts))

    def _check(self, magic: int, flag: int, at: int, inside: bool) -> None:
        if magic != MAGIC:
            raise self._strange(at)
        if flag not in ((_MIDDLE, _LAST) if inside else (_WHOLE, _FIRST)):
            place = "inside" if inside else "outside"
            raise self._fault(at, f"has a part with flag {flag} {place} a split record")

    def _cut(self, at: int, start: int) -> None:
        if self.window.ended and start < self.window.end:
            missing = max(at, start + HEADER) - self.window.end
            raise self._fault(start, f"is cut off: {missing:,} bytes or more are missing at the end")

    def _strange(self, at: int) -> Exception:
        if at == 0 and self.window.offset == 0:
            start = bytes(self.window.view[:4096])
            other = format_of(start)
            if other is not None:
                return self.layout.fault("", f"is plainly {other}, where the content type is {self._media}.")
        return self._fault(at, "does not begin with the magic number of RecordIO")

    def _fault(self, at: int, sentence: str) -> Exception:
        return self.layout.fault(f"record {self.record} (byte {self.window.offset + at:,})", f"{sentence}.")

    def _same(self, at: int, frame: Frame) -> int:
        """How many records from there on are a table, of which the template is set; 0: to be parsed."""
        data = self.window.bytes
        if len(frame.parts) > 1:
            return 0
        if self._template is not None:
            count = self._template.run(data, at, not self.window.ended)
            if count:
                return count
        parts = template(data[at : frame.parts[0][1]].tobytes())
        if parts is None:
            return 0
        count = parts.run(data, at, not self.window.ended)
        if count < _FEW and at + count * parts.stride < len(data):
            return 0
        self._template = parts
        return count

    def _table(self, at: int, count: int) -> Rows:
        parts = self._template
        assert parts is not None
        data = self.window.padded
        width, size = parts.features.count, parts.label.count if parts.label else 0
        if self._width not in (None, width):
            raise self.layout.misfit(f"record {self.record}", width, self._width or 0)
        if self._labels not in (None, size):
            raise self.layout.fault(
                f"record {self.record}", f"{size} labels, where the first record has {self._labels}."
            )
        return Rows(
            features=parts.numbers(data, at, count, parts.features),
            label=parts.numbers(data, at, count, parts.label) if parts.label and size else None,
        )

    def _parsed(self, frame: Frame) -> tuple[Rows, int]:
        """Up to a batch of records, and where they end: compiled, unless they are few or not usual."""
        parts, at = None, frame.start
        if self.window.end - at > SMALL:
            parts, at = read_compiled(self.window.bytes[at:], self.window.ended, at)
        if parts is None:
            parts, at = self._slowly(frame)
        return record.assemble(parts, self.layout, self.record, self._width, self._labels), at

    def _slowly(self, frame: Frame) -> tuple[record.Parts, int]:
        data, at = self.window.bytes, frame.start
        payloads: list[bytes] = []
        following: Frame | None = frame
        while following and len(payloads) < _BATCH:
            payloads.append(following.payload(data))
            at = following.stop
            following = self.frame(at, len(payloads))
        return record.parse(payloads, self.layout, self.record), at


def read_compiled(data: NDArray[np.uint8], ended: bool, offset: int) -> tuple[record.Parts | None, int]:
    """The usual records that the data begins with, and where they end; None where the first is not usual."""
    from algoport.training.formats import kernels

    n, used, v, size = kernels.measure(data, _BATCH, ended)
    if not n:
        return None, offset
    values, keys, counts = np.empty(v, np.float32), np.empty(v, np.int64), np.empty(n, np.int64)
    widths, keyed = np.empty(n, np.int64), np.empty(n, np.bool_)
    labels, label_counts = np.empty(size, np.float32), np.empty(n, np.int64)
    texts = np.empty((n, 3, 2), np.int64)
    if not kernels.decode(data, values, keys, counts, widths, keyed, labels, label_counts, texts):
        return None, offset
    uid, metadata, configuration = (_texts(data, texts[:, number]) for number in range(3))
    return (
        record.Parts(
            values=values,
            counts=counts,
            keys=keys,
            widths=widths,
            keyed=keyed,
            labels=labels,
            label_counts=label_counts,
            uid=uid,
            metadata=metadata,
            configuration=configuration,
        ),
        offset + used,
    )


def _texts(data: NDArray[np.uint8], spans: NDArray[np.int64]) -> list[str | None] | None:
    if (spans < 0).all():
        return None
    texts = ((start, data[start:stop].tobytes()) for start, stop in spans.tolist())
    return [text.decode("utf-8", "replace") if start >= 0 else None for start, text in texts]
