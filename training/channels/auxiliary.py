"""A channel of plain files as a job finds it: in a folder, in a pipe, or some at each host."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from algoport.algorithms.contract.auxiliary import Auxiliary
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.explanations import unpacking_fault
from algoport.algorithms.contract.group import Group
from algoport.training.channels import fifo
from algoport.training.channels.files import shards

SHARED = 1 << 30  # bytes that hosts send each other of files that only one of them sees


def of_folder(place: Path, channel: str) -> Auxiliary:
    """The files at that place, with all below it. Links are followed; what is no file at their end is left out."""
    every = shards(place, channel)
    return Auxiliary(
        channel, {each.name.removeprefix(f"{channel}/"): _Opener(each.open) for each in every if each.path.is_file()}
    )


def of_pipe(path: Path, channel: str, *, wrapped: bool, stop_requested: Callable[[], bool]) -> Auxiliary:
    """What comes through a pipe: one file, or where each is framed as a record, as many as there are frames.

    It is read when the first of them is opened, within that reader's limit, and stays in memory.
    """
    if not wrapped:
        return Auxiliary(channel, {"1": _Piped(path, stop_requested)}, nameless=True)
    whole = _Piped(path, stop_requested)(SHARED).read()
    if len(whole) > SHARED:
        raise UserError(f"Channel '{channel}': must have at most {SHARED:,} bytes; it has more.")
    parts = [part.read() for part in fifo.unwrap(io.BytesIO(whole), path.name)]
    files = Auxiliary.of(channel, {str(number): part for number, part in enumerate(parts, 1)})
    return Auxiliary(channel, files.files, nameless=True)


def everywhere(own: Auxiliary, group: Group) -> Auxiliary:
    """The files that any member sees, at every member; an exchange. For a channel whose files lie each at one host."""
    contents = {name: own.read(name, limit=SHARED) for name in own.names}
    head = json.dumps([[name, len(data)] for name, data in contents.items()]).encode()
    packed = len(head).to_bytes(8, "little") + head + b"".join(contents.values())
    fault = np.array([len(packed) > SHARED], np.float64)
    group.sum_(fault)
    if fault[0]:
        raise UserError(
            f"Channel '{own.channel}': must have at most {SHARED:,} bytes where its files are shared out among hosts; "
            "it has more. Give it to every host (FullyReplicated)."
        )
    whole: dict[str, bytes] = {}
    for rank, array in enumerate(group.gather(np.frombuffer(packed, np.uint8))):
        data = array.tobytes()
        at = 8 + int.from_bytes(data[:8], "little")
        for name, size in json.loads(data[8:at]):
            if size:
                whole[f"{rank}.{name}" if own.nameless else name] = data[at : at + size]
            at += size
    return Auxiliary(own.channel, Auxiliary.of(own.channel, whole).files, nameless=own.nameless)


class _Opener:
    """Opens a file; the limit is for others."""

    def __init__(self, open_: Callable[[], BinaryIO]) -> None:
        self._open = open_

    def __call__(self, limit: int) -> BinaryIO:
        return self._open()


class _Piped:
    """Opens what a pipe brought, which can be read but once."""

    def __init__(self, path: Path, stop_requested: Callable[[], bool]) -> None:
        self._path, self._stop_requested = path, stop_requested
        self._data: bytes | None = None

    def __call__(self, limit: int) -> BinaryIO:
        if self._data is None:
            try:
                with fifo.open_pipe(self._path, self._stop_requested) as pipe:
                    self._data = _read(pipe, limit + 1)
            except fifo.NoReader:
                raise Stopped from None
            except zlib.error as error:
                raise UserError(f"{self._path.name}: must be a whole gzip file; {unpacking_fault(error)}.") from None
        return io.BytesIO(self._data)


def _read(pipe: BinaryIO, limit: int) -> bytes:
    """So many bytes at most; undone where they are gzip, as a file's are."""
    start = pipe.read(2)
    inflate = zlib.decompressobj(31) if start == b"\x1f\x8b" else None
    pieces, size, piece = [], 0, start
    while piece and size < limit:
        plain = inflate.decompress(piece, limit - size) if inflate else piece
        pieces.append(plain)
        size += len(plain)
        piece = inflate.unconsumed_tail if inflate and inflate.unconsumed_tail else pipe.read(1 << 16)
    return b"".join(pieces)[:limit]
