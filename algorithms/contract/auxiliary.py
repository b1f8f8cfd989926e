"""Channels of plain files, which an algorithm opens itself: a vocabulary, embeddings, a label map, weights.

Every member sees all of them. They are read within a limit that the reader sets, for they are as untrusted as records.
"""

from __future__ import annotations

import difflib
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import unpacking_fault

_SHOWN = 8  # names that a message lists
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Auxiliary:
    """The files of one channel."""

    channel: str
    # By name, sorted: what opens it, given how many bytes will be read at most. Each open begins at its beginning.
    files: Mapping[str, Callable[[int], BinaryIO]]
    nameless: bool = False  # whether they came through a pipe, which has no names: the only one is whichever is asked

    @classmethod
    def of(cls, channel: str, files: Mapping[str, bytes]) -> Auxiliary:
        """Files in memory. For tests, examples and notebooks."""
        return cls(channel, {name: _opener(data) for name, data in sorted(files.items())})

    @property
    def names(self) -> Sequence[str]:
        """Paths within the channel; of a pipe, numbers."""
        return tuple(self.files)

    def open(self, name: str = "", *, limit: int) -> BinaryIO:
        """A file by its name, or the only one; gzip is undone. `UserError` where there is none of that name, and, while
        it is read, where it has more than `limit` bytes."""
        file = self._named(name)
        place = f"Channel '{self.channel}'" if self.nameless else f"{self.channel}/{file}"
        return cast("BinaryIO", io.BufferedReader(_LimitedStream(self.files[file](limit), limit, place), _CHUNK))

    def read(self, name: str = "", *, limit: int) -> bytes:
        """All of a file."""
        with self.open(name, limit=limit) as file:
            return file.read()

    def lines(self, name: str = "", *, limit: int) -> Iterator[tuple[str, str]]:
        """Its lines of UTF-8, without their ends, each behind where it stands: "auxiliary/vocab.txt, line 3"."""
        place = f"Channel '{self.channel}'" if self.nameless else f"{self.channel}/{self._named(name)}"
        with self.open(name, limit=limit) as file:
            for number, line in enumerate(file, 1):
                where = f"{place}, line {number}"
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    wrong = line[error.start : error.start + 4].hex(" ")
                    raise UserError(f"{where}: must be UTF-8; its bytes {wrong} are not.") from None
                yield where, text.rstrip("\r\n")

    def _named(self, name: str) -> str:
        """The file that is meant."""
        if name in self.files:
            return name
        if len(self.files) == 1 and (self.nameless or not name):
            return next(iter(self.files))
        shown = ", ".join(list(self.files)[:_SHOWN]) or "none"
        if self.nameless:
            raise UserError(
                f"Channel '{self.channel}': must hold one file where it comes through a pipe, which has no names; it "
                f"holds {len(self.files)}. Give it as files (TrainingInputMode File)."
            )
        if not name:
            raise UserError(f"Channel '{self.channel}': must hold one file; it holds {len(self.files)}: {shown}.")
        near = difflib.get_close_matches(name, list(self.files), n=1)
        hint = f" Was '{near[0]}' meant?" if near else ""
        raise UserError(f"Channel '{self.channel}': must hold a file '{name[:300]}'; it holds {shown}.{hint}")


def _opener(data: bytes) -> Callable[[int], BinaryIO]:
    return lambda limit: io.BytesIO(data)


class _LimitedStream(io.RawIOBase):
    """A stream of at most so many bytes."""

    def __init__(self, stream: BinaryIO, limit: int, place: str) -> None:
        self._stream, self._limit, self._place = stream, limit, place
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            data = self._stream.read(min(len(view), self._limit - self._seen + 1))
        except (EOFError, OSError, zlib.error) as error:  # of gzip, and of the disk
            raise UserError(f"{self._place}: cannot be read: {unpacking_fault(error)}.") from None
        self._seen += len(data)
        if self._seen > self._limit:
            raise UserError(f"{self._place}: must have at most {self._limit:,} bytes; it has more.")
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
