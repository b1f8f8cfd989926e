"""Plain text: a record is a line, and words that begin with `__label__` are its labels: `text/plain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.shared.arrays import const
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.lines.labels import PREFIX, prefix
from algoport.training.formats.text import Block, blocks, check_text

MEDIA = ("text/plain",)
_BLOCK = 1 << 22  # bytes decoded at a time: several blocks are on their way, each some times as large as its text


def read(stream: BinaryIO, layout: Layout) -> Iterator[Lines]:
    """A record a line; blank lines are skipped. Where a line has labels, its other words have one blank between them.

    `UserError` names the line that is not UTF-8, that has a NUL, or that is longer than 256 MB.
    """
    for block in blocks(stream, replace(layout, block=min(layout.block, _BLOCK))):
        if block.line == 1:
            check_text(bytes(block.data[:8]), layout, MEDIA[0])
        lines = _lines(block, layout)
        if len(lines):
            yield lines


def write(lines: Lines) -> bytes:
    """A line each, its labels in front."""
    marked = [" ".join([*(PREFIX + label for label in labels), ""]) for labels in lines.labels()]
    texts = lines.text.strings()
    for text, labels in zip(texts, marked, strict=True):
        if not (text + labels).strip() or any(sign in text for sign in "\n\r\0") or PREFIX in text:
            raise ValueError(f"Plain text cannot hold {excerpt(text)} as a line.")
        if labels and text.encode() != b" ".join(text.encode().split()):
            raise ValueError(f"A labeled line of plain text has one blank between two words, not {excerpt(text)}.")
    if lines.configuration is not None:
        raise ValueError("Plain text has no place for options.")
    return "".join(f"{labels}{text}\n" for text, labels in zip(texts, marked, strict=True)).encode()


def _lines(block: Block, layout: Layout) -> Lines:
    from algoport.training.formats.lines.kernels import split_lines  # numba, once `prepare` has set it up

    raw = bytes(block.data)
    _check(raw, block, layout)
    data = const(np.frombuffer(raw, np.uint8), np.uint8)
    mark = const(np.frombuffer(prefix(layout).encode(), np.uint8), np.uint8)
    most = raw.count(b"\n") + 1
    numbers = np.empty(most, np.int64)
    text, labels = np.empty(len(raw), np.uint8), np.empty(len(raw), np.uint8)
    ends, label_ends = np.zeros(most + 1, np.int64), np.zeros(most + 1, np.int64)
    count, unnamed = split_lines(data, mark, numbers, text, ends, labels, label_ends)
    if unnamed >= 0:
        raise layout.fault(
            f"line {block.line + unnamed}", f"has a label without a name, {excerpt(prefix(layout).encode())}."
        )
    return Lines(
        text=_ragged(text, ends, count),
        label=_ragged(labels, label_ends, count) if label_ends[count] else None,
        origins=Origins.of(f"{layout.name}, line", block.line + numbers[:count]),
    )


def _ragged(values: NDArray[np.uint8], ends: NDArray[np.int64], count: int) -> Ragged:
    """In memory of their own, as those given are as large as the whole block."""
    return Ragged(values[: ends[count]].copy(), ends[: count + 1].copy())


def _check(raw: bytes, block: Block, layout: Layout) -> None:
    """`UserError` names the first line that is no text."""

    def line(at: int) -> str:
        before = raw.count(b"\n", 0, at)
        return f"line {block.line + before}"

    try:
        raw.decode()
    except UnicodeDecodeError as error:
        at = error.start
        raise layout.fault(line(at), f"must be UTF-8; its bytes {raw[at : at + 4].hex(' ')} are not.") from None
    if b"\0" in raw:
        raise layout.fault(line(raw.index(b"\0")), "must be text; it has a byte that is zero.")
