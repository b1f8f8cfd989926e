"""What was said of which item, in its order: a line an answer, on the disk before the next item is shown.

Nothing is ever changed in it. What was taken back is a line, too; the last line about an item counts.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Container, KeysView
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import PlatformError, UserError

NAME = "labels.jsonl"
SOURCE = "source"  # of its first line: where the items come from, seen from its folder


@dataclass(frozen=True)
class Entry:
    """One answer: the number of a class, or the boxes with theirs."""

    value: Any
    time: float


class Ledger:
    """The file, open to this process alone."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        """Open it, or make it. `about`: what its answers mean, which cannot change: `UserError` where it has."""
        self.path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be opened: {error.strerror}.") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise UserError(f"{self.path}: another process writes to it; end that first.") from None
        self._said: list[tuple[str, Entry | None]] = []
        self._entries: dict[str, Entry] = {}
        try:
            self._read(about)
        except BaseException:
            self.close()
            raise

    def _read(self, about: dict[str, Any]) -> None:
        text = self.path.read_bytes()
        whole = text.rfind(b"\n") + 1
        lines = text[:whole].splitlines()
        if not lines and text and not self._line(about).startswith(text):
            raise UserError(f"{self.path}: was not written by this command; give another --output.")
        for number, line in enumerate(lines, 1):
            try:
                said = json.loads(line)
                if number == 1:
                    self._compare(said, about)
                else:
                    entry = None if said["value"] is None else Entry(said["value"], float(said["time"]))
                    self._note(str(said["item"]), entry)
            except (ValueError, KeyError, TypeError):
                raise UserError(f"{self.path}, line {number}: is no answer that this command has written.") from None
        if whole < len(text):  # the process was killed while it wrote
            os.ftruncate(self._file, whole)
        if not lines:
            self._append(about)

    def _compare(self, before: Any, about: dict[str, Any]) -> None:
        for name, value in about.items():
            was = before[name] if name in ("task", "classes") else before.get(name, value)
            if was != value:
                moved = " Where it is the same set at another place, write that into the first line." * (name == SOURCE)
                raise UserError(
                    f"{self.path}: was begun with {name} {json.dumps(was)}; it cannot go on with "
                    f"{json.dumps(value)}. Give another --output.{moved}"
                )

    def _note(self, key: str, entry: Entry | None) -> None:
        self._said.append((key, entry))
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry

    def _append(self, line: dict[str, Any]) -> None:
        """Write it whole, or nothing of it: a later line would go on where it broke off."""
        data, start = self._line(line), os.fstat(self._file).st_size
        try:
            if os.write(self._file, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, start)
            raise PlatformError(f"{self.path}: cannot be written: {error.strerror}.") from None

    @staticmethod
    def _line(line: dict[str, Any]) -> bytes:
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"

    def say(self, key: str, value: Any) -> None:
        """Write an answer, or with None that there is none; it lies on the disk when this returns."""
        now = time.time()
        self._append({"item": key, "value": value, "time": round(now, 3)})
        self._note(key, None if value is None else Entry(value, now))

    def get(self, key: str) -> Entry | None:
        """What counts for an item."""
        return self._entries.get(key)

    def last(self, items: Container[str]) -> str | None:
        """Of these items the one that the last answer that counts is about."""
        for key, entry in reversed(self._said):
            if entry is not None and self._entries.get(key) is entry and key in items:
                return key
        return None

    def keys(self) -> KeysView[str]:
        """The items that have an answer."""
        return self._entries.keys()

    def close(self) -> None:
        """Let others write."""
        os.close(self._file)
