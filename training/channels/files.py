"""A channel that lies on disk: which files it has, and how they are opened."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.algorithms.contract.explanations import json_fault
from algoport.training.formats.layout import Layout, Notes

BUFFER = 1 << 20
EMPTY = "an empty file"
_GZIP = b"\x1f\x8b"
_MANIFEST = b'[{"prefix"'
# Files that lie beside data and are none, by their whole names or by the names without their endings, in lower case.
_STRAY = {"thumbs.db", "desktop.ini", "ehthumbs.db", "success", "sha256sums", "md5sums"}
_PROSE, _PROSE_ENDINGS = {"readme", "license", "licence", "notice", "changelog"}, {"", ".md", ".txt", ".rst", ".html"}
_STRAY_ENDINGS = {".md", ".rst", ".pdf", ".ipynb", ".py", ".sh", ".crc", ".md5", ".sha256"}
_RECORDIO, _BESIDE_RECORDIO = ".rec", {".idx", ".lst"}  # what im2rec writes, and leaves beside it


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


def shards(place: Path, channel: str, hidden: tuple[str, ...] = (".", "_"), notes: Notes | None = None) -> list[Shard]:
    """The files of the channel at that place, sorted by path: a folder with all below it, or a single file.

    Links are followed. Hidden files, those whose name starts with an underscore, and empty ones are left out, and all
    that lies in folders whose names begin as `hidden` says.
    Where one of them is a manifest, it says which of the others count, and in which order. With `notes`, files that are
    no data by their names are left out too, and what is left out is noted. `PlatformError` names what cannot be read.
    """
    if place.is_file():
        _check_readable(place, channel)
        if place.stat().st_size:
            return [Shard(channel, place, place.stat().st_size)]
        if notes is not None:
            notes.add(channel, EMPTY)
        return []
    files = sorted(_below(place, channel, hidden, notes), key=lambda shard: shard.name)
    if notes is not None:
        files = _without_stray(files, notes)
    manifests = [shard for shard in files if _is_manifest(shard)]
    if not manifests:
        return files
    there = {shard.name: shard for shard in files}
    chosen = [shard for manifest in manifests for shard in _manifest_shards(manifest, channel, there)]
    if notes is not None:
        for shard in files:
            if shard not in chosen and shard not in manifests:
                notes.add(shard.name, "a file that the manifest does not name")
    return chosen


def _without_stray(files: list[Shard], notes: Notes) -> list[Shard]:
    """Those that are data, as far as names say."""
    recordio = any(shard.path.suffix == _RECORDIO for shard in files)
    chosen = []
    for shard in files:
        name, ending = shard.path.name.lower(), shard.path.suffix.lower()
        if recordio and ending in _BESIDE_RECORDIO:
            notes.add(shard.name, f"a file that belongs to one of RecordIO, by its ending {ending}")
        elif (
            name in _STRAY
            or ending in _STRAY_ENDINGS
            or (shard.path.stem.lower() in _PROSE and ending in _PROSE_ENDINGS)
        ):
            notes.add(shard.name, "a file that is no data, by its name")
        else:
            chosen.append(shard)
    return chosen


def _below(place: Path, channel: str, hidden: tuple[str, ...], notes: Notes | None) -> Iterator[Shard]:
    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise _unreadable(Path(error.filename), "folder", channel, error)

    def pass_over(path: Path, sentence: str) -> None:
        if notes is not None:
            notes.add(f"{channel}/{path.relative_to(place).as_posix()}", sentence)

    seen = set()
    for root, folders, files in os.walk(place, followlinks=True, onerror=unreadable):
        real = os.path.realpath(root)
        if real in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add(real)
        for name in sorted(folders):
            if name.startswith(hidden):
                pass_over(Path(root, name), "a folder whose name says that it is hidden")
        folders[:] = [name for name in folders if not name.startswith(hidden)]
        for name in files:
            path = Path(root, name)
            if name[0] in "._":
                pass_over(path, "a file whose name says that it is hidden")
            elif not _is_file(path, channel):
                pass_over(path, "a link that leads to no file, or a file of a special kind")
            elif size := path.stat().st_size:
                _check_readable(path, channel)
                yield Shard(f"{channel}/{path.relative_to(place).as_posix()}", path, size)
            else:
                pass_over(path, EMPTY)


def _is_file(path: Path, channel: str) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # in a folder that can be listed and not entered
        raise _unreadable(path.parent, "folder", channel, error) from None


def _check_readable(path: Path, channel: str) -> None:
    if not os.access(path, os.R_OK):
        raise _unreadable(path, "file", channel, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _unreadable(path: Path, noun: str, channel: str, error: OSError) -> PlatformError:
    """The error of what lies in a channel and would be missing from it."""
    return PlatformError(
        f"Channel '{channel}': {noun} {path} must be readable for user {os.geteuid()}; it is not ({error.strerror}), "
        "and its records would be missing. Let that user read it, as chmod -R a+rX does."
    )


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
        raise UserError(f"{manifest.name}: must be a manifest, a JSON array; {json_fault(error)}.") from None
    for entry in entries[1:]:
        shard = there.get(f"{channel}/{str(entry).lstrip('/')}")
        if shard is None:
            if os.path.lexists(manifest.path.parent / str(entry)):  # empty, or a name that is left out
                continue
            raise UserError(f"{manifest.name}: names {str(entry)[:300]!r}, and there is no such file in the channel.")
        yield shard
