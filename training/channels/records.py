"""The records of a channel, block by block: from its files, or from its pipes."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import unpacking_fault
from algoport.algorithms.contract.joining import Records, concatenate
from algoport.algorithms.shared.machine import memory_free
from algoport.training.channels import fifo
from algoport.training.channels.blocks import WINDOW
from algoport.training.channels.files import Shard

# Records of files are kept for further passes where they take no more than this share of the memory that is free
# when they are first read; else every pass decodes them again. A quarter, since the algorithm and a second
# channel need room too.
KEEP = 0.25


class Decode(Protocol):
    """Decodes a stream of bytes that messages call by that name."""

    def __call__(self, stream: object, name: str) -> Iterator[Any]:
        """The records, block by block."""


class Files:
    """The records of some files. In memory after the first pass, where they fit comfortably and may be kept."""

    def __init__(
        self, shards: list[Shard], decode: Callable[..., Iterator[Any]], kind: str = "rows", *, keep: bool = True
    ) -> None:
        self.shards = shards
        self.rows: int | None = None if shards else 0
        self.share: float | None = 0.0  # of the bytes, decoded in the first pass so far
        self._bytes = sum(shard.size for shard in shards)
        self._decode = decode
        self._kind = kinds.find(kind)
        self._read = 0  # bytes of the files that are through
        self._cache: list[list[Any]] | None = None  # by file
        self._may_keep = keep
        self._first: tuple[str, int] | None = None  # the first file whose width all must share, and what it is

    def blocks(self, shuffle: int | None, over: Callable[[], bool]) -> Iterator[Any]:
        """A pass over all files, in the order of their names or in one that the seed gives."""
        order = self._order(shuffle)
        if self._cache is not None:
            for number in order:
                yield from self._cache[number]
            return
        cache: dict[int, list[Any]] = {}
        room = KEEP * (memory_free() or 0) if self._may_keep else 0.0
        count = self._read = 0
        for number in order:
            cache[number] = []
            for block in self._decoded(self.shards[number]):
                count += len(block)
                room -= block.nbytes
                if room >= 0:
                    cache[number].append(block)
                else:
                    cache = {number: []}
                    self._may_keep = False
                yield block
        self.rows = count
        if self._may_keep:
            self._cache = [cache[number] for number in range(len(self.shards))]

    def all(self) -> Any:
        """All records in one piece, which is kept whatever its size, or None where there are none."""
        by_file = self._cache or [list(self._decoded(shard)) for shard in self.shards]
        parts = [block for blocks in by_file for block in blocks]
        if not parts:
            self.rows = 0
            return None
        whole = parts[0] if len(parts) == 1 else concatenate(parts)
        self.rows = len(whole)
        ends = np.cumsum([sum(map(len, blocks)) for blocks in by_file])
        starts = [0, *ends[:-1]]
        self._cache = [[whole[start:end]] if end > start else [] for start, end in zip(starts, ends, strict=True)]
        return whole

    def by_file(self) -> Iterator[tuple[Shard, Iterator[Any]]]:
        """Each file with its records, for a look beside the passes."""
        for number, shard in enumerate(self.shards):
            yield shard, iter(self._cache[number]) if self._cache is not None else self._decoded(shard)

    def _order(self, shuffle: int | None) -> list[int]:
        """The order of the files in a pass. Where all records are shuffled at a time that of the files says nothing,
        and the same records in other files are shuffled alike."""
        count = len(self.shards)
        if shuffle is None or self._bytes <= WINDOW:
            return list(range(count))
        return list(np.random.default_rng(shuffle).permutation(count))

    def _decoded(self, shard: Shard) -> Iterator[Any]:
        before = self._read
        try:
            with shard.open() as file:
                for block in self._decode(file, shard.name):
                    self._check_width(block, shard)
                    self.share = (before + min(shard.size, os.lseek(file.fileno(), 0, os.SEEK_CUR))) / self._bytes
                    yield block
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"{shard.name}: must be a whole gzip file; {unpacking_fault(error)}.") from None
        self._read = before + shard.size

    def _check_width(self, block: Records, shard: Shard) -> None:
        """`UserError` where the records of two files differ in width, which no file shows by itself."""
        own = self._kind.common_width(block)
        if not own:
            return
        self._first = self._first or (shard.name, own)
        name, width = self._first
        if own != width:
            raise UserError(
                f"{shard.name}: rows must have {width} {self._kind.columns}, as those of {name}; they have {own}."
            )


class Pipe:
    """The records of numbered pipes: each is read once, from its beginning to its end, and is one pass."""

    def __init__(self, data: Path, channel: str, decode: Callable[..., Iterator[Any]], *, wrapped: bool) -> None:
        self.rows: int | None = None
        self.share: float | None = None  # a pipe does not say how much there is
        self._data = data
        self._channel = channel
        self._decode = decode
        self._wrapped = wrapped
        self._number = 0

    def blocks(self, shuffle: int | None, over: Callable[[], bool]) -> Iterator[Any]:
        """A pass: the next pipe. The platform decides on the order of its objects; the seed is for others."""
        path = self._data / f"{self._channel}_{self._number}"
        self._number += 1
        count = 0
        try:
            with fifo.open_pipe(path, over) as pipe:
                for number, part in enumerate(fifo.unwrap(pipe, path.name) if self._wrapped else [pipe]):
                    name = f"{path.name}, object {number + 1}" if self._wrapped else path.name
                    for block in self._decode(part, name):
                        count += len(block)
                        yield block
        except fifo.NoReader:
            return
        self.rows = count
