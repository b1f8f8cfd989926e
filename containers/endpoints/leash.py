"""Runs a server for as long as who started it lives: `leash.py COMMAND…`, with a pipe as its standard input.

The pipe ends when its other end is closed, also where the program there was killed. Then the server is asked to end,
and killed when it does not: a program that is gone leaves no server behind. A program of its own, started by its path,
that imports only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE = 15  # seconds between SIGTERM and SIGKILL; servers give running requests less


def main(*command: str) -> int:
    """Run the command until it ends or nobody holds the pipe any more; its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  (a list, no shell)
    signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(signal.SIGTERM))
    threading.Thread(target=_end_with_pipe, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_pipe(child: subprocess.Popen[bytes]) -> None:
    """Wait for the end of standard input, then end the child."""
    while os.read(0, 1024):
        pass
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
