"""JSON Lines: one instance a line, in any of the forms of a JSON request, mixed or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records import Rows
from algoport.training.formats.json import decode, encode, load
from algoport.training.formats.layout import Layout
from algoport.training.formats.text import json_lines

MEDIA = ("application/jsonlines", "jsonlines", "application/x-jsonlines", "application/jsonl")
_BATCH = 8192  # lines made rows at a time: objects take several times the room of their text


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """A row a line; blank lines are skipped. `label` beside `features`, where there is one, is the label."""
    width, labels = layout.width, None
    for present in json_lines(stream, layout, MEDIA[0], _BATCH):
        places = [f"line {number}" for number, _ in present]
        instances = [load(line, layout, place) for place, (_, line) in zip(places, present, strict=True)]
        rows = decode(instances, places, layout, width=width, labels=labels)
        width, labels = rows.width, 0 if rows.label is None else rows.label.shape[1]
        yield rows


def write(rows: Rows) -> bytes:
    """One instance a line. Missing values are null."""
    import orjson

    return b"".join(orjson.dumps(instance) + b"\n" for instance in encode(rows))
