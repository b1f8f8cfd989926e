"""Requests in JSON: `{"instances": [{…}, …], "configuration": {…}}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from algoport.algorithms.contract.records import Objects
from algoport.training.formats.json import MEDIA, load, merge
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.text import BOM, check_text

__all__ = ["MEDIA", "check_object", "read", "write"]
_OWN = "configuration"


def read(stream: BinaryIO, layout: Layout) -> Iterator[Objects]:
    """The instances of one body; it is held in memory as a whole."""
    text = stream.read()
    check_text(text[:8], layout, MEDIA[0])
    text = text.removeprefix(BOM)
    if not text.strip():
        return
    body = load(text, layout, "")
    if not isinstance(body, Mapping) or not isinstance(body.get("instances"), list):
        raise layout.fault("", 'must be an object with a list "instances": {"instances": [{…}, …]}.')
    places = [f"instance {number + 1}" for number in range(len(body["instances"]))]
    values = [check_object(value, place, layout) for value, place in zip(body["instances"], places, strict=True)]
    own = [merge(body.get(_OWN), value.get(_OWN)) for value in values]
    if values:
        yield Objects(
            values=[{name: field for name, field in value.items() if name != _OWN} for value in values],
            places=[f"{layout.name}, {place}" for place in places],
            configuration=own if any(entry is not None for entry in own) else None,
            nbytes=len(text),
        )


def write(objects: Objects) -> bytes:
    """A body with one instance an object."""
    import orjson

    own = objects.configuration or [None] * len(objects)
    instances = [
        dict(value) if entry is None else {**value, _OWN: entry}
        for value, entry in zip(objects.values, own, strict=True)
    ]
    return orjson.dumps({"instances": instances}, option=orjson.OPT_SERIALIZE_NUMPY)


def check_object(value: Any, place: str, layout: Layout) -> Mapping[str, Any]:
    """The value, which must be an object."""
    if not isinstance(value, Mapping):
        raise layout.fault(place, f"must be an object with named fields; it is {excerpt(value)}.")
    return value
