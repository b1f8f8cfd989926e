"""Requests in JSON: `{"instances": ["a text", {"source": "another"}, …], "configuration": {…}}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.lines import Lines
from algoport.training.formats.instances import JSON, body_of, of_body
from algoport.training.formats.layout import Layout
from algoport.training.formats.lines.values import EXAMPLE, decode, encode

MEDIA = JSON


def read(stream: BinaryIO, layout: Layout) -> Iterator[Lines]:
    """The texts of one body; it is held in memory as a whole."""
    instances = of_body(stream, layout, EXAMPLE)
    if instances is not None:
        yield decode(instances)


def write(lines: Lines) -> bytes:
    """A body with one instance a line, which is a text where nothing came with it."""
    return body_of(encode(lines, alone=True))
