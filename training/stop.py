"""Hearing that the job is to end: SIGTERM from the platform, SIGINT from a keyboard."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType


class Stop:
    """Counts the requests to stop that this process has had, and passes them on to its children."""

    def __init__(self) -> None:
        self.count = 0
        self.since = 0.0  # by the clock that is not set: when the first came
        self.children: list[int] = []

    def listen(self) -> None:
        """From now on neither signal ends this process, nor a child forked later."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def close(self) -> None:
        """From now on both are ignored: there is nothing left to stop, and an interpreter that ends gives signals back
        the meaning that ends it with another exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def asked(self) -> bool:
        """True once a stop was asked for. Later requests change nothing."""
        return self.count > 0

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.since = self.since or time.monotonic()
        self.count += 1
        for child in list(self.children):
            try:
                os.kill(child, signal.SIGTERM)
            except ProcessLookupError:
                continue
