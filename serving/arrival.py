"""What has come of a request that has no thread yet, and whether it is enough to give it one.

A thread is for predictions and costs memory; a connection that sends a byte now and then must not hold one. So the main
loop of a worker collects the head of a request, and the first bytes of its body, and threads read only the rest.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

HEAD = 1 << 16  # bytes that a head may have
BODY = 1 << 16  # bytes of a body that are collected before a thread reads the rest
PATIENCE = 20.0  # seconds that a request has to come, and one more with every RATE bytes of it
RATE = 5000
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class Pace:
    """How long a request may still come: `deadline` moves with every byte, so that who sends steadily is in time and
    who trickles is not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.start: float | None = None  # of the first byte; None before it
        self.size = 0

    def count(self, size: int) -> None:
        """So many bytes have come."""
        if self.start is None:
            self.start = self._clock()
        self.size += size

    @property
    def deadline(self) -> float | None:
        """The moment when too little of it has come; None where nothing has."""
        return None if self.start is None else self.start + PATIENCE + self.size / RATE

    @property
    def late(self) -> bool:
        """Whether that moment is over."""
        return self.deadline is not None and self._clock() > self.deadline


class Arrival:
    """The bytes of one request up to now."""

    def __init__(self, data: bytes = b"", clock: Callable[[], float] = time.monotonic) -> None:
        self.data = bytearray()
        self.pace = Pace(clock)
        self._head = -1  # bytes of the head with the blank line behind it; -1 before that has come
        self._wanted: int | None = 0  # bytes after which a thread takes over; None: where chunks may have ended
        if data:
            self.add(data)

    def add(self, piece: bytes) -> None:
        """So much more has come."""
        self.pace.count(len(piece))
        searched = max(0, len(self.data) - 3)
        self.data += piece
        if self._head < 0:
            end = self.data.find(b"\r\n\r\n", searched)
            if end >= 0:
                self._head = end + 4
                self._wanted = self._enough()

    @property
    def is_enough(self) -> bool:
        """Whether a thread can go on: the head is here, and as much of the body as is waited for."""
        if self._head < 0:
            return False
        if self._wanted is None:
            return self.data.endswith(b"\r\n\r\n", self._head) or len(self.data) >= self._head + BODY
        return len(self.data) >= self._wanted

    @property
    def is_too_long(self) -> bool:
        """Whether the head is longer than one may be."""
        return self._head < 0 and len(self.data) > HEAD

    @property
    def is_brief(self) -> bool:
        """Whether it asks for something that needs no prediction, and so has nothing to wait for."""
        return self.data.startswith(b"GET ")

    def _enough(self) -> int | None:
        head = self.data[: self._head]
        if _EXPECTS.search(head):  # the client sends no body before it is told to
            return self._head
        if _CHUNKED.search(head):
            return None
        length = _LENGTH.search(head)
        return self._head + (min(int(length[1]), BODY) if length else 0)
