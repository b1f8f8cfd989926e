"""Feeds many mutated inputs to a target, one after another, and reports what came of them."""

from __future__ import annotations

import contextlib
import gc
import random
import resource
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import machine
from tests.fuzzing.mutation import mutated

PATIENCE = 5.0  # seconds that an input may take
ROOM = 1 << 29  # bytes of memory that one may take, though it gives them back
MOST = 1 << 32  # bytes that a run may allocate beyond those it starts with: the machine's memory is others' too
FINDINGS = 20  # that are reported of a target; the first say most


@dataclass(frozen=True)
class Target:
    """Something that is fed bytes. `feed` is true where they were taken, false where a sentence refused them."""

    name: str
    seeds: Sequence[bytes]
    feed: Callable[[bytes], bool]


@dataclass
class Report:
    """What came of the inputs of one target."""

    target: str
    inputs: int = 0
    accepted_inputs: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    growth: int = 0  # bytes of memory in the second half of the inputs
    findings: dict[str, bytes] = field(default_factory=dict)  # where it happened: an input that makes it happen

    @property
    def figures(self) -> dict[str, Any]:
        """For the results."""
        return {
            "target": self.target,
            "inputs": self.inputs,
            "taken": self.accepted_inputs,
            "refused": self.inputs - self.accepted_inputs - len(self.findings),
            "slowest_s": round(self.slowest, 3),
            "seconds": round(self.seconds, 1),
            "growth_mb": round(self.growth / 1e6, 1),
            "findings": sorted(self.findings),
        }


class Late(BaseException):
    """An input took too long."""


class Large(Exception):
    """An input took too much memory."""


def fuzz(target: Target, count: int, seed: int = 0) -> Report:
    """Feed that many inputs. Each follows from the seed and its number alone, so that a run can be continued."""
    report, before = Report(target.name), 0

    def late(*_: object) -> None:
        raise Late(f"took more than {PATIENCE:g} seconds")

    for whole in target.seeds:  # so that no input waits for what is compiled or imported at first use
        with contextlib.suppress(Exception):
            target.feed(whole)
    old = signal.signal(signal.SIGALRM, late)
    began, limits = time.perf_counter(), resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory()[0] + MOST, limits[1]))
    try:
        for number in range(count):
            if number == count // 2:
                gc.collect()
                before = resident()
            _feed(target, report, mutated(random.Random(f"{target.name} {seed} {number}"), target.seeds))
    finally:
        signal.signal(signal.SIGALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, limits)
    gc.collect()
    report.growth = max(0, resident() - before)
    report.seconds = time.perf_counter() - began
    return report


def _feed(target: Target, report: Report, data: bytes) -> None:
    begin, most = time.perf_counter(), machine.peak_memory()
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        acceptance = target.feed(data)
        more = machine.peak_memory() - most
        if more > ROOM:
            raise Large(f"took {more >> 20} MB")
        report.accepted_inputs += bool(acceptance)
    except (Exception, Late) as error:
        if len(report.findings) < FINDINGS:
            report.findings.setdefault(_described(error), data)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    report.inputs += 1
    report.slowest = max(report.slowest, time.perf_counter() - begin)


def _described(error: BaseException) -> str:
    """The kind of an error and the last of our lines that it went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/.venv/" not in frame.filename]
    last = next((frame for frame in reversed(frames) if "/tests/" not in frame.filename), frames[-1])
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno} in {last.name}: {str(error)[:160]}"


def resident() -> int:
    """Bytes of memory that this process holds."""
    return _memory()[1]


def _memory() -> list[int]:
    """Bytes of memory that this process has asked for, and that it holds; more of each kind after these."""
    return [int(pages) * resource.getpagesize() for pages in Path("/proc/self/statm").read_text().split()]
