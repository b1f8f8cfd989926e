"""What is to be labeled: the pictures of a folder, or the lines of a text or manifest."""

from __future__ import annotations

import hashlib
import json
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.vision.signature import is_picture

TASKS = ("classify", "boxes", "text")
ENDINGS = (".jpg", ".jpeg", ".png")
MOST = 1_000_000  # items of a task
MOST_BYTES = 64 << 20  # of a picture or a manifest's line
_START = 16  # bytes by which a picture is known


@dataclass(frozen=True)
class Item:
    """One of them. Its key is what the ledger calls it: a picture's path, or what tells a text from all others, so that
    no answer passes to another text when lines are put in."""

    key: str
    line: Mapping[str, Any]  # what stands in the manifest: `source` or `source-ref`, and whatever else stood there
    picture: Path | None = None
    number: int = 0  # of its line in the file

    @property
    def name(self) -> str:
        """What people call it."""
        return self.key if self.picture is not None else f"line {self.number}"

    @property
    def text(self) -> str:
        """What is shown of one that is no picture."""
        return str(self.line.get("source", ""))


def read(source: Path, task: str) -> list[Item]:
    """All items in their order; `UserError` names the one that is not as it should be."""
    if task not in TASKS:
        raise UserError(f"--task: must be {', '.join(TASKS[:-1])} or {TASKS[-1]}; it is {task!r}.")
    if not source.exists():
        raise UserError(f"{source}: there is nothing here.")
    if not source.is_dir() and not source.is_file():
        raise UserError(f"{source}: must be a folder or a file; it is a device or a pipe.")
    if source.is_dir():
        items = list(_of_folder(source, task))
    else:
        items = list(_of_lines(source, task))
    if not items:
        what = "texts" if task == "text" else f"pictures ({', '.join(ENDINGS)})"
        raise UserError(f"{source}: holds no {what}.")
    if len(items) > MOST:
        raise UserError(f"{source}: must hold at most {MOST:,} items; it holds {len(items):,}.")
    keys: set[str] = set()
    for item in items:
        if item.key in keys:
            raise UserError(f"{source}: {item.key} stands there twice.")
        keys.add(item.key)
    return items


def _of_folder(folder: Path, task: str) -> Iterator[Item]:
    if task == "text":
        raise UserError(f"{folder}: texts come from a file with one a line, or a manifest; this is a folder.")
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.suffix.lower() in ENDINGS and path.is_file() and not any(part[0] in "._" for part in inner.parts):
            key = checked_name(inner.as_posix(), f"{folder}: the name of a picture")
            yield Item(key, {"source-ref": str(path.absolute())}, checked_picture(path, str(path)))


def _of_lines(file: Path, task: str) -> Iterator[Item]:
    if file.stat().st_size > MOST * 1000:
        raise UserError(f"{file}: must have at most {MOST * 1000:,} bytes; it has {file.stat().st_size:,}.")
    try:
        lines = file.read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: must be text in UTF-8; byte {error.start} begins no letter.") from None
    again = Counter[str]()
    plain = file.suffix.lower() == ".txt"
    for number, text in enumerate(lines, 1):
        where = f"{file}, line {number}"
        if not text.strip():
            continue
        line = {"source": text.rstrip("\r")} if plain else _object(text, where)
        if task == "text":
            said = line.get("source")
            if not isinstance(said, str):
                raise UserError(f"{where}: must have the text as `source`.")
            if "\0" in said or not _is_unicode(said):
                raise UserError(f"{where}: must be text; it has a zero character, or half of a surrogate pair.")
            digest = hashlib.sha256(said.encode()).hexdigest()[:20]
            again[digest] += 1  # the same text may stand there several times
            yield Item(f"{digest}-{again[digest]}", line, number=number)
            continue
        place = line.get("source-ref")
        if not isinstance(place, str):
            raise UserError(f"{where}: must have the place of a picture as `source-ref`.")
        if "://" in place and not place.startswith("file://"):
            raise UserError(f"{where}: the picture must lie on this machine; it is {place}.")
        path = file.absolute().parent / place.removeprefix("file://")
        yield Item(checked_name(place, f"{where}: `source-ref`"), line, checked_picture(path, where), number)


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        raise UserError(f"{where}: must be an object of JSON; it is {text[:60]!r}.")
    return line


def checked_name(name: str, what: str) -> str:
    """The name, if files of every form can hold it."""
    if not _is_unicode(name) or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise UserError(f"{what}: must be UTF-8 without control characters; it is {name[:200]!r}.")
    return name


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a pair, as names in another encoding have, and JSON can write."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def checked_picture(path: Path, where: str) -> Path:
    """The path, if there is a picture that can be shown."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UserError(f"{where}: {path} must be a file with a picture.")
        size = about.st_size
        with open(path, "rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise UserError(f"{where}: {path} cannot be read: {error.strerror}.") from None
    if not is_picture(start) or media(start) is None:
        raise UserError(f"{where}: {path} is neither JPEG nor PNG by its first bytes.")
    if size > MOST_BYTES:
        raise UserError(f"{where}: {path} must have at most {MOST_BYTES:,} bytes; it has {size:,}.")
    return path


def media(start: bytes) -> str | None:
    """The content type of a picture that a browser shows."""
    if start.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/png" if start.startswith(b"\x89PNG\r\n\x1a\n") else None
