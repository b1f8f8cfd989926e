"""Formats made of lines: blocks that end where a line ends, with the number of their first line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from algoport.training.formats.layout import Layout
from algoport.training.formats.recognition import binary_format
from algoport.training.formats.window import Window

LONGEST = 1 << 28  # bytes of a line; what is longer is not lines
BOM = b"\xef\xbb\xbf"
_SMALL = 1 << 16


@dataclass(frozen=True)
class Block:
    """Whole lines, valid until the next block is asked for."""

    data: memoryview
    line: int  # number of the first of them, from 1


def blocks(stream: BinaryIO, layout: Layout, quoted: bool = False) -> Iterator[Block]:
    """The lines of a stream, about `layout.block` bytes at a time, without a byte order mark.

    Where `quoted`, a line end between quotation marks does not end a line. The last line needs no end.
    """
    window = Window(stream, layout.block)
    line = 1
    while window.fill():
        begin = 3 if window.offset == 0 and window.view[:3] == BOM else 0
        end = window.end if window.ended else _last_end(window, quoted)
        if end <= begin and not window.ended:
            if window.end >= LONGEST:
                raise layout.fault(
                    f"line {line}",
                    f"is longer than {LONGEST >> 20} MB, the most that a line may have. {_remedy(quoted)}",
                )
            window.grow()
            continue
        if begin < end:
            yield Block(window.view[begin:end], line)
        line += int(np.count_nonzero(window.bytes[:end] == 10))
        window.drop(end)


def _remedy(quoted: bool) -> str:
    what = 'End each record with a line feed, "\\n"'
    return f"{what}, and close every quotation mark." if quoted else f"{what}; a carriage return alone ends no line."


def json_lines(stream: BinaryIO, layout: Layout, said: str, count: int) -> Iterator[list[tuple[int, bytes]]]:
    """The lines of JSON Lines that are not blank, with their numbers, so many at a time.

    A request has an answer for every line between its first and its last, so that there a blank one is a fault.
    """
    first, blank = True, 0  # number of a blank line behind the first record
    for block in blocks(stream, layout):
        if block.line == 1:
            check_text(bytes(block.data[:8]), layout, said)
        lines = bytes(block.data).split(b"\n")
        for start in range(0, len(lines), count):
            present = []
            for number, line in enumerate(lines[start : start + count], block.line + start):
                if line.strip():
                    if first:
                        _check_record(line.strip(), layout, number)
                    elif blank and layout.answered:
                        raise layout.fault(f"line {blank}", "is blank, where each line must be a record; leave it out.")
                    first, blank = False, 0
                    present.append((number, line))
                else:
                    blank = 0 if first else blank or number
            if present:
                yield present


def _check_record(line: bytes, layout: Layout, number: int) -> None:
    """`UserError` where the first line plainly is not one record of its own."""
    if line.endswith((b"[", b"{", b",")) and line.startswith((b"[", b"{")):
        raise layout.fault(
            f"line {number}",
            "must be one record a line; here one goes on over several lines. Write each into a line of its own, as "
            "json.dumps does without indent.",
        )
    if re.match(rb"\[\s*\{", line):
        raise layout.fault(
            f"line {number}",
            "must be one record a line; it is a list of records. Write each into a line of its own, without the "
            "brackets and commas around them.",
        )


def check_text(start: bytes, layout: Layout, said: str) -> None:
    """UserError where a stream that should be text plainly is another format, or has another charset."""
    charset = layout.parameters.get("charset", layout.parameters.get("encoding", "utf-8")).lower() or "utf-8"
    if charset not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise layout.fault("", f"text must be UTF-8; its content type says {charset}.")
    other = binary_format(start)
    if other is not None:
        raise layout.fault("", f"is plainly {other}, where the content type is {said}.")


def _last_end(window: Window, quoted: bool) -> int:
    """One behind the last line end; 0 where there is none."""
    data = window.bytes
    if quoted:
        marks = data == 34
        if marks.any():
            outside = np.bitwise_xor.accumulate(marks.view(np.uint8)) == 0
            ends = np.flatnonzero((data == 10) & outside)
            return int(ends[-1]) + 1 if len(ends) else 0
    # From the back, and in small steps: lines are short and blocks are not.
    for stop in range(len(data), 0, -_SMALL):
        ends = np.flatnonzero(data[max(0, stop - _SMALL) : stop] == 10)
        if len(ends):
            return max(0, stop - _SMALL) + int(ends[-1]) + 1
    return 0
