"""JSON Lines: `{"label": 1, "in0": [6, 17], "in1": [16]}`, a record a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.sequences import Sequences
from algoport.training.formats.instances import LINES, lines_of, of_lines
from algoport.training.formats.layout import Layout
from algoport.training.formats.sequences.values import decode, encode

MEDIA = LINES


def read(stream: BinaryIO, layout: Layout) -> Iterator[Sequences]:
    """A record a line; blank lines are skipped."""
    names: set[str] = set()
    for instances in of_lines(stream, layout):
        yield decode(instances, names)


def write(records: Sequences) -> bytes:
    """An object a record."""
    return lines_of(encode(records))
