"""The text as a stream of numbers, read once: in memory where it is short, and else in a file without a name.

A pass over the stream needs no words any more. What comes first is numbered first, so that every member, who sees all
lines in their order, numbers alike.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from itertools import pairwise
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.blazingtext.dictionary import Dictionary
from algoport.algorithms.contract.errors import PlatformError, Stopped
from algoport.algorithms.contract.group import Group, interleaved
from algoport.algorithms.contract.ragged import Ragged, joined_ragged
from algoport.algorithms.contract.records.lines import Lines

END = -1
IN_MEMORY = 1 << 22  # numbers: 16 MB
LINES = 1 << 13  # that are read at a time
_REACH = 1 << 12  # how far a block's end is sought behind where it should be, where lines are long


class Spool:
    """Numbers that are written once and read often."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.int32]] = []
        self._file: IO[bytes] | None = None
        self._whole: NDArray[np.int32] | None = None
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, tokens: NDArray[np.int32]) -> None:
        """Write some behind those that are there. `PlatformError` where the disk is full."""
        self._size += len(tokens)
        if self._file is None and self._size <= IN_MEMORY:
            self._parts.append(tokens.copy())
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the spool)
            for part in (*self._parts, tokens):
                self._file.write(part.tobytes())
        except OSError as error:
            raise PlatformError(
                f"{tempfile.gettempdir()}: cannot hold the numbers of the text's words, four bytes each: "
                f"{error.strerror}. Set TMPDIR to a folder on a larger disk."
            ) from None
        self._parts.clear()

    def read(self, first: int, last: int) -> NDArray[np.int32]:
        """Those from one to before another. A file is not mapped: its pages would count as memory of the job."""
        if self._file is not None:
            self._file.flush()
            size = np.dtype(np.int32).itemsize
            return np.frombuffer(os.pread(self._file.fileno(), size * (last - first), size * first), np.int32)
        if self._whole is None:
            self._whole = np.concatenate([np.empty(0, np.int32), *self._parts])
            self._parts.clear()
        return self._whole[first:last]

    def blocks(self, size: int, *, whole_lines: bool) -> list[tuple[int, int]]:
        """Stretches of about that size, which end with a line, at once where they must and else where one is near."""
        borders = [0]
        while borders[-1] < len(self):
            end = min(borders[-1] + size, len(self))
            reach = _REACH
            while end < len(self):
                ends = np.flatnonzero(self.read(end - 1, min(end - 1 + reach, len(self))) == END)
                if len(ends):
                    end += int(ends[0])
                    break
                if not whole_lines:
                    break
                if end - 1 + reach >= len(self):
                    end = len(self)
                reach *= 4
            borders.append(end)
        return list(pairwise(borders))


def share_of(tokens: NDArray[np.int32], group: Group, *, whole_lines: bool) -> tuple[int, int]:
    """From where to where this member learns of a block; a share ends with a line where it must."""
    borders = []
    for rank in (group.rank, group.rank + 1):
        place = len(tokens) * rank // group.size
        while whole_lines and 0 < place < len(tokens) and tokens[place - 1] != END:
            place += 1
        borders.append(place)
    return borders[0], borders[1]


def read(job: contract.Job[Any, Any], words: Dictionary, labels: Dictionary, look: Callable[[Lines], None]) -> Spool:
    """The training channel, the same at every member; `look` sees the lines that are this member's. `Stopped` where a
    stop is asked for meanwhile."""
    spool = Spool()
    empty = Lines(text=Ragged.empties(0, np.uint8))
    batches = job.channels["train"].batches(LINES)
    for batch in job.in_step(batches, empty):
        look(batch)
        text, marks = together(batch, job.group)
        spool.add(words.add(text, number_labels(labels, marks)))
    if job.stopping():
        raise Stopped
    return spool


def together(batch: Lines, group: Group) -> tuple[Ragged, Ragged]:
    """The texts of all members in the order of the records, and their labels; exchanges."""
    label = Ragged.empties(len(batch), np.uint8) if batch.label is None else batch.label
    texts, marks = _exchange(batch.text, group), _exchange(label, group)
    if len(texts) == 1:  # they are in order
        return texts[0], marks[0]
    edges = np.cumsum([0, *map(len, texts)])
    order = interleaved([np.arange(len(part)) + first for part, first in zip(texts, edges, strict=False)])
    return joined_ragged(texts).take(order), joined_ragged(marks).take(order)


def _exchange(own: Ragged, group: Group) -> list[Ragged]:
    values, lengths = group.gather(np.ascontiguousarray(own.values)), group.gather(own.lengths)
    return [
        Ragged(bytes_, np.concatenate([np.zeros(1, np.int64), np.cumsum(each, dtype=np.int64)]))
        for bytes_, each in zip(values, lengths, strict=True)
    ]


def number_labels(labels: Dictionary, marks: Ragged) -> Ragged:
    """The numbers of each line's labels."""
    stream = labels.add(marks)
    closes = stream == END
    counts = np.diff(np.concatenate([[-1], np.flatnonzero(closes)])) - 1
    return Ragged(stream[~closes], np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)]))
