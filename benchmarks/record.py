"""Results that are kept: `benchmarks/results/NAME.json`, with the machine and the versions that they hold for; those of
kernels for AVX2 in `benchmarks/results/avx2/NAME.json`.

A file has the facts of its latest run and its rows. A row that another run left stands beside them with the facts of
its own in `on`, so that nobody takes two machines for one.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from algoport.algorithms.shared import compiled, machine
from benchmarks import peers

RESULTS = Path(__file__).parent / "results"
# Flags by which kernels and libraries choose their instructions: of x86-64, and of arm64.
CHOOSING = re.compile(r"avx2|fma|f16c|avx_\w+|avx512\w*|avx10\w*|amx_\w+|asimd\w*|sve\w*|i8mm|bf16")
AVX2 = "x86-64-v3"  # the level whose results lie in a folder of their own
SAME = ("machine", "processor", "cores", "level", "system")  # facts that must agree before seconds are compared


def header(benchmark: str = "") -> dict[str, Any]:
    """The facts of a run: processor, its flags, the level that kernels ran at, versions, the load before it.

    The versions are those of our own dependencies, and of the benchmark's peers.
    """
    machine_, details = processor()
    return {
        "machine": machine_,
        "processor": details,
        "level": compiled.processor() or "generic",
        "cores": machine.cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": dict(_versions(benchmark)),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load": round(os.getloadavg()[0], 2),
    }


def _versions(benchmark: str) -> Iterator[tuple[str, str]]:
    """Of the package's dependencies without those of its extras, of what the algorithm of that name needs beside them,
    and of the peers; those that are installed."""
    own = [entry for entry in metadata.requires("algoport") or [] if "extra ==" not in entry]
    more = RESULTS.parents[1] / "algorithms" / benchmark / "requirements.txt"
    own += more.read_text().splitlines() if more.is_file() else []
    names = [re.split(r"[^\w.-]", entry)[0] for entry in own] + [peer.package for peer in peers.peers_of(benchmark)]
    for name in filter(None, dict.fromkeys(names)):
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def processor(path: Path = Path("/proc/cpuinfo")) -> tuple[str, dict[str, str]]:
    """The processor's name, which in a virtual machine may say little, and its vendor, family, model and flags."""
    facts: dict[str, str] = {}
    try:
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    keys = {
        "vendor": ("vendor_id", "CPU implementer"),
        "family": ("cpu family", "CPU architecture"),
        "model": ("model", "CPU part"),
        "stepping": ("stepping", "CPU revision"),
    }
    details = {word: next((facts[key] for key in spelled if key in facts), "") for word, spelled in keys.items()}
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    details["flags"] = " ".join(sorted(flag for flag in flags if CHOOSING.fullmatch(flag)))
    return facts.get("model name") or platform.processor() or platform.machine(), details


def headline(facts: Mapping[str, Any]) -> str:
    """The facts in two lines for a reader."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    details = facts["processor"]
    return (
        f"{facts['machine']} ({details['vendor']} family {details['family']} model {details['model']}), "
        f"{facts['cores']} cores, kernels for {facts['level']}; Python {facts['python']}, {versions}\n"
        f"Flags: {details['flags'] or 'none that matter'}"
    )


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """In what two runs' machines differ, in words; empty where they are the same, as far as both say."""
    for key in SAME:
        if key in one and key in other and one[key] != other[key]:
            return f"{key} is {_words(one[key])} in the one and {_words(other[key])} in the other"
    return ""


def keep(name: str, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], by: Sequence[str] = ("case",)) -> None:
    """Write rows to the file of that name and level; of those that stand there, the ones that agree in `by` are
    replaced."""
    path = place(name, facts)
    now = {_identity(row, by) for row in rows}
    left = [row for row in with_origin(read(path), facts) if _identity(row, by) not in now] if path.is_file() else []
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps({**facts, "rows": [*left, *rows]}, indent=1) + "\n")


def place(name: str, facts: Mapping[str, Any]) -> Path:
    """The file of a benchmark at the level of these facts."""
    return (RESULTS / "avx2" if facts.get("level") == AVX2 else RESULTS) / f"{name}.json"


def read(path: Path) -> dict[str, Any]:
    """A file of results."""
    results: dict[str, Any] = json.loads(path.read_text())
    return results


def facts_of(row: Mapping[str, Any], results: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts that a row of these results holds for."""
    facts: Mapping[str, Any] = row.get("on") or results
    return facts


def with_origin(results: Mapping[str, Any], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of these results, those of a machine that is not surely the one of `facts` with their own in `on`."""
    rows = []
    for row in results["rows"]:
        own = facts_of(row, results)
        same = all(own.get(key) == facts.get(key) for key in SAME)
        bare = {key: value for key, value in row.items() if key != "on"}
        rows.append(bare if same else {**bare, "on": {key: own[key] for key in (*SAME, "date") if key in own}})
    return rows


def _identity(row: Mapping[str, Any], by: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[key] for key in by)


def _words(value: Any) -> str:
    return " ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, Mapping) else str(value)
