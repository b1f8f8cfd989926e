"""A program that runs as itself below this process: its lines go on at once, signals reach it, its end is told.

Run by its path, `running.py NOTES COMMAND…`, it is one of the processes that torchrun starts on a host. All of them
write to one log, and those that are ended because another has failed may say so last; each therefore notes its own end.
It imports only the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import IO

TAIL = 1 << 16  # bytes of standard error that are remembered
FAILED, WELL = ".failed", ".well"  # endings of the notes of processes
# What torchrun says after the traceback of a process that it has started.
_ELASTIC = re.compile(rb"^[EWI]\d{4} [^\n]*torch/distributed/elastic/", re.MULTILINE)


@dataclass(frozen=True)
class End:
    """How a program has ended."""

    code: int  # of the exit; 128 and the signal's number where a signal ended it
    words: str  # the last that it wrote to standard error
    stopped: bool  # whether it was asked to end before
    time: float  # of its end


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, grouped: bool = False) -> End:
    """Run it to its end. SIGTERM and SIGINT, which this process gets, are passed on as SIGTERM; not where all of its
    group get them (`grouped`)."""
    asked: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if child is not None and not grouped:
            child.send_signal(signal.SIGTERM)

    both = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in both}
    try:
        child = subprocess.Popen(  # noqa: S603  (a list; a shell only where the program is for one)
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if asked:  # before there was anybody to tell
            child.send_signal(signal.SIGTERM)
        tail = _Tail(child.stderr)
        ended = _wait(child.pid)
        stopped = bool(asked)  # what comes from here on has not ended it
        code, words = child.wait(), tail.words()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return End(code if code >= 0 else 128 - code, words, stopped, ended)


def _wait(process: int) -> float:
    """When it ended; it is still there as a zombie, so that what ends because it has gone ends later."""
    with contextlib.suppress(ChildProcessError):  # a handler of signals has already waited for it
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    return time.time()


class _Tail:
    """Passes standard error on and remembers its end, in a thread: the program may leave children that keep it open."""

    PATIENCE = 2.0  # seconds that such children are waited for

    def __init__(self, stream: IO[bytes] | None) -> None:
        assert stream is not None
        self._stream, self._end = stream, b""
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def _pass_on(self) -> None:
        while piece := os.read(self._stream.fileno(), 1 << 16):
            self._end = (self._end + piece)[-TAIL:]
            try:
                sys.stderr.buffer.write(piece)
                sys.stderr.buffer.flush()
            except OSError:  # nobody listens any more, which is no reason to stop the program
                continue

    def words(self) -> str:
        """What it wrote last, without what torchrun adds."""
        self._thread.join(self.PATIENCE)
        end = self._end
        extra = _ELASTIC.search(end)
        end = end[: extra.start()] if extra and end[: extra.start()].strip() else end
        return end.decode(errors="backslashreplace").strip()


def noted(notes: Path, processes: int, launcher: End) -> End:
    """How processes of torchrun have ended: as the one that failed first; where none has, and they were asked to end,
    well if all of them have."""
    failed = [End(**json.loads(path.read_text())) for path in notes.glob(f"*{FAILED}")]
    if failed:
        return min(failed, key=lambda end: end.time)
    if not launcher.stopped:
        return launcher
    well = len(list(notes.glob(f"*{WELL}"))) == processes
    return End(0 if well else 128 + signal.SIGTERM, launcher.words, True, launcher.time)


def main(notes: str, *command: str) -> int:
    """Run the command, and note its end; its exit code."""
    end = run(command, Path.cwd(), os.environ, grouped=True)  # torchrun's signals go to groups
    note = Path(notes) / str(os.getpid())
    with contextlib.suppress(OSError):  # the disk is full
        if end.code == 0:
            note.with_suffix(WELL).touch()
        elif not end.stopped:  # else it was ended because another has failed
            note.write_text(json.dumps(asdict(end)))
            note.rename(note.with_suffix(FAILED))
    return end.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
