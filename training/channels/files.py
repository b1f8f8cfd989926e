"""A channel that lies on disk: which files it has, and how they are opened."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from algoport.algorithms.contract.errors import UserError
from algoport.training.formats.layout import Layout

BUFFER = 1 << 20
_GZIP = b"\x1f\x8b"
_MANIFEST = b'[{"prefix"'


@dataclass(frozen=True)
class Shard:
    """One file of a channel."""

    name: str  # as messages call it: "train/part-0.csv"
    path: Path
    size: int

    def open(self) -> BinaryIO:
        """Its bytes, decompressed where it is a gzip file by its name or its first bytes."""
        file = io.BufferedReader(io.FileIO(self.path), BUFFER)
        if file.peek(2)[:2] == _GZIP:
            return cast("BinaryIO", io.BufferedReader(gzip.GzipFile(fileobj=file), BUFFER))
        if self.path.suffix == ".gz":
            file.close()
            raise UserError(f"{self.name}: must be a gzip file by its name; it is none by its first bytes.")
        return cast("BinaryIO", file)


@dataclass(frozen=True)
class Folder:
    """A channel in which a file is a record, for the module that a kind names for it (`Kind.folders`).

    The module has `open_channel(folder: Folder)`, which gives what `records.Files` offers.
    """

    place: Path
    channel: str
    lists: tuple[Path, str] | None  # place and name of the channel that lists its files; None where none does
    annotations: tuple[Path, str] | None  # place and name of the channel that has a file for each; None where none has
    annotating: str  # the name of the channel that could have, or nothing
    labeled: bool  # whether something must be known of each
    sharded: bool  # whether other hosts may have files that this one has not
    layout: Layout  # what is known of the records
    reference: Path | None  # place of the required channel of its kind, whose folders say which classes there are


def shards(place: Path, channel: str, hidden: tuple[str, ...] = (".", "_")) -> list[Shard]:
    """The files of the channel at that place, sorted by path: a folder with all below it, or a single file.

    Links are followed. Hidden files, those whose name starts with an underscore, and empty ones are left out, and all
    that lies in folders whose names begin as `hidden` says.
    Where one of them is a manifest, it says which of the others count, and in which order.
    """
    if place.is_file():
        return [Shard(channel, place, place.stat().st_size)] if place.stat().st_size else []
    files = sorted(_below(place, channel, hidden), key=lambda shard: shard.name)
    manifests = [shard for shard in files if _is_manifest(shard)]
    if not manifests:
        return files
    there = {shard.name: shard for shard in files}
    return [shard for manifest in manifests for shard in _manifest_shards(manifest, channel, there)]


def _below(place: Path, channel: str, hidden: tuple[str, ...]) -> Iterator[Shard]:
    seen = set()
    for root, folders, files in os.walk(place, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(hidden)]
        for name in files:
            path = Path(root, name)
            if name[0] not in "._" and path.is_file() and (size := path.stat().st_size):
                yield Shard(f"{channel}/{path.relative_to(place).as_posix()}", path, size)


def _is_manifest(shard: Shard) -> bool:
    """A JSON array that starts with a prefix; only a small file, or one so named, is looked into."""
    if not (shard.path.suffix in (".manifest", ".json") or "manifest" in shard.path.name):
        return False
    with open(shard.path, "rb") as file:
        return b"".join(file.read(256).split()).startswith(_MANIFEST)


def _manifest_shards(manifest: Shard, channel: str, there: dict[str, Shard]) -> Iterator[Shard]:
    try:
        entries = json.loads(manifest.path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{manifest.name}: must be a manifest, a JSON array; it is not JSON: {error}.") from None
    for entry in entries[1:]:
        shard = there.get(f"{channel}/{str(entry).lstrip('/')}")
        if shard is None:
            if os.path.lexists(manifest.path.parent / str(entry)):  # empty, or a name that is left out
                continue
            raise UserError(f"{manifest.name}: names {str(entry)[:300]!r}, and there is no such file in the channel.")
        yield shard
