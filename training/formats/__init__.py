"""Formats of data: from bytes to rows and back. A request is a small channel and is read by the same modules.

Each format is a module with

    MEDIA: tuple[str, ...]                                         names of its content type, the canonical one first
    read(stream: BinaryIO, layout: Layout) -> Iterator[Records]    block by block; memory does not grow with the stream
    write(records: Records) -> bytes                               what `read` reads back as the same records;
                                                                   ValueError where the format cannot hold them
    ONE: bool                                                      where a file or body is one record: True

A kind of records says which modules are its own (`contract/kinds.py`), and a content type can be of several kinds.
"""

from __future__ import annotations

import functools
import importlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Protocol, cast

from algoport.algorithms.contract import kinds
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.joining import concatenate
from algoport.algorithms.contract.kinds import Kind
from algoport.training.formats.layout import Layout


class Format(Protocol):
    """What every module of this folder offers."""

    MEDIA: tuple[str, ...]

    @staticmethod
    def read(stream: BinaryIO, layout: Layout) -> Iterator[Any]:
        """The records of a stream, block by block."""

    @staticmethod
    def write(records: Any) -> bytes:
        """The bytes that `read` reads back as the same records."""


@dataclass(frozen=True)
class ContentType:
    """A media type, canonical and in lower case, with its parameters."""

    media: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> ContentType:
        """From "Text/CSV; label_size = 0". Short names ("csv") become the canonical ones; parameter names are in
        lower case, values as they were without quotes; what is not `name=value` is left out."""
        media, *rest = text.split(";")
        pairs = (entry.partition("=") for entry in rest)
        parameters = {name.strip().lower(): value.strip().strip('"') for name, sign, value in pairs if sign}
        media = media.strip().lower()
        return cls(_canonical().get(media, media), parameters)

    def __str__(self) -> str:
        return ";".join([self.media, *(f"{name}={value}" for name, value in self.parameters.items())])


def find(media: str, kind: str = "rows") -> Format:
    """The module that reads and writes records of a kind in that content type; UserError with those there are."""
    name = ContentType.parse(media).media
    for module in modules(kind):
        if name in module.MEDIA:
            return module
    known = ", ".join(module.MEDIA[0] for module in modules(kind))
    raise UserError(f"Content type '{media}' is not one that {kind} are read from: {known}.")


def holds_one(media: str, kind: str = "rows") -> bool:
    """Whether a file or body of that content type is one record and no more."""
    return bool(getattr(find(media, kind), "ONE", False))


def records(stream: BinaryIO, content_type: ContentType, layout: Layout, kind: str = "rows") -> Iterator[Any]:
    """The records of a stream, block by block. The parameters are those of the content type."""
    layout = replace(layout, parameters=content_type.parameters)
    blocks = find(content_type.media, kind).read(stream, layout)
    return blocks if layout.missing else _complete(blocks, layout, kinds.find(kind))


def _complete(blocks: Iterator[Any], layout: Layout, kind: Kind) -> Iterator[Any]:
    """The same blocks; a UserError with the number of the first record that lacks a feature."""
    before = 0
    for block in blocks:
        lacking = kind.incomplete(block)
        if lacking is not None:
            row, column, value = lacking
            raise layout.incomplete(f"record {before + row + 1}", column, value)
        before += len(block)
        yield block


def whole(body: bytes, content_type: ContentType, layout: Layout, kind: str = "rows") -> Any:
    """All records of a request; none where the body has none. The parameters are those of the content type."""
    layout = replace(layout, block=len(body) + 1, answered=True)
    parts = list(records(io.BytesIO(body), content_type, layout, kind))
    return concatenate(parts) if parts else kinds.find(kind).empty(layout.width or len(layout.fields))


@functools.cache
def modules(kind: str) -> tuple[Format, ...]:
    """The modules that read and write records of a kind."""
    return tuple(cast(Format, importlib.import_module(f"{__name__}.{name}")) for name in kinds.find(kind).formats)


@functools.cache
def _canonical() -> dict[str, str]:
    """Where a name is used for rows and for others alike, it means the same type."""
    return {name: module.MEDIA[0] for kind in kinds.names() for module in modules(kind) for name in module.MEDIA}


__all__ = ["ContentType", "Format", "Layout", "find", "holds_one", "modules", "records", "whole"]
