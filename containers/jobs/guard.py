"""Runs the command of one host of a local job: passes signals on, keeps it within its memory, writes its exit code.

So that a job outlives who started it, and can be found again with all that is to know. A program of its own, started
by its path, that imports only the standard library: `guard.py END MEMORY COMMAND…`. END is the file that gets the
exit code; MEMORY is how many bytes the processes may have together, 0 for no limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

LOOK = 0.2  # seconds between two looks at how much memory there is in use
BOTH = (signal.SIGTERM, signal.SIGINT)


def main(end: str, memory: str, *command: str) -> int:
    """Run the command to its end. Signals are blocked when this begins, so that none is lost before it can be passed
    on."""
    child = subprocess.Popen(command, preexec_fn=_unblock)  # noqa: PLW1509, S603 (there are no threads, and no shell)

    def pass_on(number: int, frame: FrameType | None) -> None:
        child.send_signal(signal.SIGTERM)

    for number in BOTH:
        signal.signal(number, pass_on)
    _unblock()
    code = _within(child, int(memory)) if int(memory) else child.wait()
    code = code if code >= 0 else 128 - code
    _write(Path(end), {"code": code, "time": time.time()})
    return code


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BOTH)


def _within(child: subprocess.Popen[bytes], memory: int) -> int:
    """The exit code; what has most is killed where all together have too much, as the kernel does in a container."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(LOOK)
        sizes = dict(_sizes())
        if sum(sizes.values()) > memory:
            sizes.pop(os.getpid(), None)
            # The parent of a job is small, and reports what became of its children.
            with contextlib.suppress(ProcessLookupError):
                os.kill(max(sizes, key=lambda number: sizes[number], default=child.pid), signal.SIGKILL)


def _sizes() -> Iterator[tuple[int, int]]:
    """Number and resident bytes of each process of this session."""
    session, page = os.getsid(0), os.sysconf("SC_PAGE_SIZE")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            if os.getsid(int(entry)) == session:
                yield int(entry), int(Path(f"/proc/{entry}/statm").read_text().split()[1]) * page


def _write(path: Path, value: dict[str, float]) -> None:
    with contextlib.suppress(OSError):  # the folder may be gone
        beside = path.with_name(f".{path.name}")
        beside.write_text(json.dumps(value))
        os.replace(beside, path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
