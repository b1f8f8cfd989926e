"""What a channel held, in a line of the log: what was read, and as what, and what was passed over and why."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.kinds import Kind
from algoport.training import log
from algoport.training.channels.files import Shard
from algoport.training.formats.layout import Notes

GIVEN, DEFAULT = "the content type that was given", "the default, as no content type was given"
ENDING = "by the ending of its name"
RECOGNIZED = "by its first bytes, as no content type was given"

LINES = ("text/csv", "text/libsvm", "application/jsonlines")  # content types in which a record is a line


@dataclass(frozen=True)
class Norm:
    """How wide dense records must be, and which channel says so."""

    width: int
    channel: str


@dataclass
class Summary:
    """Counts the records of a channel in its first whole pass, then writes the line. Checks what no reader can see."""

    channel: str
    kind: Kind
    notes: Notes = field(default_factory=Notes)  # what is passed over
    files: int | None = None  # None of a pipe
    first: str = ""  # the first of them
    whole: bool = True  # whether this host sees all records of the channel
    weighted: str = ""  # the setting that says that every record has a weight; empty where none does
    types: dict[str, str] = field(default_factory=dict)  # content type -> why it is taken for that
    norm: Norm | None = None
    dense_width: int = 0  # of the first records, where all must share it
    written: bool = False

    def counted(self, blocks: Iterator[Any]) -> Iterator[Any]:
        """The same blocks. `UserError` where they do not fit the other channels, or have no weights where they must."""
        count = _Count()
        for block in blocks:
            self._check(block)
            count.add(block)
            yield block
        self._finish(count)

    def complete(self, records: Any) -> None:
        """All records at once, where they are not read block by block."""
        for _ in self.counted(iter([records] if records is not None else [])):
            pass

    def passed_over(self) -> str:
        """A sentence on what was passed over; empty where nothing was."""
        sentences = "; ".join(self.notes)
        return f"Passed over: {sentences}." if sentences else ""

    def check_width(self) -> None:
        """`UserError` where dense records are of another width than those of the channel that says it."""
        if self.norm is None or not self.dense_width or self.dense_width == self.norm.width:
            return
        raise UserError(
            f"{self.first or self.channel}: its {self.kind.noun} have {self.dense_width} {self.kind.columns}, where "
            f"those of channel '{self.norm.channel}' have {self.norm.width}. All channels must have the same "
            f"{self.kind.columns} in the same order."
        )

    def source(self) -> str:
        """Where records come from, and as what they are read: "3 files; text/csv (the content type that was given)"."""
        where = "a pipe" if self.files is None else f"{self.files:,} file{'' if self.files == 1 else 's'}"
        types = " and ".join(f"{media} ({why})" for media, why in self.types.items())
        return f"{where}; {types}" if types else where

    def place(self, shard: Shard, record: int) -> str:
        """Where a record of a file stands, counted from 0: its line, where each has one, else its number."""
        if self.types and all(media.partition(";")[0] in LINES for media in self.types):
            headed = any("header=" in media for media in self.types)
            with shard.open() as file:
                present = (number for number, line in enumerate(file, 1) if line.partition(b"#")[0].strip())
                line = next(itertools.islice(present, record + headed, None), None)
            if line is not None:
                return f"line {line}"
        return f"record {record + 1}"

    def _check(self, block: Any) -> None:
        if not self.dense_width and len(block):
            self.dense_width = self.kind.common_width(block)
            self.check_width()
        if self.weighted and getattr(block, "weight", None) is None:
            types = " or ".join(self.types) or "its format"
            raise UserError(
                f"{self.first or self.channel}: {self.weighted} says that every record has a weight, and in {types} "
                "it has none. Weights are the column behind the label in text/csv and application/x-npy, the column "
                'named weight in Parquet, the field "weight" in JSON Lines, and follow the label and a colon in libsvm.'
            )

    def _finish(self, count: _Count) -> None:
        if count.weights == 0 and self.whole:  # said in every pass: the first may be given up before its end is seen
            raise UserError(f"Channel '{self.channel}': all weights are 0; at least one must be above 0.")
        if self.written:
            return
        self.written = True
        passed = self.passed_over()
        log.note(
            f"Channel '{self.channel}': {count.text(self.kind)} in {self.source()}.{' ' if passed else ''}{passed}"
        )


@dataclass
class _Count:
    """The records of one pass."""

    records: int = 0
    width: int = 0
    forms: set[str] = field(default_factory=set)
    labels: int = 0
    weights: float | None = None  # their sum; None where there are none

    def add(self, block: Any) -> None:
        self.records += len(block)
        self.width = max(self.width, getattr(block, "width", 0) or 0)
        if hasattr(block, "is_sparse"):
            self.forms.add("sparse" if block.is_sparse else "dense")
        shape: tuple[int, ...] = getattr(getattr(block, "label", None), "shape", ())
        self.labels = shape[1] if len(shape) > 1 else 0
        weight = getattr(block, "weight", None)
        if weight is not None and len(weight):
            self.weights = (self.weights or 0.0) + float(abs(weight).sum())

    def text(self, kind: Kind) -> str:
        """In words: "1,000 rows of 4 features, dense, with 1 label each"."""
        parts = [f"{self.records:,} {kind.noun}"]
        if kind.columns and self.width:
            parts[0] += f" of {self.width:,} {kind.columns}"
        if self.forms:
            parts.append(" and ".join(sorted(self.forms)))
        if self.labels:
            parts.append(f"with {self.labels} label{'' if self.labels == 1 else 's'} each")
        if self.weights is not None:
            parts.append("with weights")
        return ", ".join(parts)
