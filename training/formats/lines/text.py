"""Plain text: a record is a line, and words that begin with `__label__` are its labels: `text/plain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.lines.labels import PREFIX, prefix
from algoport.training.formats.text import Block, blocks, check_text

MEDIA = ("text/plain",)


def read(stream: BinaryIO, layout: Layout) -> Iterator[Lines]:
    """A record a line; blank lines are skipped. Where a line has labels, its other words have one blank between them.

    `UserError` names the line that is not UTF-8, that has a NUL, or that is longer than 256 MB.
    """
    for block in blocks(stream, layout):
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
    raw = bytes(block.data)
    data = np.frombuffer(raw, np.uint8)
    ends = np.flatnonzero(data == 10)
    if not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    _check(raw, starts, block, layout)
    ends = ends - ((ends > starts) & (data[np.maximum(ends - 1, 0)] == 13))
    solid = _solid(raw, data, starts, ends)
    numbers = block.line + np.flatnonzero(solid)
    starts, ends = starts[solid], ends[solid]
    origins = Origins.of(f"{layout.name}, line", numbers)
    mark = prefix(layout).encode()
    if not mark or mark not in raw:
        return Lines(text=Ragged.spans(data, starts, ends - starts), origins=origins)
    texts, labels = [], []
    for number, first, last in zip(numbers.tolist(), starts.tolist(), ends.tolist(), strict=True):
        text, label = _split(raw[first:last], mark, layout, number)
        texts.append(text)
        labels.append(label)
    marked = any(labels)
    return Lines(text=Ragged.texts(texts), label=Ragged.texts(labels) if marked else None, origins=origins)


def _split(line: bytes, mark: bytes, layout: Layout, number: int) -> tuple[bytes, bytes]:
    """The words that are no labels, and those that are, without their prefix."""
    if mark not in line:
        return line, b""
    words = line.split()
    labels = [word[len(mark) :] for word in words if word.startswith(mark)]
    if not labels:
        return line, b""
    if not all(labels):
        raise layout.fault(f"line {number}", f"has a label without a name, {excerpt(mark)}.")
    return b" ".join(word for word in words if not word.startswith(mark)), b" ".join(labels)


def _solid(
    raw: bytes, data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which lines have something in them that is no blank."""
    solid = ends > starts
    for number in np.flatnonzero(solid & (data[np.minimum(starts, len(data) - 1)] <= 32)):
        solid[number] = bool(raw[starts[number] : ends[number]].strip())
    return solid


def _check(raw: bytes, starts: NDArray[np.int64], block: Block, layout: Layout) -> None:
    """`UserError` names the first line that is no text."""

    def line(at: int) -> str:
        return f"line {block.line + int(np.searchsorted(starts, at, 'right')) - 1}"

    try:
        raw.decode()
    except UnicodeDecodeError as error:
        at = error.start
        raise layout.fault(line(at), f"must be UTF-8; its bytes {raw[at : at + 4].hex(' ')} are not.") from None
    if b"\0" in raw:
        raise layout.fault(line(raw.index(b"\0")), "must be text; it has a byte that is zero.")
