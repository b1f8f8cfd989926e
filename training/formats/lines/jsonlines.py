"""JSON Lines: `{"source": "a text", "label": 1}`, as an augmented manifest has them, or a text alone.

A pipe of an augmented manifest brings no JSON but a frame for each text and each label; whoever calls its type JSON
Lines means the manifest, and is read so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.lines import Lines
from algoport.training.formats.instances import LINES, lines_of, of_lines
from algoport.training.formats.layout import Layout
from algoport.training.formats.lines import recordio
from algoport.training.formats.lines.values import decode, encode
from algoport.training.formats.recordio import MAGIC_BYTES
from algoport.training.formats.window import peeked

MEDIA = LINES


def read(stream: BinaryIO, layout: Layout) -> Iterator[Lines]:
    """A text a line; blank lines are skipped. Options stand beside `source`, or in `configuration`."""
    start, stream = peeked(stream, len(MAGIC_BYTES))
    if start == MAGIC_BYTES:
        yield from recordio.read(stream, layout)
        return
    for instances in of_lines(stream, layout):
        yield decode(instances)


def write(lines: Lines) -> bytes:
    """An object a line."""
    return lines_of(encode(lines, alone=False))
