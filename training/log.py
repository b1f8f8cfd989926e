"""The log of a job: sentences for people, and lines for programs."""

from __future__ import annotations

import contextlib
import os
import sys

from algoport.algorithms.shared.log import fault, note, start, warn


def line(text: str) -> None:
    """A line that programs read: nothing in front of it, and written at once so that none is torn."""
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more, which is no reason to lose a model
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), (text + "\n").encode())


__all__ = ["fault", "line", "note", "start", "warn"]
