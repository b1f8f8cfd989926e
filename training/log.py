"""The log: one event a line, in the shape of the original images, in UTC, without colors."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time

SHAPE = "[%(asctime)s %(levelname)s %(thread)d] %(message)s"

_log = logging.getLogger("algoport")


def start(*, quiet: bool = False) -> None:
    """Send the log to standard output, each line as soon as it is whole; with `quiet`, only what is not well."""
    handler = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter(SHAPE, "%m/%d/%Y %H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    _log.handlers[:] = [handler]
    _log.setLevel(logging.WARNING if quiet else logging.INFO)
    _log.propagate = False
    logging.raiseExceptions = False  # where standard output is closed there is nobody to tell


def note(sentence: str) -> None:
    """A sentence for whoever reads the log."""
    _log.info("%s", sentence)


def warn(sentence: str) -> None:
    """A sentence on something that is not as it should be, and that the job can do without."""
    _log.warning("%s", sentence)


def fault(sentence: str, error: BaseException | None = None) -> None:
    """The sentence on which a job ends; with an error, also where in the code it arose."""
    _log.error("%s", sentence, exc_info=error)


def line(text: str) -> None:
    """A line that programs read: nothing in front of it, and written at once so that none is torn."""
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more, which is no reason to lose a model
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), (text + "\n").encode())
