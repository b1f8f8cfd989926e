"""Races: named competitors in turns, on the same data; time and quality in one row.

    python -m benchmarks.NAME           the cases with a goal, as a table
    python -m benchmarks.NAME --all     all cases, also those that only inform
    python -m benchmarks.NAME --json    one object a line
    python -m benchmarks.NAME --only X  the cases whose name has X in it
    python -m benchmarks.NAME --keep    write them to benchmarks/results/NAME.json, too

A run shows what it measures and writes nothing. With `--keep` its rows, with the processor, its flags and all versions,
replace those of the same cases in the file; the others stay. `make bench A=NAME BENCH='--all --keep'` is the same. A
case whose data or peer is not installed is left out with a sentence that says how to install it. Two files of results
of one machine are compared by `python -m benchmarks.compare BEFORE AFTER`. `python -m benchmarks.avx2 NAME …` is the
same with ours and the peers restricted to AVX2, on a machine that has AVX-512.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks import data, record

US = "algoport"
OURS = {"algoport", "benchmarks"}  # a module of these that is not there is a fault and no missing peer
PAUSE = 0.3  # seconds before a lap: the last competitor's OpenMP threads keep a core busy for a while


@dataclass(frozen=True)
class Laps:
    """What one competitor did."""

    seconds: Sequence[float]
    result: Any  # of the last lap

    @property
    def median(self) -> float:
        """The lap that counts."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.4g} ({min(self.seconds):.4g}-{max(self.seconds):.4g})"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case against one peer."""

    case: str
    peer: str  # lower case, as it is installed
    ours: Laps
    peers: Laps
    goal: float | None = None  # the speed that was promised; None where the row only informs
    metric: str | None = None  # what the quality is
    better: Literal["lower", "higher"] | None = None
    quality: float | None = None
    peer_quality: float | None = None
    quality_goal: float | None = None  # how many times the peer's figure ours may be (least it must be, if higher)
    note: str = ""

    @property
    def speed(self) -> float:
        """How many times as fast as the peer."""
        return self.peers.median / self.ours.median

    @property
    def met(self) -> bool | None:
        """True where all that was promised holds; None where nothing was."""
        checks = [] if self.goal is None else [self.speed >= self.goal]
        if self.quality_goal is not None and self.quality is not None and self.peer_quality is not None:
            most = self.peer_quality * self.quality_goal
            checks.append(self.quality <= most if self.better == "lower" else self.quality >= most)
        return all(checks) if checks else None

    def as_json(self) -> dict[str, Any]:
        """The row for machines."""
        return {
            "case": self.case,
            "peer": self.peer,
            "ours_s": self.ours.median,
            "peer_s": self.peers.median,
            "speed": self.speed,
            "goal": self.goal,
            "metric": self.metric,
            "better": self.better,
            "ours": self.quality,
            "peers": self.peer_quality,
            "quality_goal": self.quality_goal,
            "met": self.met,
            "ours_range": [min(self.ours.seconds), max(self.ours.seconds)],
            "peer_range": [min(self.peers.seconds), max(self.peers.seconds)],
            "note": self.note,
        }


@dataclass(frozen=True)
class Case:
    """Something to measure: its name, what does it, and whether a goal hangs on it."""

    name: str
    measure: Callable[[], Sequence[Row]]
    promised: bool = True


def race(competitors: Mapping[str, Callable[[], Any]], laps: int = 5, warm: int = 1) -> dict[str, Laps]:
    """Each in turn, `laps` times, after `warm` rounds that do not count: compilers and caches have their say there."""
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    results: dict[str, Any] = {}
    for lap in range(-warm, laps):
        for name, run in competitors.items():
            results.pop(name, None)
            gc.collect()
            time.sleep(PAUSE)
            start = time.perf_counter()
            results[name] = run()
            if lap >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: Laps(seconds[name], results[name]) for name in competitors}


def main(name: str, cases: Sequence[Case], arguments: Sequence[str] | None = None) -> int:
    """Measure and show; 0, also where a goal was missed: the rows say so. 2 where what is needed is missing for all."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--all", action="store_true", help="also the cases that only inform")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--only", default="", help="the cases whose name has this in it")
    parser.add_argument("--keep", action="store_true", help=f"write the rows to benchmarks/results/{name}.json")
    options = parser.parse_args(arguments)
    facts = record.header(name)
    if not options.json:
        print(record.headline(facts))
    rows: list[Row] = []
    gaps: list[str] = []
    for row in _rows(cases, options.all, options.only, gaps):
        rows.append(row)
        if options.json:
            print(json.dumps(row.as_json()), flush=True)
        else:
            _show(row, first=len(rows) == 1 or rows[-2].case != row.case)
        if options.keep:  # at once, for a run may be ended before its last case
            record.keep(name, facts, [row.as_json() for row in rows])
    return 2 if gaps and not rows else 0


def _rows(cases: Sequence[Case], every: bool, only: str, gaps: list[str]) -> Iterator[Row]:
    """The rows of the options cases; adds to `gaps`, and says, which ones need what is not installed."""
    for case in cases:
        if (case.promised or every or only) and only.lower() in case.name.lower():
            try:
                yield from case.measure()
            except data.Missing as missing:
                gaps.append(f"{case.name}: left out. {missing}")
            except ModuleNotFoundError as missing:
                package = (missing.name or "").partition(".")[0]
                if package in OURS:
                    raise
                gaps.append(f"{case.name}: left out. {data.missing_package(package)}")
            else:
                continue
            print(gaps[-1], file=sys.stderr, flush=True)


def _show(row: Row, first: bool) -> None:
    figure = f" {row.metric}, {'less' if row.better == 'lower' else 'more'} is better" if row.metric else ""
    if first:
        print(f"\n### {row.case}\n\n| | seconds (median, range) | speed |{figure} |\n|---|---|--:|--:|")
    quality = ["" if value is None else f"{value:.6g}" for value in (row.peer_quality, row.quality)]
    promised = "" if row.goal is None else f" (promised {row.goal:g}x)"
    limit = "" if row.quality_goal is None else f" (promised {row.quality_goal:g} of {row.peer}'s)"
    print(f"| {row.peer} | {row.peers} | 1.00x | {quality[0]} |")
    print(f"| Algoport | {row.ours} | {row.speed:.2f}x{promised} | {quality[1]}{limit} |")
    missed = " MISSED." if row.met is False else ""
    if row.note or missed:
        print(f"\n{row.note}{missed}\n", flush=True)
    sys.stdout.flush()
