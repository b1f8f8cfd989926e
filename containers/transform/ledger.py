"""Which objects of a transform are done, and how far the others are: a small database in the output's folder.

A transform that was killed resumes from it. What it says of an object is written after the bytes it speaks of, so that
it never promises more than there is; what is there beyond it is cut off and written again.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError

FOLDER = ".transform"  # in the output's folder; its name keeps it from being read as a result
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    name TEXT PRIMARY KEY, stamp TEXT NOT NULL, done INTEGER NOT NULL, position TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Position:
    """How far an object is: where its next request begins, and how long its files were before."""

    offset: int = 0  # bytes of the object, decompressed
    record: int = 1  # number of the next
    written: int = 0  # bytes of the output
    failures: int = 0  # records that were refused
    failed: int = 0  # bytes of the file that names them


class Ledger:
    """Of one output folder, which nobody else may write into meanwhile."""

    def __init__(self, output: Path) -> None:
        folder = output / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._file = open(folder / "lock", "wb")  # noqa: SIM115  (held as long as this is)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise UserError(f"{output}: another transform writes there now.") from None
        self._lock = threading.Lock()
        try:
            self._database = sqlite3.connect(folder / "ledger.sqlite", check_same_thread=False, isolation_level=None)
            # The rest of the write-ahead log may be lost with the power, which costs work and nothing else.
            self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_TABLES}")
        except sqlite3.DatabaseError as error:
            self._file.close()
            raise UserError(f"{folder / 'ledger.sqlite'}: cannot be read: {error}. Begin anew with --again.") from None

    def fact(self, name: str) -> Any:
        """A fact about all of the transform; None where there is none of that name."""
        with self._lock:
            row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def note_fact(self, name: str, value: Any) -> None:
        """Keep a fact."""
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def agree(self, output: Path, identity: Mapping[str, Any]) -> None:
        """Note what all results here depend on; `UserError` where there are some that depend on other things."""
        before = self.fact("identity")
        if before is not None and before != json.loads(json.dumps(identity)) and self._has_results():
            differs = sorted(name for name in {*before, *identity} if before.get(name) != identity.get(name))
            raise UserError(
                f"{output}: holds results of a transform that differs in {', '.join(differs)}; name another folder, or "
                "begin anew with --again."
            )
        self.note_fact("identity", identity)

    def _has_results(self) -> bool:
        with self._lock:
            return self._database.execute("SELECT 1 FROM objects LIMIT 1").fetchone() is not None

    def position(self, name: str, stamp: str) -> tuple[Position, bool]:
        """How far an object is, and whether it is done; the beginning where the object has changed since."""
        with self._lock:
            row = self._database.execute(
                "SELECT position, done FROM objects WHERE name = ? AND stamp = ?", (name, stamp)
            ).fetchone()
        return (Position(**json.loads(row[0])), bool(row[1])) if row else (Position(), False)

    def note(self, name: str, stamp: str, position: Position, *, done: bool = False) -> None:
        """Keep how far an object is."""
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)",
                (name, stamp, done, json.dumps(vars(position))),
            )

    def forget(self, name: str) -> None:
        """As if the object had never been begun."""
        with self._lock:
            self._database.execute("DELETE FROM objects WHERE name = ?", (name,))

    def close(self) -> None:
        """Let somebody else write there."""
        self._database.close()
        self._file.close()
