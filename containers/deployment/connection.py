"""HTTP to an instance: connections that are kept, a request at a time on each.

Bodies pass as bytes. What the parser of Node.js (llhttp, through httptools) takes for the end of an answer is its end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools

BUFFERED = 8 << 20  # bytes up to which an answer is passed on as a whole, and so none of it where it breaks off
AHEAD = 1 << 18  # bytes of a longer answer that wait for the client
IDLE = 30.0  # seconds that an unused connection is kept; servers close theirs after 65
Headers = Sequence[tuple[bytes, bytes]]


class Lost(Exception):
    """There is no answer: the instance cannot be reached, or has ended in the middle. `is_sent`: it may have begun."""

    def __init__(self, reason: str, *, is_sent: bool) -> None:
        super().__init__(reason)
        self.is_sent = is_sent


@dataclass(frozen=True)
class Answer:
    """What an instance has answered: all of it, or its beginning and where the rest comes from."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    rest: AsyncIterator[bytes] | None = field(default=None, compare=False)
    release: Callable[[], None] | None = field(default=None, compare=False)  # to be called when the rest was passed on

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, by its name in small letters."""
        return next((value for key, value in self.headers if key == name), None)


class Pool:
    """Connections to one instance."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: deque[_Connection] = deque()
        self._open: set[_Connection] = set()

    async def ask(self, method: bytes, path: bytes, headers: Headers, body: bytes, timeout: float) -> Answer:
        """The answer; `Lost` where there is none, `TimeoutError` where it does not come in time."""
        now = asyncio.get_running_loop().time()
        connection = self._unused(now) or await self._connect(timeout)
        answer = await connection.ask(method, path, headers, body, now + timeout)
        if answer.rest is None and connection.is_reusable:
            self.keep(connection)
        return answer

    def _unused(self, now: float) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and now - connection.since < IDLE:
                return connection
            connection.close()
        return None

    async def _connect(self, timeout: float) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(timeout, 5.0)):
                _, connection = await loop.create_connection(lambda: _Connection(self), self._host, self._port)
        except OSError as error:  # a TimeoutError, too
            raise Lost(f"it cannot be reached: {error.strerror or 'it takes too long'}", is_sent=False) from None
        self._open.add(connection)
        return connection

    def keep(self, connection: _Connection) -> None:
        """It can be used again."""
        connection.since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """It is closed."""
        self._open.discard(connection)

    def close(self) -> None:
        """Close all; who waits for an answer learns that there is none."""
        for connection in list(self._open):
            connection.close()
        self._idle.clear()


class _Connection(asyncio.Protocol):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.since = 0.0
        self.is_open = self.is_reusable = False
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[Answer] | None = None
        self._stream: asyncio.Event | None = None  # set while an answer is passed on as it comes
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: deque[bytes] = deque()
        self._waiting = 0  # bytes of the parts
        self._is_complete, self._is_delimited = False, True

    async def ask(self, method: bytes, path: bytes, headers: Headers, body: bytes, deadline: float) -> Answer:
        """Send a request and wait for its answer, or for its beginning where it is long."""
        loop = asyncio.get_running_loop()
        self.is_reusable = False
        self._reset()
        self._waiter = loop.create_future()
        lines = [b"%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d" % (method, path, len(body))]
        lines += [b"%s: %s" % pair for pair in headers]
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        # One packet where that is cheap: a server would wake up twice for two.
        if len(body) < AHEAD:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        timer = loop.call_at(deadline, self._give_up)
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            timer.cancel()
            self._waiter = None

    def _give_up(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())
        self.close()

    def close(self) -> None:
        """Close it at once."""
        self.is_open = self.is_reusable = False
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport, self.is_open = cast("asyncio.Transport", transport), True  # uvloop's derives from nothing

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        if self._waiter is None and self._stream is None:  # nobody has asked
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("it does not answer in HTTP")
            self.close()

    def eof_received(self) -> bool:
        """The server has closed its end."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """It is closed: an answer that is not complete never will be."""
        self.is_open = self.is_reusable = False
        self._pool.forget(self)
        if self._stream is not None and not self._is_delimited:  # such an answer ends with its connection
            self._is_complete = error is None
            self._stream.set()
        if not self._is_complete:
            self._fail("its connection has broken off")

    def _fail(self, reason: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Lost(reason, is_sent=True))
        if self._stream is not None:
            self._stream.set()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """A long answer, or one whose length is not known, is passed on from here."""
        status = self._parser.get_status_code()
        if status < 200 or status in (204, 304):
            return
        length = next((value for name, value in self._headers if name == b"content-length"), None)
        self._is_delimited = length is not None or any(name == b"transfer-encoding" for name, _ in self._headers)
        if (length is None or int(length) > BUFFERED) and self._waiter is not None and not self._waiter.done():
            self._stream = asyncio.Event()
            self._waiter.set_result(Answer(status, self._headers, rest=self._passed_on(), release=self._finish))

    def on_body(self, part: bytes) -> None:
        """Some of the body."""
        self._parts.append(part)
        self._waiting += len(part)
        if self._stream is not None:
            self._stream.set()
            if self._waiting > AHEAD:
                self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The end of the answer."""
        status = self._parser.get_status_code()
        if status < 200:  # 100 Continue: the answer is still to come
            self._headers = []
            return
        self._is_complete = True
        self.is_reusable = self.is_open and self._parser.should_keep_alive()
        if self._stream is not None:
            self._stream.set()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(status, self._headers, b"".join(self._parts)))
        if not self.is_reusable:
            self._transport.close()

    async def _passed_on(self) -> AsyncIterator[bytes]:
        """The body as it comes; `Lost` where it breaks off."""
        assert self._stream is not None
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._waiting -= len(part)
                yield part
            if self._is_complete:
                break
            if not self.is_open:
                raise Lost("its answer has broken off", is_sent=True)
            self._transport.resume_reading()
            self._stream.clear()
            await self._stream.wait()

    def _finish(self) -> None:
        """The answer was passed on, or nobody wants the rest of it."""
        self._stream = None
        if not self._is_complete:
            self.close()
        elif self.is_reusable:
            self._transport.resume_reading()
            self._pool.keep(self)
