"""A channel as one member of a job sees it: records from files or from a pipe, in batches, ahead of the kernels."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from algoport.algorithms.contract import kinds, records_used, share_of_batch
from algoport.algorithms.contract.errors import LabelError, Stopped
from algoport.algorithms.contract.joining import concatenate
from algoport.training.channels import blocks as stream
from algoport.training.channels.files import Shard
from algoport.training.channels.pictures import Pictures
from algoport.training.channels.records import Files, Pipe
from algoport.training.channels.summary import Summary


@dataclass(frozen=True, kw_only=True)
class Share:
    """What of a channel is this member's. A host can have several members, which see the same files."""

    rank: int = 0
    size: int = 1
    local: int = 0
    locals: int = 1
    sharded: bool = False


class Meter(Protocol):
    """Told of what passes."""

    def passed(self, channel: str, rows: int, seconds: float) -> None:
        """So many rows of a channel have been used in a pass that took so long."""

    def used(self, channel: str, rows: int, share: float | None) -> None:
        """So many more rows were handed out, up to that share of the pass."""


class Channel:
    """The `Source` of a job that runs: a `Files` or a `Pipe`, and what of it is this member's.

    Decoding runs in a thread of its own while the algorithm computes. Where `shuffle` is asked for, rows are put in a
    random order within windows of 256 MB, which for less data is a true shuffle; more than that in files (not of a
    pipe) is also taken in an order of files that the seed gives.
    """

    def __init__(
        self,
        name: str,
        records: Files | Pipe | Pictures[Any],
        share: Share,
        *,
        kind: str = "rows",
        width: int | None = None,
        summary: Summary | None = None,
        meter: Meter | None = None,
        asked: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self._records = records
        self._share = share
        self.kind = kind
        self._width = width
        self.summary = summary or Summary(name, kinds.find(kind))
        self._meter = meter
        self._asked = asked
        self._peeked_pass: Iterator[Any] | None = None  # a pass that `head` has started

    @property
    def rows(self) -> int | None:
        """How many records this member sees in a pass; None before the first one has ended."""
        count, share = self._records.rows, self._share
        if count is None or (share.sharded and share.locals == 1):
            return count
        return len(range(share.local, count, share.locals) if share.sharded else range(share.rank, count, share.size))

    @property
    def width(self) -> int | None:
        """How many features a row has; None where it is not known before reading."""
        if self._width is None and isinstance(self._records, Files):
            first = self._peek(1)
            self._width = first.width if first is not None else None
        return self._width

    @property
    def sharded(self) -> bool:
        """True where each member has records of its own."""
        return self._share.sharded

    @property
    def is_piped(self) -> bool:
        """True where it comes through pipes."""
        return isinstance(self._records, Pipe)

    @property
    def shards(self) -> Sequence[Shard]:
        """The files it comes from; none where it is piped."""
        return self._records.shards if isinstance(self._records, Files) else ()

    def expect(self, width: int | None) -> None:
        """Say how wide rows are, for a member that has none of its own."""
        self._width = self._width or width

    def is_empty(self) -> bool:
        """True where there is no record. Waits for the first one of a pipe."""
        return self._peek(1) is None

    def blocks(self, over: Callable[[], bool]) -> Iterator[Any]:
        """All that lies in its files, whoever's share it is, beside the passes of the job."""
        return self._records.blocks(None, over)

    def label_place(self, value: float) -> str | None:
        """Where the first record with that label stands, "train/a.csv, line 3"; None where it cannot be seen again."""
        if not isinstance(self._records, Files):
            return None
        for shard, parts in self._records.by_file():
            before = 0
            for part in parts:
                label = getattr(part, "label", None)
                if not isinstance(label, np.ndarray):
                    return None
                hits = ((label == value) | (np.isnan(label) & math.isnan(value))).reshape(len(part), -1).any(axis=1)
                if hits.any():
                    return f"{shard.name}, {self.summary.place(shard, before + int(np.argmax(hits)))}"
                before += len(part)
        return None

    def head(self, rows: int) -> Any:
        """This member's share of the first batch of that size; the next pass sees it again."""
        share = self._share
        wanted = share_of_batch(rows, share.rank, share.size) if share.sharded else rows
        first = self._peek(wanted)
        return kinds.find(self.kind).empty(self._width or 0) if first is None else self._mine(first[:wanted])

    def batches(self, rows: int, *, start: int = 0, shuffle: int | None = None) -> Iterator[Any]:
        """A new pass, batch by batch."""
        share = self._share
        blocks = self._pass(shuffle)
        ordered = blocks if shuffle is None else stream.shuffle_windows(blocks, shuffle, kinds.find(self.kind))
        if share.sharded:
            start, rows = (
                records_used(start, rows, share.rank, share.size),
                share_of_batch(rows, share.rank, share.size),
            )
        start_time, used = time.monotonic(), 0
        try:
            for batch in stream.rebatch(stream.skip(ordered, start) if start else ordered, rows):
                mine = self._mine(batch)
                used += len(mine)
                if self._meter:
                    self._meter.used(self.name, len(mine), self._done(used))
                yield mine
        finally:
            stream.close(blocks)
            if self._meter and used:
                self._meter.passed(self.name, used, time.monotonic() - start_time)

    def all(self) -> Any:
        """This member's share of all records, decoded once and kept."""
        share = self._share
        blocks = self._pass(None)
        if isinstance(self._records, Files):
            stream.close(blocks)
            whole = self._records.all()
            self.summary.complete(whole)
        else:
            parts = list(blocks)
            whole = concatenate(parts) if parts else None
        if whole is None:
            return kinds.find(self.kind).empty(self._width or 0)
        mine = stream.every(whole, share.rank, share.size) if not share.sharded else whole
        if self._meter:
            self._meter.used(self.name, len(mine), 1.0)
        return mine

    def _done(self, used: int) -> float | None:
        """The share of a pass that is over, or None where it is unknown."""
        rows = self.rows
        return used / rows if rows else self._records.share

    def _mine(self, batch: Any) -> Any:
        return batch if self._share.sharded else stream.every(batch, self._share.rank, self._share.size)

    def _pass(self, shuffle: int | None) -> Iterator[Any]:
        """The blocks of a pass: of the one that `head` has started, or of a new one."""
        blocks, self._peeked_pass = self._peeked_pass, None
        if blocks is None:
            return self._open(shuffle)
        if shuffle is not None and isinstance(self._records, Files):
            stream.close(blocks)
            return self._open(shuffle)
        return blocks

    def _open(self, shuffle: int | None) -> Iterator[Any]:
        share = self._share

        def decoded(over: Callable[[], bool]) -> Iterator[Any]:
            blocks = self.summary.counted(self._records.blocks(shuffle, over))
            return stream.stride(blocks, share.local, share.locals) if self._is_strided else blocks

        return stream.ahead(decoded, asked=self._asked if isinstance(self._records, Pipe) else lambda: False)

    @property
    def _is_strided(self) -> bool:
        """Whether members of this host have the records of a shard in turns."""
        return self._share.sharded and self._share.locals > 1

    def _peek(self, rows: int) -> Any:
        """The first rows of the next pass, at least so many where there are, or None; the pass begins with them.

        `Stopped` where a stop is asked for while a pipe has not brought them: what came is no first batch, and
        nobody knows what it lacks.
        """
        blocks = self._pass(None)
        parts: list[Any] = []
        while sum(map(len, parts)) < rows and (block := next(blocks, None)) is not None:
            if len(block):
                parts.append(block)
        if self.is_piped and self._asked() and sum(map(len, parts)) < rows:
            stream.close(blocks)
            raise Stopped
        if not parts:
            stream.close(blocks)
            return None
        whole = concatenate(parts)
        self._peeked_pass = _with_first(whole, blocks)
        return whole


@contextlib.contextmanager
def label_places(sources: Mapping[str, Channel]) -> Iterator[None]:
    """What is done within names the file and the line of a label that cannot be learned from."""
    try:
        yield
    except LabelError as error:
        source = sources.get(error.channel)
        place = source.label_place(error.value) if source is not None else None
        raise error if place is None else error.at(place) from None


def _with_first(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    try:
        yield first
        del first
        yield from rest
    finally:
        stream.close(rest)


__all__ = ["Channel", "Files", "Meter", "Pipe", "Share", "label_places"]
