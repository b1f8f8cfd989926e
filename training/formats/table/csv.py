"""CSV whose fields are texts: `text/csv`. Fields can stand in quotes, and need to where they hold a comma, a quote, an
end of a line, or a blank at either end. Without quotes, blanks around a field are not part of it.

NumPy finds the fields, a block at a time; only what stands in quotes is looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Table
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.table import columns
from algoport.training.formats.text import Block, blocks, check_text

MEDIA = ("text/csv", "csv")
_PLAIN = re.compile(r"[^\s,\"\0](?:[^,\"\r\n\0]*[^\s,\"\0])?")
_COMMA, _END, _QUOTE = 44, 10, 34
_BLANKS = b" \t\r"
_FEW = 4  # blanks at either end of a field, of which more are rare


def read(stream: BinaryIO, layout: Layout) -> Iterator[Table]:
    """A record a line, or as many lines as its quoted fields have; blank lines are skipped. There is no header, and no
    column is a label. `UserError` names the line."""
    width = columns.expected(layout)
    for block in blocks(stream, layout, quoted=True):
        if block.line == 1:
            check_text(bytes(block.data[:8]), layout, MEDIA[0])
        table = _block(block, layout, width)
        if table is not None:
            width = table.width
            yield table


def write(table: Table) -> bytes:
    """A line a row; fields stand in quotes where they must."""
    if table.configuration is not None:
        raise ValueError("CSV has no place for options.")
    entries = [
        ["" if value is None else value if isinstance(value, str) else repr(value) for value in column]
        for column in columns.plain(table.columns)
    ]
    texts = (",".join(_quoted(text) for text in row) for row in zip(*entries, strict=True))
    return "".join(f"{text}\n" for text in texts).encode()


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ValueError("CSV cannot hold a character that is zero.")
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', '""') + '"'


def _block(block: Block, layout: Layout, width: int | None) -> Table | None:
    raw = bytes(block.data)
    raw = raw if raw.endswith(b"\n") else raw + b"\n"
    _check(raw, block, layout)
    fields = _Fields.of(raw, block.line, layout)
    if not len(fields.lines):
        return None
    width = int(fields.counts[0]) if width is None else width
    row = int(np.argmax(fields.counts != width))  # the first that is wrong, or the first
    columns.check_count(int(fields.counts[row]), width, layout, fields.place(row), fields.text(row))
    return Table(
        columns=tuple(columns.column(fields.texts(number), number, layout, fields.place) for number in range(width)),
        origins=Origins.of(f"{layout.name}, line", fields.lines),
    )


def _check(raw: bytes, block: Block, layout: Layout) -> None:
    """`UserError` names the line that is no text."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        number = block.line + raw.count(b"\n", 0, error.start)
        wrong = raw[error.start : error.start + 4].hex(" ")
        raise layout.fault(f"line {number}", f"must be UTF-8; its bytes {wrong} are not.") from None
    if b"\0" in raw:
        number = block.line + raw.count(b"\n", 0, raw.index(b"\0"))
        raise layout.fault(f"line {number}", "must be text; it has a byte that is zero.")


