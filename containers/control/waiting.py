"""What somebody sees who waits for a job of the store: its log, through all its attempts, to its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from algoport.containers.control import process
from algoport.containers.control.home import Home
from algoport.containers.control.records import Request, Row, label
from algoport.containers.control.store import ENDED, TRAINING, Store
from algoport.containers.jobs import folder as folders

PAUSE = 0.1  # seconds between two looks
CARE = 1.0  # seconds between two looks after the control process


class Care:
    """Sees that there is a control process while somebody waits."""

    def __init__(self, home: Home) -> None:
        self._home, self._next = home, 0.0

    def see(self) -> None:
        """Call it in every turn of waiting."""
        now = time.monotonic()
        if now >= self._next:
            process.ensure(self._home)
            self._next = now + CARE


def ended(store: Store, home: Home, kind: str, name: str) -> Row:
    """Wait for the end of something that is in the store."""
    care = Care(home)
    while True:
        row = store.get(kind, name)
        assert row is not None
        if row.state in ENDED:
            return row
        care.see()
        time.sleep(PAUSE)


def lines(store: Store, home: Home, name: str, host: str = "algo-1", *, follow: bool) -> Iterator[str]:
    """The log of a host, of all attempts after each other; to the job's end, or what there is now."""
    row = store.get(TRAINING, name)
    assert row is not None
    folder, care, number = Request.from_json(row.request).description.folder.absolute(), Care(home), 1
    with contextlib.ExitStack() as files:
        log: BinaryIO | None = None
        rest = b""
        while True:
            over = row.state in ENDED or not follow
            if log is None and (path := _path(folder, label(name, number), number, host)) is not None:
                log = files.enter_context(open(path, "rb"))
            # The number of attempts was looked at before: once there is another, this one's log is whole.
            *whole, rest = (rest + (log.read() if log is not None else b"")).split(b"\n")
            yield from (line.decode(errors="backslashreplace") for line in whole)
            if number < row.attempt:
                number, log = number + 1, None
                continue
            if over:
                break
            care.see()
            time.sleep(PAUSE)
            row = store.get(TRAINING, name) or row
    if rest:
        yield rest.decode(errors="backslashreplace")


def _path(folder: Path, attempt: str, number: int, host: str) -> Path | None:
    """The log of an attempt: in the job's folder, or put aside when the next one began."""
    for place in (folder / "run", folder / "attempts" / str(number)):
        noted = folders.read(place / "job.json") or {}
        if noted.get("description", {}).get("name") == attempt and (place / f"{host}.log").exists():
            return place / f"{host}.log"
    return None
