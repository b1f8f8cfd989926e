"""The log of a job on a terminal: a bar that its progress lines move, and every other line above it."""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import Self

# The line that says how much of the job is done, and the one that says where it is and how fast.
_SHARE = re.compile(r"^#progress_metric: .*completed (\d+(?:\.\d+)?) %")
_STATE = re.compile(r"\] (?:epoch \d+ of \d+, )?([\d,]+ \S+ rows, [\d,]+ rows/s.*)$")


def share(line: str) -> float | None:
    """How much of the job is done, from 0 to 1, where the line says it."""
    match = _SHARE.search(line)
    return min(1.0, float(match.group(1)) / 100) if match else None


class Screen:
    """Shows lines as they come: with a bar on a terminal, plainly elsewhere."""

    def __init__(self) -> None:
        self._bar = _Bar() if sys.stdout.isatty() else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def show(self, line: str) -> None:
        """One line of the log."""
        if self._bar is not None:
            self._bar.show(line)
        else:
            print(line, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class _Bar:
    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            transient=True,
        )
        self._task = self._progress.add_task("training", total=1.0)

    def start(self) -> None:
        self._progress.start()

    def show(self, line: str) -> None:
        done, state = share(line), _STATE.search(line)
        if done is not None:
            self._progress.update(self._task, completed=done)
        elif state:
            self._progress.update(self._task, description=state.group(1))
        else:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        self._progress.stop()
