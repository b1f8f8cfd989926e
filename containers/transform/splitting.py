"""Objects cut into the bodies of requests: by lines, RecordIO frames, TFRecords, or not at all.

Nothing but a window of the object is in memory. Where a body ends depends on the object and the settings alone, so that
an interrupted transform resumes between two bodies with the same ones.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Literal

Split = Literal["None", "Line", "RecordIO", "TFRecord"]

MAGIC = 0xCED7230A  # of a RecordIO frame
_LENGTH = (1 << 29) - 1
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_MARK = struct.pack("<I", MAGIC)
_BLOCK = 1 << 20  # bytes that are read at least


class Malformed(Exception):
    """The object cannot be split any further; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole records of an object, for one request."""

    body: bytes
    first: int  # number of its first record, from 1; of lines, blank ones count
    following: int  # number of the first record after it
    stop: int  # bytes of the object up to its end
    fault: str | None = None  # why this one record cannot be sent


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How objects are cut."""

    split: Split
    single: bool  # a record a request
    limit: int  # bytes of a body
    most: int | None = None  # records of a body

    def pieces(self, stream: BinaryIO, offset: int = 0, first: int = 1) -> Iterator[Piece]:
        """All of an object from `offset` on, where record `first` begins. Raises `Malformed`."""
        window = _Window(stream, offset, max(self.limit, _BLOCK))
        if self.split == "None":
            yield from self._whole(window)
        elif self.split == "Line":
            yield from self._lines(window, first)
        else:
            yield from self._frames(window, first, _recordio if self.split == "RecordIO" else _tfrecord)

    def _whole(self, window: _Window) -> Iterator[Piece]:
        while window.size <= self.limit and window.more():
            pass
        if window.offset:  # resumed behind its only piece
            return
        fault = f"has more than the {self.limit:,} bytes of MaxPayloadInMB" if window.size > self.limit else None
        if window.size:
            yield Piece(b"" if fault else window.take(window.size), 1, 2, window.stop, fault)

    def _lines(self, window: _Window, number: int) -> Iterator[Piece]:
        count = 1 if self.single else self.most
        while True:
            size = window.lines(self.limit, count)
            if size == 0 and window.size > self.limit:
                length = window.skip_line()
                fault = f"has {length:,} bytes, more than MaxPayloadInMB ({self.limit:,} bytes) allows"
                yield Piece(b"", number, number + 1, window.stop, fault)
                number += 1
                continue
            if size == 0:
                return
            body = window.take(size)
            following = number + body.count(b"\n") + (not body.endswith(b"\n"))
            yield Piece(body.rstrip(b"\r\n") if self.single else body, number, following, window.stop)
            number = following

    def _frames(
        self, window: _Window, number: int, measure: Callable[[_Window, int, int], int | None]
    ) -> Iterator[Piece]:
        count = 1 if self.single else self.most or 1 << 62
        while True:
            size = records = 0
            while records < count:
                end = measure(window, size, number + records)
                if end is None:
                    break
                if end > self.limit and records:
                    break
                size, records = end, records + 1
                if size > self.limit:
                    break
            if not records:
                return
            fault = None
            if size > self.limit:
                fault = f"has {size:,} bytes, more than MaxPayloadInMB ({self.limit:,} bytes) allows"
            body = window.take(size)
            if self.single and self.split == "RecordIO":
                body = payload(body)
            yield Piece(b"" if fault else body, number, number + records, window.stop, fault)
            number += records

    def records(self, piece: Piece) -> list[tuple[int, bytes]]:
        """The records of a piece, each with its number; lines without what is blank."""
        if self.single or self.split == "None":
            return [(piece.first, piece.body)]
        if self.split == "Line":
            lines = enumerate(piece.body.split(b"\n"), piece.first)
            return [(number, line + b"\n") for number, line in lines if line.strip()]
        measure = _recordio if self.split == "RecordIO" else _tfrecord
        window, ends = _Window.of(piece.body), [0]
        while (end := measure(window, ends[-1], piece.first + len(ends) - 1)) is not None:
            ends.append(end)
        return [
            (piece.first + number, piece.body[begin:end])
            for number, (begin, end) in enumerate(itertools.pairwise(ends))
        ]


