"""Requests in JSON: `{"instances": [{"in0": [6, 17], "in1": [16]}, …], "configuration": {…}}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records.sequences import Sequences
from algoport.training.formats.instances import JSON, body_of, of_body
from algoport.training.formats.layout import Layout
from algoport.training.formats.sequences.values import EXAMPLE, decode, encode

MEDIA = JSON


def read(stream: BinaryIO, layout: Layout) -> Iterator[Sequences]:
    """The records of one body; it is held in memory as a whole."""
    instances = of_body(stream, layout, EXAMPLE)
    if instances is not None:
        yield decode(instances, set())


def write(records: Sequences) -> bytes:
    """A body with one instance a record."""
    return body_of(encode(records))
