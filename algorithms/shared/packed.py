"""The files of an original image's artifact that is a zip: read whole and within bounds, whoever made it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.explanations import unpacking_fault
from algoport.algorithms.shared.model_folder import open_file

# Bytes that an entry may have once it is unpacked, of numbers and of JSON, and how many times what it has when packed.
MOST_NUMBERS, MOST_JSON, MOST_RATIO = 1 << 32, 1 << 24, 1000


def unpacked(path: Path, needed: str, texts: Sequence[str]) -> tuple[bytes, dict[str, Any]]:
    """The bytes of the entry that there must be, and what the JSON entries say: {} where one is not there.

    `UserError` where the file is no zip, lacks the entry, or has one that is larger than it may be.
    """
    try:
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            entries = _entries(archive, path.name)
            if needed not in entries:
                raise UserError(f"{path.name}: has no entry '{needed}'.")
            numbers = _unpack(archive, entries[needed], MOST_NUMBERS, path.name)
            return numbers, {
                name: _json(_unpack(archive, entries[name], MOST_JSON, path.name), name, path.name)
                if name in entries
                else {}
                for name in texts
            }
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError, ValueError) as error:
        raise UserError(f"{path.name}: cannot be read as a zip: {unpacking_fault(error)}.") from None


def facts_in(document: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every plain value of nested objects with its name in lower case, however deep, within reason."""
    if isinstance(document, dict) and depth < 8:
        for name, value in document.items():
            if isinstance(value, dict | list):
                yield from facts_in(value, depth + 1)
            else:
                yield str(name).lower(), value
    elif isinstance(document, list) and depth < 8:
        for value in document:
            yield from facts_in(value, depth + 1)


def _entries(archive: zipfile.ZipFile, file: str) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, each of which there must be once."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        if entry.filename in entries:
            raise UserError(f"{file}: has the entry '{entry.filename[:80]}' twice.")
        entries[entry.filename] = entry
    return entries


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int, file: str) -> bytes:
    """The bytes of an entry; what its header says of their number is not believed beyond the bounds."""
    name = entry.filename
    most = min(most, max(1 << 20, MOST_RATIO * entry.compress_size))
    if entry.file_size > most:
        raise UserError(f"{file}: the entry '{name}' would be {entry.file_size} bytes, where at most {most} are read.")
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    if len(data) > entry.file_size:
        raise UserError(f"{file}: the entry '{name}' is longer than it says.")
    return data


def _json(text: bytes, name: str, file: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{file}: the entry '{name}' is not JSON.") from None
