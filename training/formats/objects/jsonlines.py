"""JSON Lines: an object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records import Objects
from algoport.training.formats.json import load
from algoport.training.formats.jsonlines import MEDIA
from algoport.training.formats.layout import Layout
from algoport.training.formats.objects.json import check_object
from algoport.training.formats.text import blocks, check_text

__all__ = ["MEDIA", "read", "write"]
_BATCH = 1024  # lines made objects at a time: they take many times the room of their text


def read(stream: BinaryIO, layout: Layout) -> Iterator[Objects]:
    """An object a line; blank lines are skipped."""
    for block in blocks(stream, layout):
        if block.line == 1:
            check_text(bytes(block.data[:8]), layout, MEDIA[0])
        lines = bytes(block.data).split(b"\n")
        for start in range(0, len(lines), _BATCH):
            numbered = enumerate(lines[start : start + _BATCH], block.line + start)
            present = [(f"line {number}", line) for number, line in numbered if line.strip()]
            if present:
                values = [check_object(load(line, layout, place), place, layout) for place, line in present]
                places = [f"{layout.name}, {place}" for place, _ in present]
                yield Objects(values=values, places=places, nbytes=sum(len(line) for _, line in present))


def write(objects: Objects) -> bytes:
    """An object a line."""
    import orjson

    return b"".join(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n" for value in objects.values)
