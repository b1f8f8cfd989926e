"""The objects of a transform, and what their outputs are called.

An address is a path, `file://…`, or `s3://BUCKET/KEY`, for which a folder stands that holds a folder a bucket.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from algoport.algorithms.contract.errors import UserError
from algoport.containers.transform.request import Addresses

HIDDEN = (".", "_")  # first letters of names that are no data


@dataclass(frozen=True)
class Item:
    """One object."""

    name: str  # its key relative to the prefix: of the output, before `.out`, and in sentences
    path: Path

    @property
    def size(self) -> int:
        """Bytes of the file, as it is."""
        return self.path.stat().st_size

    @property
    def stamp(self) -> str:
        """What changes when the file does."""
        state = self.path.stat()
        return f"{state.st_size} {state.st_mtime_ns}"

    def open(self, compressed: bool) -> BinaryIO:
        """Its bytes, decompressed where they are not."""
        return cast(BinaryIO, gzip.open(self.path)) if compressed else open(self.path, "rb")


def located(address: str, objects: Path | None) -> Path:
    """The path that an address stands for."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme == "s3":
        if objects is None:
            raise UserError(f"{address}: say with --objects which folder stands for S3; it holds a folder a bucket.")
        place = Path(os.path.normpath(objects / parts.netloc / parts.path.lstrip("/")))
        if not place.is_relative_to(objects / parts.netloc):
            raise UserError(f"{address}: leaves its bucket.")
        return place
    return Path(address).expanduser()


def listed(source: Addresses, objects: Path | None) -> list[Item]:
    """The objects, in the order of their names; `UserError` where there are none, or a name is there twice."""
    if source.S3DataType == "ManifestFile":
        items = list(_of_manifest(located(source.S3Uri, objects), objects))
    else:
        items = sorted(_below(source.S3Uri, objects), key=lambda item: item.name)
    if not items:
        raise UserError(f"{source.S3Uri}: there are no objects whose names begin so.")
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise UserError([f"{source.S3Uri}: {name} is named twice, and would have one output." for name in twice[:20]])
    return items


def _below(address: str, objects: Path | None) -> Iterator[Item]:
    """A file; all files below a folder; or all whose path begins so."""
    place = located(address, objects)
    if place.is_file():
        yield Item(place.name, place)
        return
    root, beginning = (place, "") if place.is_dir() else (place.parent, str(place))
    # A key that ends before a slash begins those beside it, too: `part` stands for part-0.csv and part/x.csv.
    tops = sorted(root.iterdir()) if root.is_dir() else []
    for top in tops:
        if str(top).startswith(beginning) and not top.name.startswith(HIDDEN):
            for path in _files(top):
                yield Item(path.relative_to(root).as_posix(), path)


def _files(top: Path) -> Iterator[Path]:
    if top.is_dir():
        for path in top.iterdir():
            if not path.name.startswith(HIDDEN):
                yield from _files(path)
    elif top.is_file():
        yield top


def _of_manifest(path: Path, objects: Path | None) -> Iterator[Item]:
    """`[{"prefix": "s3://bucket/some/"}, "a.csv", "sub/b.csv"]`."""
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON: {error}.") from None
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict) or "prefix" not in entries[0]:
        raise UserError(f'{path}: must be an array that begins with {{"prefix": "…"}}.')
    prefix, faults = str(entries[0]["prefix"]), []
    for number, name in enumerate(entries[1:], 2):
        if not isinstance(name, str) or not name:
            raise UserError(f"{path}: entry {number} must be a name; it is {str(name)[:60]!r}.")
        place = located(prefix + name, objects)
        if os.path.isabs(name) or ".." in Path(name).parts:
            faults.append(f"{path}: entry {number} leaves its prefix: {name!r}.")
        elif place.is_file():
            yield Item(Path(name).as_posix(), place)
        else:
            faults.append(f"{path}: entry {number}: there is no object {prefix + name}.")
    if faults:
        raise UserError(faults[:20])