class _Window:
    """What of an object is in memory. Positions are relative to what has not been taken."""

    def __init__(self, stream: BinaryIO | None, offset: int, block: int) -> None:
        self._stream, self._block = stream, block
        self.offset = offset  # of the object's beginning at which the first byte that is not taken lies
        self.data, self.at, self.ended = b"", 0, stream is None

    @classmethod
    def of(cls, data: bytes) -> _Window:
        """One that has all there is."""
        window = cls(None, 0, 0)
        window.data = data
        return window

    @property
    def size(self) -> int:
        return len(self.data) - self.at

    @property
    def stop(self) -> int:
        return self.offset

    def more(self) -> bool:
        """Read on; False at the end."""
        if self.ended or self._stream is None:
            return False
        block = self._stream.read(self._block)
        self.ended = not block
        self.data, self.at = self.data[self.at :] + block, 0
        return not self.ended

    def has(self, size: int) -> bool:
        """Whether there are so many bytes, which are then in memory."""
        while self.size < size:
            if not self.more():
                return False
        return True

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        self.at += size
        self.offset += size
        return piece

    def lines(self, limit: int, count: int | None) -> int:
        """Bytes of as many whole lines as fit into `limit`, `count` at most; 0 where none does, or there is none."""
        end = 0
        while True:
            if count is not None:
                end = _after(self.data, self.at, min(len(self.data), self.at + limit), count)
                if end or self.size > limit:
                    break
            elif self.size > limit:
                break
            if not self.more():
                break
        if end:
            return end - self.at
        if self.ended and self.size <= limit:
            return self.size
        return max(0, self.data.rfind(b"\n", self.at, self.at + limit) + 1 - self.at)

    def skip_line(self) -> int:
        """Pass over a line without keeping it; its length."""
        length = 0
        while True:
            end = self.data.find(b"\n", self.at)
            if end >= 0:
                return length + len(self.take(end + 1 - self.at)) - 1
            length += len(self.take(self.size))
            if not self.more():
                return length


def _after(data: bytes, at: int, stop: int, count: int) -> int:
    """Where the line after the next `count` begins; 0 where there are not so many before `stop`."""
    for _ in range(count):
        at = data.find(b"\n", at, stop) + 1
        if not at:
            return 0
    return at


def _recordio(window: _Window, at: int, number: int) -> int | None:
    """Where the record that begins there ends, with its padding; None where the object has ended."""
    begin, is_open = at, False
    while True:
        if not window.has(at + 8):
            if window.size == begin:
                return None
            raise _cut(window, begin, number)
        magic, word = struct.unpack_from("<II", window.data, window.at + at)
        flag, length = word >> 29, word & _LENGTH
        if magic != MAGIC:
            raise _strange(window, at, number, "does not begin with the magic number of RecordIO")
        if flag not in ((_MIDDLE, _LAST) if is_open else (_WHOLE, _FIRST)):
            raise _strange(window, at, number, f"has a part with flag {flag} where none can be")
        if not window.has(at + 8 + length):
            raise _cut(window, begin, number)
        at += 8 + length
        padding = -length % 4
        at = at + padding if window.has(at + padding) else window.size  # the last may lack it
        is_open = flag in (_FIRST, _MIDDLE)
        if not is_open:
            return at


def payload(frame: bytes) -> bytes:
    """What a RecordIO frame holds; the parts of a split one with the magic number between them again."""
    parts, at = [], 0
    while at + 8 <= len(frame):
        length = struct.unpack_from("<I", frame, at + 4)[0] & _LENGTH
        parts.append(frame[at + 8 : at + 8 + length])
        at += 8 + length + -length % 4
    return _MARK.join(parts)


def _tfrecord(window: _Window, at: int, number: int) -> int | None:
    """As `_recordio`: eight bytes of length, four that check it, the data, four that check them."""
    if not window.has(at + 12):
        if window.size == at:
            return None
        raise _cut(window, at, number)
    place = window.at + at
    length, check = struct.unpack_from("<QI", window.data, place)
    if check != masked_crc(window.data[place : place + 8]):
        raise _strange(window, at, number, "does not begin with a length that its checksum confirms, as TFRecords do")
    end = at + 12 + length + 4
    if not window.has(end):
        raise _cut(window, at, number)
    return int(end)


def masked_crc(data: bytes) -> int:
    """The checksum of TFRecord: CRC-32C, rotated and with a constant added."""
    crc = 0xFFFFFFFF
    table = _castagnoli()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _castagnoli() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        entry = byte
        for _ in range(8):
            entry = (entry >> 1) ^ (0x82F63B78 if entry & 1 else 0)
        entries.append(entry)
    return tuple(entries)


def _cut(window: _Window, at: int, number: int) -> Malformed:
    return _strange(window, at, number, "is cut off at the end")


def _strange(window: _Window, at: int, number: int, what: str) -> Malformed:
    return Malformed(f"record {number} (byte {window.offset + at:,}): {what}.")
