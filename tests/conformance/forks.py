"""`train` in forks of a process that has imported the large libraries already, of which a start costs a tenth.

Nothing of ours is imported there, so that a job reads its environment as ever. That `train` itself imports nothing
large before it hears signals is tested elsewhere.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

COMMAND = [sys.executable, "-m", "algoport.training"]
READ = ("NUMBA_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "PYTHONHASHSEED")  # by libraries as they are imported
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.conformance.libraries"])
_before: list[dict[str, str]] = []  # what they found in the process that is forked, once it has been started


class Fork:
    """A fork that runs `train`, to be watched like a `subprocess.Popen`."""

    def __init__(self, environment: Mapping[str, str], folder: Path, out: Path, errors: Path) -> None:
        words = (dict(environment), str(folder), str(out), str(errors))
        self._process = _context.Process(target=_train, args=words)
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it has ended; the number of a signal that ended it, less than 0."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(COMMAND, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """To the process, if it still runs."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """With SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    environment: Mapping[str, str], folder: Path, out: Path, errors: Path, *, fresh: bool = False
) -> Fork | subprocess.Popen[bytes]:
    """Begin `train` in the folder, with the whole environment given; its streams go to these files.

    `fresh`: in a process that has no library yet, as for a user, whose memory is measured, say.
    """
    read = {name: value for name, value in environment.items() if name.startswith(READ)}
    paths = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if not fresh and set(paths) <= set(sys.path):  # else some come with a path to change how Python starts
        if not _before:
            _before.append(read)
        if read == _before[0]:
            for place in {out, errors}:
                place.write_bytes(b"")
            return Fork(environment, folder, out, errors)
    with open(out, "wb") as one, open(errors, "wb") as other:
        second = subprocess.STDOUT if out == errors else other
        return subprocess.Popen(COMMAND, env=environment, cwd=folder, stdout=one, stderr=second)


def train(environment: Mapping[str, str], folder: Path, patience: float) -> subprocess.CompletedProcess[str]:
    """Run `train` to its end."""
    with tempfile.TemporaryDirectory() as place:
        out, errors = Path(place) / "out", Path(place) / "errors"
        process = start(environment, folder, out, errors)
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(COMMAND, code, out.read_text(), errors.read_text())


def _train(environment: dict[str, str], folder: str, out: str, errors: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for place, number in ((out, 1), (errors, 2)):
        file = os.open(place, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(number, "w"), write_through=True) for number in (1, 2))
    sys.argv = ["train"]
    from algoport.training.__main__ import main

    sys.exit(main())
