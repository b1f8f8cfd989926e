"""What a script has failed with, as the platform shows it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from algoport.containers.scripts.running import End
from algoport.training import failure


def write(path: Path, end: End, command: Sequence[str]) -> None:
    """Leave the failure file, of the time of the failure: by that it is known which host has failed first."""
    failure.write(path, text(end, command))
    with contextlib.suppress(OSError):
        os.utime(path, (end.time, end.time))


def text(end: End, command: Sequence[str]) -> str:
    """Its exit code, the end of its traceback in whole lines, and its command."""
    head, called = f"ExecuteUserScriptError:\nExitCode {end.code}\n", " ".join(command)
    called = called if len(called) <= 200 else called[:197] + "..."
    last = f'\nCommand "{called}"'
    room = failure.LIMIT - len(head) - len(last) - len('ErrorMessage ""')
    words = end.words or _unspoken(end.code)
    lines = words.splitlines()
    while len(lines) > 1 and len("\n".join(lines)) > room:
        lines.pop(0)
    cut = "\n".join(lines)[:room]
    return f'{head}ErrorMessage "{cut}"{last}'


def _unspoken(code: int) -> str:
    if code > 128 and code - 128 in set(signal.Signals):
        name = signal.Signals(code - 128).name
        memory = ", as happens where memory runs out" if name == "SIGKILL" else ""
        return f"The program was ended by {name}{memory}."
    return "The program wrote nothing to standard error."
