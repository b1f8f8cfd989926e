"""The log of a job's first host, read as it grows: what its lines report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from algoport.containers.jobs.description import Description
from algoport.containers.jobs.running import searcher

MOST = 10_000  # values that are kept of a metric
_PART = 1 << 20  # bytes that are read at a look
_LINE = 1 << 16  # bytes of a line, of which the rest is passed over


class Log:
    """Values of metrics, from the beginning of the log; read anew by whoever adopts the job."""

    def __init__(self, description: Description, before: Mapping[str, Sequence[float]] | None = None) -> None:
        self._path = description.run / f"{description.host_names[0]}.log"
        self._search = searcher(description)
        self._at, self._rest = 0, b""
        self.metrics = {name: list(values) for name, values in (before or {}).items()}  # of earlier attempts
        self.began: float | None = None  # when its first line was seen

    def read(self, *, all_of_it: bool = False) -> None:
        """Take up what has come since the last time."""
        while True:
            try:
                with open(self._path, "rb") as log:
                    log.seek(self._at)
                    part = log.read(_PART)
            except FileNotFoundError:
                return
            self._at += len(part)
            *lines, self._rest = (self._rest + part).split(b"\n")
            self._rest = self._rest[:_LINE]
            if all_of_it and not part and self._rest:
                lines, self._rest = [self._rest], b""
            for line in lines:
                self._take(line.decode(errors="backslashreplace"))
            if not part or not all_of_it:
                return

    def _take(self, line: str) -> None:
        self.began = self.began or time.time()
        for seen in self._search(line):
            values = self.metrics.setdefault(seen.name, [])
            values.append(seen.value)
            del values[:-MOST]
