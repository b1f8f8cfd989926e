"""`train` in forks of a process that has imported the large libraries already, of which a start costs a tenth.

Nothing of ours is imported there, so that a job reads its environment as ever. That `train` itself imports nothing
large before it hears signals is tested elsewhere.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# What jobs of one session differ in; opencv sets a path when it is imported, for windows that nobody opens.
OWN = ("ALGORITHM", "SAGEMAKER_", "PYTEST_", "PYTHONPATH", "PYTHONUNBUFFERED", "LD_LIBRARY_PATH")
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.conformance.libraries"])
_given: dict[str, str] = {}  # the environment of the process that is forked


def train(environment: Mapping[str, str], folder: Path, patience: float) -> subprocess.CompletedProcess[str]:
    """Run `train` to its end, in the folder and with the whole environment given."""
    command = [sys.executable, "-m", "algoport.training"]
    if not _given:
        _given.update(_shared(environment))
    if _shared(environment) != _given or not hasattr(os, "fork"):  # libraries read some of it when they are imported
        return subprocess.run(
            command, env=environment, cwd=folder, text=True, capture_output=True, timeout=patience, check=False
        )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        places = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, errors)]
        process = _context.Process(target=_train, args=(dict(environment), str(folder), *places))
        process.start()
        process.join(patience)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(command, patience)
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read().decode().replace("\r\n", "\n"))
    assert process.exitcode is not None
    return subprocess.CompletedProcess(command, process.exitcode, *texts)


def _shared(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(OWN)}


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
