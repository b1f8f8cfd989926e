"""The files of one object: written beside their places, and moved there when they are complete."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from algoport.containers.transform.inputs import Item
from algoport.containers.transform.ledger import Ledger, Position

ENDING, ERRORS = ".out", ".errors.jsonl"
PAUSE = 2.0  # seconds between two notes of how far an object is


@dataclass(frozen=True)
class Failure:
    """A record that has no answer, and why."""

    record: int
    message: str
    status: int | None = None  # of the answer that refused it
    by_container: bool = True

    def entry(self, item: Item, unit: str) -> bytes:
        """Its line in the file of failures."""
        facts = {"object": item.name, unit: self.record, "status": self.status, "message": self.message}
        return json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    def sentence(self, item: Item, unit: str) -> str:
        """Where, and what was said of it."""
        who = f"the container refuses it ({self.status}): " if self.by_container else ""
        return f"{item.name}, {unit} {self.record}: {who}{self.message.rstrip('.')}."


class Output:
    """What becomes of one object."""

    def __init__(self, item: Item, folder: Path, ledger: Ledger, unit: str) -> None:
        self.item, self.unit = item, unit
        self._ledger, self._stamp = ledger, item.stamp
        self.path = folder / f"{item.name}{ENDING}"
        self.errors = folder / f"{item.name}{ERRORS}"
        self.part = self.path.with_name(f".{self.path.name}.part")
        self._failed_part = self.errors.with_name(f".{self.errors.name}.part")
        self.position, self.is_done = ledger.position(item.name, self._stamp)
        self.is_done = self.is_done and _size(self.path) == self.position.written
        if not self.is_done and (_size(self.part) or 0) < self.position.written:
            self.position = Position()  # somebody has removed it
        if not self.is_done and (_size(self._failed_part) or 0) < self.position.failed:
            self.position = Position()
        self.failure: str | None = None  # why the object has no output
        self._file: BinaryIO | None = None
        self._failures: BinaryIO | None = None
        self._noted = time.monotonic()

    def add(self, result: bytes, failures: Sequence[Failure], *, offset: int, record: int) -> None:
        """The answer to the records before `record`, which end at `offset`."""
        file = self._open()
        file.write(result)
        entries = b"".join(failure.entry(self.item, self.unit) for failure in failures)
        if entries:
            self._failures = self._failures or _continued(self._failed_part, self.position.failed)
            self._failures.write(entries)
        before = self.position
        self.position = replace(
            before,
            offset=offset,
            record=record,
            written=before.written + len(result),
            failures=before.failures + len(failures),
            failed=before.failed + len(entries),
        )
        if time.monotonic() > self._noted + PAUSE:
            self.save()

    def save(self) -> None:
        """Note how far it is, so that it can be resumed from here."""
        self._flush()
        if self._file is not None:
            self._ledger.note(self.item.name, self._stamp, self.position)
        self._noted = time.monotonic()

    def finish(self) -> None:
        """Move the files to their places."""
        self._open()
        self._flush()
        self._close()
        if self.position.failed:
            os.replace(self._failed_part, self.errors)
        else:
            self.errors.unlink(missing_ok=True)  # of an earlier transform of an object that has changed
            self._failed_part.unlink(missing_ok=True)
        os.replace(self.part, self.path)
        _sync_folder(self.path.parent)
        self._ledger.note(self.item.name, self._stamp, self.position, done=True)

    def refuse(self, failures: Sequence[Failure]) -> None:
        """The object as a whole has no answer: it has no output, and a file that says why."""
        self.fail(failures[0].sentence(self.item, self.unit), resumable=False)
        self.errors.parent.mkdir(parents=True, exist_ok=True)
        self._failed_part.write_bytes(b"".join(failure.entry(self.item, self.unit) for failure in failures))
        os.replace(self._failed_part, self.errors)

    def streamed(self, size: int) -> None:
        """Its output was written into `part` by somebody else, whole."""
        self.position = replace(self.position, offset=self.item.size, record=2, written=size)

    def fail(self, sentence: str, *, resumable: bool) -> None:
        """There is no output; where it can be tried again, what was written so far is kept beside for that."""
        self.failure = sentence
        if resumable:
            self.save()
        self._close()
        if not resumable:
            self.part.unlink(missing_ok=True)
            self._failed_part.unlink(missing_ok=True)
            self._ledger.forget(self.item.name)

    def leave(self) -> None:
        """Nobody goes on with it now; it can be resumed."""
        self.save()
        self._close()

    def _open(self) -> BinaryIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _continued(self.part, self.position.written)
        return self._file

    def _flush(self) -> None:
        for file in (self._failures, self._file):
            if file is not None:
                file.flush()
                os.fsync(file.fileno())

    def _close(self) -> None:
        for file in (self._failures, self._file):
            if file is not None:
                file.close()
        self._file = self._failures = None


def _continued(path: Path, size: int) -> BinaryIO:
    """The file, from its first so many bytes on; what lies behind them is cut off."""
    file = open(path, "r+b" if size else "w+b")  # noqa: SIM115  (its reader closes it)
    file.truncate(size)
    file.seek(size)
    return file


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
