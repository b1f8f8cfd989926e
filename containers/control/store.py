"""The store: sqlite, a table a kind of thing that can be asked for, its request as JSON, and what happened as events.

Every change is one transaction that names the state which it changes, so that of two who want the same change one
gets it. Readers and the one writer do not wait for each other (WAL).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control.records import Attempt, Row

TRAINING, TUNING = "training", "tuning"
KINDS = (TRAINING, TUNING)
PENDING, STARTING, RUNNING = "Pending", "Starting", "InProgress"
COMPLETED, FAILED, STOPPED = "Completed", "Failed", "Stopped"
ENDED = (COMPLETED, FAILED, STOPPED)

_THINGS = """
CREATE TABLE IF NOT EXISTS {kind} (
    name TEXT PRIMARY KEY, request TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, stop TEXT,
    created REAL NOT NULL, started REAL, ended REAL, parent TEXT, number INTEGER,
    notes TEXT NOT NULL DEFAULT '{{}}', outcome TEXT NOT NULL DEFAULT '{{}}', UNIQUE (parent, number)
);
CREATE INDEX IF NOT EXISTS {kind}_unfinished ON {kind} (created) WHERE state NOT IN ('Completed', 'Failed', 'Stopped');
"""
_OTHERS = """
CREATE TABLE IF NOT EXISTS attempts (job TEXT, number INTEGER, facts TEXT NOT NULL, PRIMARY KEY (job, number));
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    what TEXT NOT NULL, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of ON events (kind, name);
"""
_JSON = ("request", "notes", "outcome")


class Store:
    """The store in a file, which is made where there is none."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._base.row_factory = sqlite3.Row
        self._base.execute("PRAGMA journal_mode = WAL")
        # What was committed survives the end of any process; of the machine's, all but the last moments.
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._base.executescript("".join(_THINGS.format(kind=kind) for kind in KINDS) + _OTHERS)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def submit(
        self,
        kind: str,
        name: str,
        request: Mapping[str, Any],
        *,
        state: str = PENDING,
        parent: str | None = None,
        number: int | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Ask for something; `UserError` where the name is in use, for names are for ever."""
        values = (name, json.dumps(request), state, time.time(), parent, number, json.dumps(notes or {}))
        try:
            with self._change() as base:
                base.execute(
                    f"INSERT INTO {_known(kind)} (name, request, state, created, parent, number, notes)"  # noqa: S608
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
                self._say(kind, name, state, "")
        except sqlite3.IntegrityError:
            raise UserError(f"There is a {kind} job of the name '{name}' already; a name is used once.") from None

    def change(self, kind: str, row: Row, state: str, message: str = "", **columns: Any) -> bool:
        """Bring something from the state of `row` into another; False where it is in that state no more."""
        values = {name: json.dumps(value) if name in _JSON else value for name, value in columns.items()}
        sets = ", ".join(f"{name} = ?" for name in ("state", *values))
        with self._change() as base:
            done = base.execute(
                f"UPDATE {_known(kind)} SET {sets} WHERE name = ? AND state = ? AND attempt = ?",  # noqa: S608
                (state, *values.values(), row.name, row.state, row.attempt),
            ).rowcount
            if done and (state != row.state or message):
                self._say(kind, row.name, state, message)
        return bool(done)

    def note(self, kind: str, name: str, notes: Mapping[str, Any]) -> None:
        """Replace what whoever asked for something has noted of it."""
        with self._change() as base:
            base.execute(f"UPDATE {_known(kind)} SET notes = ? WHERE name = ?", (json.dumps(notes), name))  # noqa: S608

    def ask_to_stop(self, kind: str, name: str, why: str) -> bool:
        """Ask for the end of something; False where it has ended, or was asked before."""
        with self._change() as base:
            done = base.execute(
                f"UPDATE {_known(kind)} SET stop = ? WHERE name = ? AND state NOT IN (?, ?, ?)"  # noqa: S608
                " AND (stop IS NULL OR stop = 'Interrupted' AND ? != 'Interrupted')",
                (why, name, *ENDED, why),
            ).rowcount
            if done:
                self._say(kind, name, "Stopping", why)
        return bool(done)

    def forget_interruption(self, name: str) -> None:
        """A job that starts again is interrupted no more; other reasons to stop it stay."""
        with self._change() as base:
            base.execute("UPDATE training SET stop = NULL WHERE name = ? AND stop = 'Interrupted'", (name,))

    def reopen(self, kind: str, name: str, request: Mapping[str, Any]) -> bool:
        """Let something that has ended go on, with another request; False where it has not ended."""
        with self._change() as base:
            done = base.execute(
                f"UPDATE {_known(kind)} SET request = ?, state = ?, stop = NULL, ended = NULL, notes = '{{}}',"  # noqa: S608
                " outcome = '{}' WHERE name = ? AND state IN (?, ?, ?)",
                (json.dumps(request), PENDING, name, *ENDED),
            ).rowcount
            if done:
                self._say(kind, name, PENDING, "reopened")
        return bool(done)

    def get(self, kind: str, name: str) -> Row | None:
        """What is known of something; None where nobody has asked for it."""
        return next(self._rows(kind, "WHERE name = ?", name), None)

    def unfinished(self, kind: str) -> list[Row]:
        """All that has not ended, in the order in which it was asked for."""
        condition = "WHERE state NOT IN ('Completed', 'Failed', 'Stopped') ORDER BY created, rowid"
        return list(self._rows(kind, condition))

    def all(self, kind: str) -> list[Row]:
        """Everything of a kind, in the order in which it was asked for."""
        return list(self._rows(kind, "ORDER BY created, rowid"))

    def children(self, kind: str, parent: str, without: Collection[int] = ()) -> list[Row]:
        """What was asked for on behalf of something else, by its numbers, without those that are known already."""
        marks = ", ".join("?" * len(without))
        condition = f"WHERE parent = ? AND number NOT IN ({marks}) ORDER BY number"
        return list(self._rows(kind, condition, parent, *without))

    def is_idle(self) -> bool:
        """Whether all has ended."""
        return not any(self.unfinished(kind) for kind in KINDS)

    def attempts(self, job: str) -> list[Attempt]:
        """The starts of a training job, in their order."""
        rows = self._base.execute("SELECT facts FROM attempts WHERE job = ? ORDER BY number", (job,))
        return [Attempt(**json.loads(each["facts"])) for each in rows]

    def set_attempt(self, job: str, attempt: Attempt) -> None:
        """Note what is known of a start."""
        with self._change() as base:
            base.execute(
                "INSERT OR REPLACE INTO attempts (job, number, facts) VALUES (?, ?, ?)",
                (job, attempt.number, json.dumps(vars(attempt))),
            )

    def events(self, kind: str, name: str) -> list[tuple[float, str, str]]:
        """Time, what happened, and a message, in their order."""
        asked = "SELECT time, what, message FROM events WHERE kind = ? AND name = ? ORDER BY id"
        return [tuple(each) for each in self._base.execute(asked, (kind, name))]

    def say(self, kind: str, name: str, what: str, message: str) -> None:
        """Note an event that changes no state."""
        with self._change():
            self._say(kind, name, what, message)

    def _say(self, kind: str, name: str, what: str, message: str) -> None:
        values = (time.time(), kind, name, what, message)
        self._base.execute("INSERT INTO events (time, kind, name, what, message) VALUES (?, ?, ?, ?, ?)", values)

    def _rows(self, kind: str, condition: str, *values: Any) -> Iterator[Row]:
        for each in self._base.execute(f"SELECT * FROM {_known(kind)} {condition}", values).fetchall():  # noqa: S608
            columns = dict(each)
            yield Row(**columns | {name: json.loads(columns[name]) for name in _JSON})

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction; the lock is taken at its beginning, so that it cannot fail for a reader that became one."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield self._base
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def _known(kind: str) -> str:
    """The table of a kind; what is put into a statement is one of two words."""
    if kind not in KINDS:
        raise KeyError(kind)
    return kind
