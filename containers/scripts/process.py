"""A program for processing, on this machine: it runs as itself, and how it ended is told as of a job of training."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from algoport.containers.scripts import environment, failures, packages, running
from algoport.training import failure, log
from algoport.training.places import Places


def main(words: Sequence[str]) -> int:
    """`FOLDER ENTRY ARGUMENTS…`: run a program in the folder of its code; its exit code."""
    code, entry, *arguments = words
    places = Places.from_environment()
    log.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # until the program runs
    try:
        with tempfile.TemporaryDirectory(prefix="algoport-packages-") as temporary:
            python = environment.python()
            if (Path(code) / packages.REQUIREMENTS).is_file():
                python = packages.install(Path(code), Path(temporary) / "python", python)
            command = ["/bin/sh" if entry.endswith(".sh") else python, entry, *arguments]
            sys.stdout.flush()
            end = running.run(command, Path(code), os.environ | {"PYTHONUNBUFFERED": "1"})
    except Exception as error:
        return failure.report(error, places.failure)
    if end.code and not (end.stopped and end.code == 128 + 15):
        failures.write(places.failure, end, command)
    return end.code
