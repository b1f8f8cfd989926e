"""Reading a named pipe so that a signal is handled while nothing comes, and undoing the frame around its objects."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.training import environment, log

MAGIC = 0xCED7230A
PATIENCE = 900  # seconds until a pipe must be there; ALGOPORT_PIPE_TIMEOUT
REMIND = 60  # seconds between lines that say what is waited for
_CHUNK = 1 << 20
_TICK = 0.2  # seconds between looks at whether anybody still wants the data


class NoReader(Exception):
    """Nobody wants the data any more."""


def open_pipe(path: Path, over: Callable[[], bool]) -> BinaryIO:
    """The pipe at that path, waited for where it is not there yet. A plain file there is read like one."""
    _await(path, over)
    if stat.S_ISFIFO(path.stat().st_mode):
        return cast("BinaryIO", io.BufferedReader(_Fifo(path, over), _CHUNK))
    return open(path, "rb", buffering=_CHUNK)


def _await(path: Path, over: Callable[[], bool]) -> None:
    patience = environment.seconds("ALGOPORT_PIPE_TIMEOUT", PATIENCE)
    start_time, pause, reminded = time.monotonic(), 0.01, 0.0
    while not path.exists():
        waited = time.monotonic() - start_time
        if over():
            raise NoReader
        if waited > patience:
            raise PlatformError(f"{path}: the pipe must be there; it has not appeared for {waited:.0f} s.")
        if waited - reminded > REMIND:
            reminded = waited
            log.note(f"Waiting for the pipe {path} to appear.")
        time.sleep(pause)
        pause = min(pause * 2, _TICK)


class _Fifo(io.RawIOBase):
    """Opened without waiting for a writer, and polled: a blocking open would not notice a stop."""

    def __init__(self, path: Path, over: Callable[[], bool]) -> None:
        self._over = over
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._came = False
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        with contextlib.suppress(OSError):  # a limit of the system's; then it moves in smaller pieces
            fcntl.fcntl(self._descriptor, getattr(fcntl, "F_SETPIPE_SZ", 1031), _CHUNK)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        waited = 0.0
        while True:
            events = self._poll.poll(_TICK * 1000)
            if events:
                try:
                    count = os.readv(self._descriptor, [cast("bytearray", buffer)])
                except BlockingIOError:
                    continue
                # Zero is the end once a writer has been here; before that a pipe without a writer looks the same.
                if count or self._came or events[0][1] & select.POLLHUP:
                    self._came = True
                    return count
                time.sleep(0.01)
            if self._over():
                raise NoReader
            waited += _TICK
            if waited > REMIND:
                waited = 0.0
                log.note(f"Waiting for data from the pipe {self._path}.")

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def unwrap(pipe: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The objects of a pipe in which each is framed as one RecordIO record, as streams, in turn."""
    number = 0
    while header := _exactly(pipe, 8, name, number):
        payload = _Payload(pipe, header, name, number)
        yield cast("BinaryIO", io.BufferedReader(payload, _CHUNK))
        payload.finish()
        number += 1


class _Payload(io.RawIOBase):
    """The payload of one record, which can be framed in several parts; never in memory as a whole."""

    def __init__(self, pipe: BinaryIO, header: bytes, name: str, number: int) -> None:
        self._pipe, self._name, self._number = pipe, name, number
        self._between = b""
        self._begin(header)

    def _begin(self, header: bytes) -> None:
        magic, word = struct.unpack("<II", header)
        if magic != MAGIC:
            raise UserError(
                f"{self._name}, object {self._number + 1}: must be framed as RecordIO, as RecordWrapperType says; "
                f"it begins with {header[:4].hex()}."
            )
        self._more = word >> 29 in (1, 2)
        self._left = word & ((1 << 29) - 1)
        self._padding = -self._left % 4

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer)).cast("B")
        while not self._left and not self._between:
            if not self._next():
                return 0
        if self._between:  # the word that a record is split at is not in its parts
            count = min(len(view), len(self._between))
            view[:count], self._between = self._between[:count], self._between[count:]
            return count
        data = self._pipe.read(min(len(view), self._left))
        if not data:
            raise UserError(f"{self._name}, object {self._number + 1}: ends {self._left} bytes before its frame says.")
        view[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def _next(self) -> bool:
        """Step over the padding, and into the next part if there is one."""
        if self._padding:
            _exactly(self._pipe, self._padding, self._name, self._number)
            self._padding = 0
        if not self._more:
            return False
        self._begin(_exactly(self._pipe, 8, self._name, self._number))
        self._between = struct.pack("<I", MAGIC)
        return True

    def finish(self) -> None:
        """Read over what is left, for the next record begins behind it."""
        rest = bytearray(_CHUNK)
        while self.readinto(rest):
            pass


def _exactly(pipe: BinaryIO, count: int, name: str, number: int) -> bytes:
    """So many bytes, or none at the end."""
    data = pipe.read(count)
    if data and len(data) < count:
        raise UserError(f"{name}, object {number + 1}: ends within its frame.")
    return data
