"""JSON Lines: a row of texts and numbers a line, in any of the forms of a JSON request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.table import Table
from algoport.training.formats.instances import LINES, lines_of, of_lines
from algoport.training.formats.layout import Layout
from algoport.training.formats.table.values import decode, encode

MEDIA = LINES


def read(stream: BinaryIO, layout: Layout) -> Iterator[Table]:
    """A row a line; blank lines are skipped."""
    width = None
    for instances in of_lines(stream, layout):
        table = decode(instances, width)
        width = table.width
        yield table


def write(table: Table) -> bytes:
    """An object a row. Missing numbers are null."""
    return lines_of(encode(table))
