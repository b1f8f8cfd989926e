"""Tables of what benchmarks have recorded: all races on an algorithm's page, one row an algorithm on the first page.

What is lost is bold: a speed below 1, or a quality that misses its goal or, where none was set, is worse than the
peer's by more than a hundredth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.containers.pages.markdown import table

Race = Mapping[str, Any]  # a row of benchmarks/results: a case against one peer
_TARGET = "goal"  # the peer of a race against a fixed time
_CLOSE = 0.01  # relative difference of two qualities that counts as none, where no goal says otherwise
_TIMES = "\N{MULTIPLICATION SIGN}"
_NARROW = "x86-64-v3"
_LEVELS = {"x86-64-v4": "AVX-512", _NARROW: "AVX2"}  # the names that kernels are compiled for


def summary(results: Path) -> str:
    """A row for each algorithm with results: the middle one of its cases with a goal, and the range of all of them.

    Each case counts with the fastest peer there; the middle one also at the level of AVX2, where that was measured.
    """
    rows, machines, restricted = [], set(), set()
    for name in algorithms.names():
        path = results / f"{algorithms.folder(name).name}.json"
        recorded = _recorded(path)
        cases = _cases(recorded)
        if not cases:
            continue
        machines |= {_machine(_facts(race, recorded)) for race in cases}
        middle = _middle(cases)
        narrow = _below(path)
        restricted |= {_machine(_facts(race, narrow)) for race in narrow["rows"]}
        page = f"[{name}](algorithms/{path.stem}/README.md#speed)"
        span = f"{_speed(_ratio(cases[0]))} to {_speed(_ratio(cases[-1]))}"
        there = _least(middle["case"], narrow)
        rows.append([page, middle["case"], middle["peer"], _speed(_ratio(middle)), there, _quality(middle), span])
    head = ["algorithm", "case", "fastest peer", "speed", "with AVX2 only", "quality, ours / peer's", "all cases"]
    machine = "; ".join(sorted(machines)) + (f". With AVX2 only: {'; '.join(sorted(restricted))}" if restricted else "")
    return table(head, rows, right=(3, 4)) + f"\n{machine}.\n" if rows else ""


def usual(path: Path) -> str:
    """The speed in the middle one of these results' cases, and beside whom; nothing where there are none."""
    cases = _cases(_recorded(path))
    return f"{_speed(_ratio(_middle(cases)))} {_middle(cases)['peer']}" if cases else ""


def races(path: Path) -> str:
    """All rows of an algorithm's results, the speed with AVX2 only beside them where it was measured, and the machines
    and the versions below; nothing where there are none."""
    if not path.is_file():
        return ""
    recorded, narrow = json.loads(path.read_text()), _below(path)
    speeds = {(race["case"], race["peer"]): _speed(_ratio(race)) for race in narrow["rows"]}
    rows, case = [], ""
    for race in recorded["rows"]:
        shown = "" if race["case"] == case else race["case"]
        case = race["case"]
        times = [_seconds(race["peer_s"]), _seconds(race["ours_s"])]
        both = [_speed(race["speed"]), *([speeds.get((race["case"], race["peer"]), "")] if speeds else [])]
        rows.append([shown, race["peer"], *times, *both, _goal(race), _quality(race)])
    levels = ["speed", *(["with AVX2 only"] if speeds else [])]
    head = ["case", "peer", "peer, s", "ours, s", *levels, "goal", "quality, ours / peer's"]
    machines = "; ".join(dict.fromkeys(_machine(_facts(race, recorded)) for race in recorded["rows"]))
    if speeds:
        where = "; ".join(dict.fromkeys(_machine(_facts(race, narrow)) for race in narrow["rows"]))
        machines += f". With AVX2 only: {where}"
    versions = ", ".join(f"{name} {version}" for name, version in recorded["versions"].items())
    below = f"Medians of runs in turns, same data, same threads; what is lost is bold. {machines}."
    right = tuple(range(2, 5 + len(levels)))
    return f"{table(head, rows, right=right)}\n{below}\nPython {recorded['python']}, {versions}.\n"


def _recorded(path: Path) -> Any:
    """The results of a benchmark, without rows where there are none."""
    return json.loads(path.read_text()) if path.is_file() else {"rows": []}


def _cases(recorded: Any) -> list[Race]:
    """Each case that has a goal, beside its fastest peer, the worst first."""
    return sorted((_fastest(races) for races in _with_goal(recorded["rows"])), key=_ratio)


def _middle(cases: Sequence[Race]) -> Race:
    return cases[(len(cases) - 1) // 2]


def _below(path: Path) -> Any:
    """The results of the same benchmark with kernels for AVX2, without rows where there are none."""
    return _recorded(path.parent / "avx2" / path.name)


def _least(case: str, recorded: Any) -> str:
    """The speed of a case beside the fastest peer; nothing where it was not measured."""
    return next(
        (_speed(_ratio(_fastest(races))) for races in _with_goal(recorded["rows"]) if races[0]["case"] == case), ""
    )


def _with_goal(rows: Sequence[Race]) -> Iterator[list[Race]]:
    """The races of each case that has a goal, in the order of the cases, but those against a fixed time."""
    promised = [race for race in rows if race["goal"] is not None and race["peer"] != _TARGET]
    for _, group in groupby(promised, key=lambda race: str(race["case"])):
        yield list(group)


def _fastest(races: Sequence[Race]) -> Race:
    return min(races, key=_ratio)


def _ratio(race: Race) -> float:
    return float(race["speed"])


def _speed(speed: float) -> str:
    shown = f"{speed:.2g}{_TIMES}" if speed < 10 else f"{speed:.0f}{_TIMES}"
    return f"**{shown}**" if round(speed, 2) < 1 else shown


def _seconds(value: float) -> str:
    return f"{value:.3g}"


def _goal(race: Race) -> str:
    return "" if race["goal"] is None else f"{race['goal']:g}{_TIMES}"


def _quality(race: Race) -> str:
    """The figure, ours and the peer's, to four digits; nothing where there is none."""
    ours, peers = race["ours"], race["peers"]
    if ours is None:
        return ""
    shown = f"{ours:.4g}" if peers is None else f"{ours:.4g} / {peers:.4g}"
    return f"{race['metric']} **{shown}**" if _is_worse(race) else f"{race['metric']} {shown}"


def _is_worse(race: Race) -> bool:
    ours, peers = race["ours"], race["peers"]
    if peers is None or race["better"] is None:
        return False
    lower = race["better"] == "lower"
    factor = race["quality_goal"] or (1 + _CLOSE if lower else 1 - _CLOSE)
    return bool(ours > peers * factor if lower else ours < peers * factor)


def _facts(race: Race, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """The machine of a row: its own where another run left it."""
    facts: Mapping[str, Any] = race.get("on") or recorded
    return facts


def _machine(facts: Mapping[str, Any]) -> str:
    """Processor, family and model where they were recorded, cores, the level of its kernels, and the day."""
    details = facts.get("processor") or {}
    kind = f" (family {details['family']}, model {details['model']})" if details.get("family") else ""
    level = f", {_LEVELS.get(facts['level'], facts['level'])}" if facts.get("level") else ""
    if facts.get("level") == _NARROW and "avx512f" in details.get("flags", ""):
        level = ", which has AVX-512, ours and the peers restricted to AVX2"
    return f"{facts['cores']} cores of {facts['machine']}{kind}{level}, {facts.get('date', '')}".rstrip(", ")
