"""The log of a job: sentences for people, and lines for programs."""

from __future__ import annotations

import contextlib
import os
import sys

from algoport.algorithms.contract.errors import one_line
from algoport.algorithms.shared.log import fault, note, start, warn


def line(text: str) -> None:
    """A line that programs read: nothing in front of it, and written at once so that none is torn."""
    whole = "\t".join(map(one_line, text.split("\t")))  # some have tabs; a line end would begin another line
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more, which is no reason to lose a model
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), (whole + "\n").encode(errors="backslashreplace"))


__all__ = ["fault", "line", "note", "start", "warn"]
