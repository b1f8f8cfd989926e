"""Formats of data: from bytes to rows and back. A request is a small channel and is read by the same modules.

Each format is a module with

    MEDIA: tuple[str, ...]                                         names of its content type, the canonical one first
    read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]       block by block; memory does not grow with the stream
    write(rows: Rows) -> bytes                                     what `read` reads back as the same rows
"""

from __future__ import annotations

import functools
import importlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Protocol, cast

import numpy as np

from algorithms.errors import UserError
from algorithms.records import Rows, joined, nothing
from training.formats.layout import Layout

_MODULES = ("csv", "recordio", "json", "jsonlines", "libsvm", "parquet", "npy")


class Format(Protocol):
    """What every module of this folder offers."""

    MEDIA: tuple[str, ...]

    @staticmethod
    def read(stream: BinaryIO, layout: Layout) -> Iterator[Rows]:
        """The rows of a stream, block by block."""

    @staticmethod
    def write(rows: Rows) -> bytes:
        """The bytes that `read` reads back as the same rows."""


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


def find(media: str) -> Format:
    """The module that reads and writes that content type; UserError with those there are."""
    name = ContentType.parse(media).media
    for module in _modules():
        if module.MEDIA[0] == name:
            return module
    known = ", ".join(module.MEDIA[0] for module in _modules())
    raise UserError(f"Content type '{media}' is not one that rows are read from: {known}.")


def records(stream: BinaryIO, content_type: ContentType, layout: Layout) -> Iterator[Rows]:
    """The rows of a stream, block by block. The parameters are those of the content type."""
    layout = replace(layout, parameters=content_type.parameters)
    blocks = find(content_type.media).read(stream, layout)
    return blocks if layout.missing else _complete(blocks, layout)


def _complete(blocks: Iterator[Rows], layout: Layout) -> Iterator[Rows]:
    """The same blocks; a UserError with the number of the first record that lacks a feature."""
    before = 0
    for rows in blocks:
        values = rows.features.data if rows.is_sparse else rows.features
        # One sum tells of all: it is finite where they are, but for an overflow now and then.
        with np.errstate(over="ignore", invalid="ignore"):
            doubtful = not np.isfinite(np.add.reduce(np.asarray(values), axis=None))
        if doubtful and len(lacking := np.argwhere(~np.isfinite(dense := rows.dense()))):
            row, column = (int(number) for number in lacking[0])
            raise layout.incomplete(f"record {before + row + 1}", column, float(dense[row, column]))
        before += len(rows)
        yield rows


def whole(body: bytes, content_type: ContentType, layout: Layout) -> Rows:
    """All rows of a request; none where the body has none. The parameters are those of the content type."""
    layout = replace(layout, block=min(layout.block, len(body) + 1))
    parts = list(records(io.BytesIO(body), content_type, layout))
    return joined(parts) if parts else nothing(layout.width or 0)


@functools.cache
def _modules() -> tuple[Format, ...]:
    return tuple(cast(Format, importlib.import_module(f"{__name__}.{name}")) for name in _MODULES)


@functools.cache
def _canonical() -> dict[str, str]:
    return {name: module.MEDIA[0] for module in _modules() for name in module.MEDIA}


__all__ = ["ContentType", "Format", "Layout", "find", "records", "whole"]
