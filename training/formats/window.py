"""The stretch of a stream that is being decoded: bytes come in at its end and leave at its front."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

SLACK = 8  # zero bytes after the end, so that a last record without its padding can be viewed like the others


class Window:
    """A buffer over a stream. Takes short reads, as FIFOs give them, and lengths only from bytes that arrived."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream: Any = stream
        self._buffer = np.zeros(size + SLACK, np.uint8)
        self._into = hasattr(stream, "readinto")
        self.end = 0  # bytes that are here
        self.offset = 0  # bytes that have left
        self.ended = False  # whether the stream has no more

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """What is here, valid until the next `drop` or `fill`."""
        return self._buffer[: self.end]

    @property
    def padded(self) -> NDArray[np.uint8]:
        """What is here and some bytes more, which belong to nobody."""
        return self._buffer[: self.end + SLACK]

    @property
    def view(self) -> memoryview:
        """What is here, valid until the next `drop` or `fill`."""
        return self._buffer.data[: self.end]

    def fill(self) -> bool:
        """Read until the buffer is full or the stream at its end; False where nothing is left to decode."""
        while not self.ended and self.end < len(self._buffer) - SLACK:
            self._take()
        if self.ended:
            self._buffer[self.end : self.end + SLACK] = 0
        return self.end > 0

    def drop(self, count: int) -> None:
        """Let go of that many bytes from the front."""
        self._buffer[: self.end - count] = self._buffer[count : self.end]
        self.end -= count
        self.offset += count

    def grow(self) -> None:
        """Double the room, for a record larger than it."""
        size = 2 * (len(self._buffer) - SLACK) + SLACK
        larger = np.zeros(size, np.uint8)
        larger[: self.end] = self.bytes
        self._buffer = larger

    def _take(self) -> None:
        if self._into:
            count = self._stream.readinto(self._buffer.data[self.end : len(self._buffer) - SLACK])
        else:
            data = self._stream.read(len(self._buffer) - SLACK - self.end)
            count = len(data)
            self._buffer[self.end : self.end + count] = np.frombuffer(data, np.uint8)
        self.ended = not count
        self.end += count or 0


def peeked(stream: BinaryIO, count: int) -> tuple[bytes, BinaryIO]:
    """The first bytes of a stream, so many where there are, and a stream that has them yet."""
    start = b""
    while len(start) < count and (piece := stream.read(count - len(start))):
        start += piece
    return start, cast("BinaryIO", _Rejoined(start, stream))


class _Rejoined(io.RawIOBase):
    """Some bytes, and then a stream."""

    def __init__(self, start: bytes, rest: Any) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if not self._start:
            data = self._rest.read(len(view))
            view[: len(data)] = data
            return len(data)
        count = min(len(view), len(self._start))
        view[:count], self._start = self._start[:count], self._start[count:]
        return count
