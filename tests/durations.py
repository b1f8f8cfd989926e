"""Where the time of a session went, by area and by algorithm, beside what an algorithm may cost. No test fails for it.

The seconds of tests that ran side by side are divided by the number of workers, so that all rows together are about as
long as the session was.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import baking, scheduling

BUDGET = 75.0  # seconds of `make test` that an algorithm may cost; what needs more belongs into `make soak`
APART = ("images", "clients")  # areas that a budget does not count
SHOWN = 60.0  # a session shorter than this does not print where its time went
KEY = "cost"


def note(item: pytest.Item) -> None:
    """Let the reports of a test say what it is about, also from another process."""
    item.user_properties.append((KEY, (scheduling.area(item), scheduling.algorithm(item))))


@dataclass
class Durations:
    """The seconds of a session, by area and algorithm."""

    began: float = field(default_factory=time.monotonic)
    seconds: Counter[tuple[str, str]] = field(default_factory=Counter)
    tests: Counter[tuple[str, str]] = field(default_factory=Counter)
    compiled: int = 0  # algorithms whose kernels were not there
    compiling: float = 0.0  # seconds before the first test

    def add(self, report: Any) -> None:
        """Count one phase of a test."""
        key = next((tuple(value) for name, value in report.user_properties if name == KEY), ("elsewhere", ""))
        self.seconds[key] += report.duration
        self.tests[key] += report.when == "call"

    def compile(self, names: Sequence[str]) -> None:
        """Have the kernels of all examples before any test asks for them."""
        begin = time.monotonic()
        self.compiled = baking.bake(names)
        self.compiling = time.monotonic() - begin

    @property
    def elapsed(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self.began

    def lines(self, workers: int) -> Iterator[str]:
        """The table for the end of a session."""
        yield f"{_clock(self.elapsed)} with {workers} at work, of which for"
        if self.compiling:
            yield f"{'kernels of examples':<24}{self.compiled:>6} new   {_clock(self.compiling):>8}"
        for name, tests, seconds in self._sums(0, self.seconds, workers):
            yield f"{name:<24}{tests:>6} tests {_clock(seconds):>8}"
        yield f"and for an algorithm, without images and clients, which may cost {BUDGET:.0f} s"
        keys = [key for key in self.seconds if key[1] and key[0] not in APART]
        for name, tests, seconds in self._sums(1, keys, workers):
            over = f"  over by {seconds - BUDGET:.0f} s" if seconds > BUDGET else ""
            yield f"{name:<24}{tests:>6} tests {seconds:>6.0f} s{over}"

    def _sums(self, part: int, keys: Any, workers: int) -> list[tuple[str, int, float]]:
        """Name, number and seconds by one part of the keys, the longest first."""
        keys = list(keys)
        names = {key[part] for key in keys}
        sums = [
            (
                name,
                sum(self.tests[key] for key in keys if key[part] == name),
                sum(self.seconds[key] for key in keys if key[part] == name) / workers,
            )
            for name in names
        ]
        return sorted(sums, key=lambda row: (-row[2], row[0]))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
