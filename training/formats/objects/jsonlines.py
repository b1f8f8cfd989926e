"""JSON Lines: an object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records import Objects
from algoport.training.formats.json import load
from algoport.training.formats.jsonlines import MEDIA
from algoport.training.formats.layout import Layout
from algoport.training.formats.objects.json import check_object
from algoport.training.formats.text import json_lines

__all__ = ["MEDIA", "read", "write"]
_BATCH = 1024  # lines made objects at a time: they take many times the room of their text


def read(stream: BinaryIO, layout: Layout) -> Iterator[Objects]:
    """An object a line; blank lines are skipped."""
    for present in json_lines(stream, layout, MEDIA[0], _BATCH):
        numbered = [(f"line {number}", line) for number, line in present]
        values = [check_object(load(line, layout, place), place, layout) for place, line in numbered]
        places = [f"{layout.name}, {place}" for place, _ in numbered]
        yield Objects(values=values, places=places, nbytes=sum(len(line) for _, line in numbered))


def write(objects: Objects) -> bytes:
    """An object a line."""
    import orjson

    return b"".join(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n" for value in objects.values)
