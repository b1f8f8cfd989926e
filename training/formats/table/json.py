"""Requests in JSON: `{"instances": [{"features": ["a", "b"]}, …], "configuration": {…}}`, a row as a list `["a", "b"]`
too, and the bodies that clients of other servers send (`envelopes.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.table import Table
from algoport.training.formats.instances import JSON, body_of, of_body
from algoport.training.formats.layout import Layout
from algoport.training.formats.table.values import EXAMPLE, decode, encode

MEDIA = JSON


def read(stream: BinaryIO, layout: Layout) -> Iterator[Table]:
    """The rows of one body; it is held in memory as a whole."""
    instances = of_body(stream, layout, EXAMPLE, rows=True)
    if instances is not None:
        yield decode(instances)


def write(table: Table) -> bytes:
    """A body with one instance a row. Missing numbers are null."""
    return body_of(encode(table))
