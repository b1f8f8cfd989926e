"""A program below the process that notes its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from algoport.containers.scripts import running

LEAVES = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(2)"])  # keeps the standard error open
with open("new", "w") as file:
    file.write(str(os.getpid()))
os.rename("new", "note")
sys.exit(3)
"""


def _when_gone(note: Path, then: Callable[[], None]) -> threading.Thread:
    """Does something as soon as the process is gone whose number stands in the note."""

    def watch() -> None:
        while not note.exists():
            time.sleep(0.001)
        process = Path("/proc", note.read_text())
        while process.exists():
            time.sleep(0.001)
        then()

    watcher = threading.Thread(target=watch)
    watcher.start()
    return watcher


def test_who_is_asked_to_end_after_the_program_has_failed_notes_a_failure(tmp_path: Path) -> None:
    watcher = _when_gone(tmp_path / "note", lambda: os.kill(os.getpid(), signal.SIGTERM))

    end = running.run([sys.executable, "-c", LEAVES], tmp_path, os.environ, grouped=True)
    watcher.join()

    assert end.code == 3 and not end.stopped


def test_what_sees_the_program_gone_sees_it_after_the_time_that_is_noted(tmp_path: Path) -> None:
    seen: list[float] = []
    watcher = _when_gone(tmp_path / "note", lambda: seen.append(time.time()))

    end = running.run([sys.executable, "-c", LEAVES], tmp_path, os.environ)
    watcher.join()

    assert end.time <= seen[0]
