"""Runs a server for as long as who started it lives: `leash.py FOLDER COMMAND…`, with a pipe as its standard input.

The pipe ends when its other end is closed, also where the program there was killed. Then the server is asked to end,
and killed when it does not, and the folder that was made for it is removed, where one was: a program that is gone
leaves neither behind. A program of its own, started by its path,
that imports only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading

GRACE = 15  # seconds between SIGTERM and SIGKILL; servers give running requests less


def main(folder: str, *command: str) -> int:
    """Run the command until it ends or nobody holds the pipe any more; its exit code."""
    alone = threading.Event()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  (a list, no shell)
    signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(signal.SIGTERM))
    threading.Thread(target=_end_with_pipe, args=(child, alone), daemon=True).start()
    code = child.wait()
    if folder and alone.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _end_with_pipe(child: subprocess.Popen[bytes], alone: threading.Event) -> None:
    """Wait for the end of standard input, then end the child."""
    while os.read(0, 1024):
        pass
    alone.set()
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
