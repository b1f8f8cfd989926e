"""The control process: one for each store, begun by the command that needs it, gone when there is nothing left to do.

It may be killed at any moment. Whoever waits for something calls `ensure` from time to time, which starts another.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from algoport.containers.control.controller import Jobs
from algoport.containers.control.home import VARIABLE, Home
from algoport.containers.control.scheduler import Machine
from algoport.containers.control.store import Store
from algoport.containers.tuning.controller import Tunings

PAUSE = 0.05  # seconds between two looks at everything
IDLE = 3.0  # seconds without work after which it ends
_log = logging.getLogger("algoport.control")


def ensure(home: Home) -> None:
    """Start the control process, unless there is one. It outlives the caller."""
    with _locked(home) as mine:
        if not mine:
            return
    with open(home.log, "ab") as log:
        subprocess.Popen(
            # -P: the current folder is the user's, and may hold another `algoport`.
            [sys.executable, "-P", "-m", "algoport.containers.control"],
            env={**os.environ, VARIABLE: str(home.folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )


def main(home: Home | None = None) -> int:
    """Be the control process until all has ended, or SIGTERM comes; jobs that run then go on, and are adopted later."""
    home = home or Home.from_environment()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    leaving = _Leaving()
    store = Store(home.store)
    while not leaving.asked:
        with _locked(home) as mine:
            if not mine:
                break
            _work(home, store, leaving)
        # Who has asked for something while the lock was held has not started another: it is looked at once more.
        if store.is_idle():
            break
    store.close()
    return 0


class _Leaving:
    """Whether this process was asked to end."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def _work(home: Home, store: Store, leaving: _Leaving) -> None:
    """Do all there is to do."""
    _log.info("control process %d begins, for %s", os.getpid(), home.folder)
    jobs = Jobs(store, Machine.here())
    tunings = Tunings(store, jobs)
    last = time.monotonic()
    while not leaving.asked:
        # Tuning jobs come first: what they submit starts in the same turn.
        changed = any([tunings.step(), jobs.step()])
        now = time.monotonic()
        if not store.is_idle():
            last = now
        elif now > last + IDLE:
            break
        if not changed:
            time.sleep(PAUSE)
    _log.info("control process %d ends", os.getpid())


@contextmanager
def _locked(home: Home) -> Iterator[bool]:
    """Hold the lock, if nobody else does; it falls with the process."""
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
