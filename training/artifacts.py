"""The model of a job: written so that half of one never stands, and read as the start of incremental training."""

from __future__ import annotations

import lzma
import os
import re
import secrets
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any, Self

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.algorithms.contract.explanations import unpacking_fault
from algoport.algorithms.shared import artifact
from algoport.training import log

MOST_FILES = 10_000  # in an archive
LONGEST = 1 << 16  # bytes of a name, or of what else a header says in bytes that follow it
_NUMBER = re.compile(r"-\d+$")  # of one of several parts
_ARCHIVES = (".tar.gz", ".tgz", ".tar")


def write(model: Any, folder: Path) -> None:
    """Save a model into a folder, which may be a mount point: first beside its files, then moved among them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".writing-*"):  # by a job that was killed
            shutil.rmtree(left, ignore_errors=True)
        beside = folder / f".writing-{secrets.token_hex(4)}"
        try:
            beside.mkdir()
            model.save(beside)
            _move(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise PlatformError(f"{folder}: the model cannot be written: {error.strerror or error}.") from error


def _move(beside: Path, folder: Path) -> None:
    """All files, and last the one that says that all is there; folders of the same name are replaced."""
    (folder / artifact.UNFINISHED).touch()
    # What is there belongs to an earlier model, and does not go with files of this one.
    (folder / artifact.FACTS).unlink(missing_ok=True)
    for path in _old_parts(folder, [path.name for path in beside.iterdir()]):
        path.unlink()
    for path in sorted(beside.iterdir(), key=lambda path: (path.name == artifact.FACTS, path.name)):
        target = folder / path.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        os.replace(path, target)
    (folder / artifact.UNFINISHED).unlink()


def _old_parts(folder: Path, names: Collection[str]) -> list[Path]:
    """Files of an earlier model that had one part or several, where this one has another number of them."""
    stems = {_NUMBER.sub("", name) for name in names}
    there = [path for path in folder.iterdir() if path.is_file() and path.name not in names]
    return [path for path in there if _NUMBER.sub("", path.name) in stems]


def start(place: Path, load: Any) -> Any:
    """The model that lies in a channel as an archive or as extracted files; None where nothing does."""
    archive = _archive(place)
    if archive is None:
        if not place.is_dir() or not any(place.iterdir()):
            return None
        artifact.check_finished(place)
        return load(place)
    with tempfile.TemporaryDirectory(prefix="algoport-model-") as folder:
        extract(archive, Path(folder))
        log.note(f"Incremental training from the model in {archive.name}.")
        inner = _inner(Path(folder))
        artifact.check_finished(inner)
        return load(inner)


def _archive(place: Path) -> Path | None:
    if place.is_file():
        return place
    if not place.is_dir() or artifact.exists(place):
        return None
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name[0] not in "._")
    return next((path for path in files if path.name.endswith(_ARCHIVES)), None)


class _Entry(tarfile.TarInfo):
    """A header. One that says of a name that it is longer than any is refused before the name is read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type not in (*tarfile.SUPPORTED_TYPES, b"x", b"g", b"X") or entry.isreg() or entry.size <= LONGEST:
            return entry
        raise UserError(f"An archive must have names of at most {LONGEST:,} bytes; one has {entry.size:,}.")


def extract(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, where every entry is a plain file or folder below this one and all fit the disk."""
    room = int(shutil.disk_usage(folder).free * 0.9)
    try:
        with tarfile.open(archive, tarinfo=_Entry) as tar:
            for number, entry in enumerate(tar, 1):
                if number > MOST_FILES:
                    raise UserError(f"{archive.name}: must hold at most {MOST_FILES:,} files and folders.")
                if entry.isdir():
                    continue
                room -= entry.size
                _check(archive, entry, room)
                target = folder / entry.name
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(entry)
                assert source is not None
                with source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{archive.name}: cannot be unpacked as a tar archive: {unpacking_fault(error)}.") from error


def _check(archive: Path, entry: tarfile.TarInfo, room: int) -> None:
    path = PurePosixPath(entry.name)
    if not entry.isfile():
        raise UserError(f"{archive.name}: must hold plain files only; '{entry.name}' is a link or a device.")
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"{archive.name}: must hold files below its own folder only; it holds '{entry.name}'.")
    if room < 0:
        raise UserError(f"{archive.name}: unpacks to more than the space that is left in {tempfile.gettempdir()}.")


def _inner(folder: Path) -> Path:
    """The folder itself, or the only one in it where an archive was made around it."""
    entries = [path for path in folder.iterdir() if path.name[0] not in "._"]
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder
