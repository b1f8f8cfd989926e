"""The log of a process: one event a line, in the shape of the original images, in UTC, without colors."""

from __future__ import annotations

import io
import logging
import sys
import time

_log = logging.getLogger("algoport")


def start(level: int = logging.INFO, number: str = "thread") -> None:
    """Send the log to standard output, each line as soon as it is whole; `number`: of the thread or the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    handler = logging.StreamHandler(sys.stdout)
    shape = f"[%(asctime)s %(levelname)s %({number})d] %(message)s"
    formatter = logging.Formatter(shape, "%m/%d/%Y %H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    _log.handlers[:] = [handler]
    _log.setLevel(level)
    _log.propagate = False
    logging.raiseExceptions = False  # where standard output is closed nobody would read it


def note(sentence: str) -> None:
    """A sentence for whoever reads the log."""
    _log.info("%s", sentence)


def warn(sentence: str) -> None:
    """A sentence on something that is not as it should be, and that can be done without."""
    _log.warning("%s", sentence)


def fault(sentence: str, error: BaseException | None = None) -> None:
    """A sentence on what failed; with an error, also where in the code it arose."""
    _log.error("%s", sentence, exc_info=error)


def level() -> int:
    """The level from which on events are logged."""
    return _log.level