@dataclass(frozen=True)
class _Fields:
    """Where the fields of a block lie, without blanks around them, and which row begins with which."""

    raw: bytes
    starts: NDArray[np.int64]  # (f,)
    ends: NDArray[np.int64]  # (f,)
    quoted: NDArray[np.bool_] | None  # (f,) which stand in quotes; None where none does
    firsts: NDArray[np.int64]  # (n,) each row's first field
    counts: NDArray[np.int64]  # (n,) fields of each row
    lines: NDArray[np.int64]  # (n,) the line where each row begins
    layout: Layout

    @classmethod
    def of(cls, raw: bytes, line: int, layout: Layout) -> _Fields:
        """Those of the block, which ends with a line. A comma or an end of a line within quotes ends nothing."""
        data = np.frombuffer(raw, np.uint8)
        breaks = np.flatnonzero(data == _END)
        marks = np.flatnonzero((data == _COMMA) | (data == _END))
        quotes = data == _QUOTE
        has_quotes = bool(quotes.any())
        if has_quotes:
            inside = np.bitwise_xor.accumulate(quotes.view(np.uint8))
            if inside[-1]:
                opened = int(np.flatnonzero(quotes)[-1])
                place = f"line {line + int(np.searchsorted(breaks, opened))}"
                raise layout.fault(place, "has a quote that is not closed.")
            marks = marks[inside[marks] == 0]
        starts, ends = _trimmed(raw, data, np.concatenate([[0], marks[:-1] + 1]), marks)
        lasts = np.flatnonzero(data[marks] == _END)
        firsts = np.concatenate([[0], lasts[:-1] + 1])
        counts = lasts - firsts + 1
        solid = (counts > 1) | (starts[firsts] < ends[firsts])
        begins = np.concatenate([[0], marks[lasts[:-1]] + 1])
        fields = cls(
            raw=raw,
            starts=starts,
            ends=ends,
            quoted=(data[starts] == _QUOTE) & (starts < ends) if has_quotes else None,
            firsts=firsts[solid],
            counts=counts[solid],
            lines=line + np.searchsorted(breaks, begins[solid]),
            layout=layout,
        )
        if has_quotes:
            fields._check_quotes(quotes)
        return fields

    def place(self, row: int) -> str:
        """Where a row begins."""
        return f"line {self.lines[row]}"

    def text(self, row: int) -> bytes:
        """A row as it stands."""
        first = int(self.firsts[row])
        return self.raw[int(self.starts[first]) : int(self.ends[first + int(self.counts[row]) - 1])]

    def texts(self, column: int) -> Ragged:
        """The texts of a column."""
        own = self.firsts + column
        data = np.frombuffer(self.raw, np.uint8)
        texts = Ragged.spans(data, self.starts[own], self.ends[own] - self.starts[own])
        if self.quoted is None or not self.quoted[own].any():
            return texts
        entries = texts.encoded()
        for row in np.flatnonzero(self.quoted[own]).tolist():
            text = entries[row]
            inner = text[1:-1]
            if len(text) < 2 or not text.endswith(b'"') or b'"' in inner.replace(b'""', b""):
                wrong = f"has a field that goes on after its closing quote: {excerpt(text)}."
                raise self.layout.fault(self.place(row), wrong)
            entries[row] = inner.replace(b'""', b'"')
        return Ragged.texts(entries)

    def _check_quotes(self, quotes: NDArray[np.bool_]) -> None:
        """`UserError` where a field that does not begin with a quote has one."""
        assert self.quoted is not None
        before = np.concatenate([np.zeros(1, np.int32), np.cumsum(quotes, dtype=np.int32)])
        wrong = np.flatnonzero((before[self.ends] > before[self.starts]) & ~self.quoted)
        if len(wrong):
            field = int(wrong[0])
            row = max(0, int(np.searchsorted(self.firsts, field, "right")) - 1)
            text = excerpt(self.raw[self.starts[field] : self.ends[field]])
            raise self.layout.fault(
                self.place(row),
                f"has a quote within a field that does not begin with one: {text}. Double it, in quotes.",
            )


def _trimmed(
    raw: bytes, data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both ends of all fields, moved inwards over blanks: a few of them for all fields at once, and where there are
    more, field by field."""
    starts, ends = starts.copy(), ends.copy()
    blank = np.zeros(256, bool)
    blank[list(_BLANKS)] = True
    for _ in range(_FEW):
        first = (starts < ends) & blank[data[np.minimum(starts, len(data) - 1)]]
        starts += first
        last = (starts < ends) & blank[data[np.maximum(ends - 1, 0)]]
        ends -= last
        if not first.any() and not last.any():
            return starts, ends
    for field in np.flatnonzero(first | last).tolist():
        text = raw[starts[field] : ends[field]]
        starts[field] += len(text) - len(text.lstrip(_BLANKS))
        ends[field] -= (len(text) - len(text.rstrip(_BLANKS))) if text.strip(_BLANKS) else 0
    return starts, ends
