"""JSON Lines: one instance a line, in any of the forms of a JSON request, mixed or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records import Rows
from algoport.training.formats.json import decode, encode, load
from algoport.training.formats.layout import Layout
from algoport.training.formats.text import blocks, check_text

MEDIA = ("application/jsonlines", "jsonlines", "application/x-jsonlines", "application/jsonl")
_BATCH = 8192  # lines made rows at a time: objects take several times the room of their text


def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
    """A row a line; blank lines are skipped. `label` beside `features`, where there is one, is the label."""
    width, labels = layout.width, None
    for block in blocks(stream, layout):
        if block.line == 1:
            check_text(bytes(block.data[:8]), layout, MEDIA[0])
        lines = bytes(block.data).split(b"\n")
        for start in range(0, len(lines), _BATCH):
            numbered = enumerate(lines[start : start + _BATCH], block.line + start)
            present = [(f"line {number}", line) for number, line in numbered if line.strip()]
            if not present:
                continue
            places = [place for place, _ in present]
            instances = [load(line, layout, place) for place, line in present]
            rows = decode(instances, places, layout, width=width, labels=labels)
            width, labels = rows.width, 0 if rows.label is None else rows.label.shape[1]
            yield rows


def write(rows: Rows) -> bytes:
    """One instance a line. Missing values are null."""
    import orjson

    return b"".join(orjson.dumps(instance) + b"\n" for instance in encode(rows))
