"""The log of a process: one event a line, in the shape of the original images, in UTC, without colors."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from typing import Any

from algoport.algorithms.contract.errors import one_line

_log = logging.getLogger("algoport")
# What programs look for in the log, and how the log's viewer shows a tab: in a sentence it was a user's word.
_MARK = re.compile(r"#(?=\w+_metric|metrics|0\d\d)")


def as_sentence(text: str) -> str:
    """The text on one line, in which no program takes a name or a value from outside for a figure of ours."""
    return _MARK.sub(r"\\u0023", "\t".join(map(one_line, text.split("\t"))))  # a tab ends no line


class _Formatter(logging.Formatter):
    """Tracebacks, too, quote what came from outside; each of their lines stays one."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the library's name)
        """The traceback."""
        return "\n".join(as_sentence(line) for line in super().formatException(ei).split("\n"))


def start(level: int = logging.INFO, number: str = "thread") -> None:
    """Send the log to standard output, each line as soon as it is whole; `number`: of the thread or the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    handler = logging.StreamHandler(sys.stdout)
    shape = f"[%(asctime)s %(levelname)s %({number})d] %(message)s"
    formatter = _Formatter(shape, "%m/%d/%Y %H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    _log.handlers[:] = [handler]
    _log.setLevel(level)
    _log.propagate = False
    logging.raiseExceptions = False  # where standard output is closed nobody would read it


def note(sentence: str) -> None:
    """A sentence for whoever reads the log, or a line of ours for programs, which begins with its mark."""
    _log.info("%s", sentence[:1] + as_sentence(sentence[1:]) if sentence.startswith("#") else as_sentence(sentence))


def warn(sentence: str) -> None:
    """A sentence on something that is not as it should be, and that can be done without."""
    _log.warning("%s", as_sentence(sentence))


def fault(sentence: str, error: BaseException | None = None) -> None:
    """Sentences on what failed, one a line; with an error, also where in the code it arose."""
    _log.error("%s", "\n".join(map(as_sentence, sentence.split("\n"))), exc_info=error)


def level() -> int:
    """The level from which on events are logged."""
    return _log.level
