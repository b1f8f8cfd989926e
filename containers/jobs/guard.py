"""Runs the command of one host of a local job: passes signals on, keeps it within its memory, writes its exit code.

So that a job outlives who started it, and can be found again with all that is to know. A program of its own, started
by its path, that imports only the standard library: `guard.py END MEMORY GATE COMMAND…`. END is the file that gets the
exit code and what was used; MEMORY is how many bytes the processes may have together, 0 for no limit. GATE is the
number of an open pipe: the command runs once a byte has come through it, and not at all where the pipe ends without.
Who starts a job notes the guards first and lets them go then, all at once, so that it may be killed at any moment: no
command runs that nobody knows of. What the command leaves running ends with it, as it would in a container.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

LOOK = 0.2  # seconds between two looks at how much memory there is in use
BOTH = (signal.SIGTERM, signal.SIGINT)
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): processes whose parent has ended become this one's
# Seconds in which what is left may end by itself, as helpers do that clean up; and then after SIGTERM.
LEAVE = 1.0


def main(end: str, memory: str, gate: str, *command: str) -> int:
    """Run the command to its end. Signals are blocked when this begins, so that none is lost before it can be passed
    on."""
    if not os.read(int(gate), 1):
        return 0
    os.close(int(gate))
    _write(Path(end).with_suffix(".start"), {"time": time.time()})
    with contextlib.suppress(OSError, AttributeError):  # where there is no such call
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command, preexec_fn=_unblock)  # noqa: PLW1509, S603 (there are no threads, and no shell)

    def pass_on(number: int, frame: FrameType | None) -> None:
        child.send_signal(signal.SIGTERM)

    for number in BOTH:
        signal.signal(number, pass_on)
    _unblock()
    code = _within(child, int(memory)) if int(memory) else child.wait()
    code, ended = code if code >= 0 else 128 - code, time.time()
    _end_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    spent = {"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * unit}
    _write(Path(end), {"code": code, "time": ended, **spent})
    return code


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BOTH)


def _end_rest() -> None:
    """Wait a moment for processes that the command has left, then end them; their use counts as the command's."""
    begin = time.monotonic()
    while rest := descendants(os.getpid()):
        waited = time.monotonic() - begin
        if waited > LEAVE:
            for number in rest:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, signal.SIGTERM if waited < 2 * LEAVE else signal.SIGKILL)
        if waited > 10 * LEAVE:  # in the kernel, or another user's
            break
        _reap()
        time.sleep(0.01)
    _reap()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _within(child: subprocess.Popen[bytes], memory: int) -> int:
    """The exit code; what has most is killed where all together have too much, as the kernel does in a container."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(LOOK)
        sizes = {number: _size(number) for number in descendants(os.getpid())}
        if sum(sizes.values()) > memory:
            # The parent of a job is small, and reports what became of its children.
            with contextlib.suppress(ProcessLookupError):
                os.kill(max(sizes, key=lambda number: sizes[number], default=child.pid), signal.SIGKILL)


def descendants(root: int) -> list[int]:
    """The processes that one has started, and those have, whatever their session; none where there is no /proc."""
    children = defaultdict[int, list[int]](list)
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name, in parentheses, may hold anything; state and parent follow it.
                state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    children[int(parent)].append(int(entry))
    made, waiting = list[int](), [root]
    while waiting:
        below = children[waiting.pop()]
        made += below
        waiting += below
    return made


def _size(number: int) -> int:
    """Resident bytes of a process; 0 where it has ended."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{number}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _write(path: Path, value: dict[str, float]) -> None:
    with contextlib.suppress(OSError):  # the folder may be gone
        beside = path.with_name(f".{path.name}")
        beside.write_text(json.dumps(value))
        os.replace(beside, path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
