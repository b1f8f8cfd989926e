"""Fuzzing and fault injection, for as long as one likes.

    make soak KIND=readers N=10000      so many inputs for each reader      (also: artifacts, endpoints, jobs, web)
    make soak KIND=coverage N=50000     so many for each, guided by coverage
    make soak KIND=sigkill N=50         so many jobs, killed at random times and resumed

Further kinds like the last: sigkill-checkpoint, sigkill-model, sigterm, sigterm-checkpoint, sigterm-model, host (one of
two is killed), start (names, hosts and clocks that are late), disk (is full), memory (is short), worker (of a server),
control and control-containers (the control process is killed five times while eight jobs run), transform, deploy (an
instance of an endpoint is killed every two seconds for a minute).

Every piece of work is a line of `benchmarks/results/soak.jsonl`; what stands there is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "benchmarks" / "results" / "soak.jsonl"
GUIDED = str(ROOT / ".peers" / "fuzzing" / "bin" / "python")  # of `make bench-fuzzing`
SLICE = 2000  # inputs of a process: what ends it is among its last inputs
FUZZING = ("readers", "artifacts", "endpoints", "jobs", "web")
GUIDABLE = ("readers", "artifacts", "endpoints", "jobs")  # those that coverage can guide
FAULTS = (
    *(f"{signal}{moment}" for signal in ("sigkill", "sigterm") for moment in ("", "-checkpoint", "-model")),
    *("host", "start", "disk", "memory", "worker", "control", "control-containers", "transform", "deploy"),
)


def main() -> int:
    """Do what is asked for; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*FUZZING, "coverage", *FAULTS])
    parser.add_argument("n", type=int)
    parser.add_argument("--only", default="", help="a part of the names of the targets that are meant")
    parser.add_argument("--algorithms", nargs="*", default=[])
    parser.add_argument("--slice", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.slice is not None:
        return _slice(given)
    if given.kind == "coverage":
        return _coverage(given)
    if given.kind in FUZZING:
        return _fuzzing(given)
    return _faults(given.kind, given.n)


def _done(kind: str) -> list[dict[str, Any]]:
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def _note(**entry: Any) -> None:
    with open(RECORD, "a") as file:
        file.write(json.dumps(entry) + "\n")
    print(json.dumps(entry), flush=True)


def _fuzzing(given: argparse.Namespace) -> int:
    """Slices in processes of their own, since a reader may end the process."""
    lost = 0
    for number in range(-(-given.n // SLICE)):
        same = {"slice": number, "only": given.only, "algorithms": given.algorithms, "findings": []}
        if any({"algorithms": [], **entry}.items() >= same.items() for entry in _done(given.kind)):
            continue
        command = [sys.executable, "-W", "ignore", "-m", "tests.soak", given.kind, str(given.n)]
        more = ["--slice", str(number), "--only", given.only, "--algorithms", *given.algorithms]
        begin = time.monotonic()
        done = subprocess.run([*command, *more], check=False, capture_output=True, text=True)
        reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"target"')]
        findings = [finding for report in reports for finding in report["findings"]]
        if done.returncode:
            findings.append(f"the process ended with {done.returncode}: {done.stderr[-500:]}")
        _note(
            kind=given.kind,
            only=given.only,
            algorithms=given.algorithms,
            slice=number,
            targets=len(reports),
            inputs=sum(report["inputs"] for report in reports),
            taken=sum(report["taken"] for report in reports),
            slowest_s=max((report["slowest_s"] for report in reports), default=0),
            growth_mb=max((report["growth_mb"] for report in reports), default=0),
            seconds=round(time.monotonic() - begin, 1),
            findings=findings,
        )
        lost += len(findings)
    return int(lost > 0)


def _coverage(given: argparse.Namespace) -> int:
    """Each target in a process of its own, under the Python that has the guide."""
    from tests.fuzzing.coverage import targets

    lost = 0
    recorded = {entry["target"] for entry in _done("coverage") if entry["inputs"] >= given.n}
    kinds = [(kind, each.name) for kind in GUIDABLE for each in targets(kind, *given.algorithms)]
    for kind, name in kinds:
        if name in recorded or given.only not in name:
            continue
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="algoport-coverage-") as folder:
            command = [GUIDED, "-W", "ignore", "-m", "tests.fuzzing.coverage", kind, name, str(given.n)]
            place = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": folder}
            done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=place)
        figures = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
        findings = [] if done.returncode == 0 else [f"ended with {done.returncode}: {done.stderr[-1500:]}"]
        _note(
            kind="coverage",
            target=name,
            inputs=int(figures.get("number_of_executed_units", 0)),
            corpus=int(figures.get("new_units_added", 0)),
            slowest_s=int(figures.get("slowest_unit_time_sec", 0)),
            seconds=round(time.monotonic() - begin, 1),
            findings=findings,
        )
        lost += len(findings)
    return int(lost > 0)


def _slice(given: argparse.Namespace) -> int:
    import importlib

    from tests.fuzzing.fuzzer import fuzz

    module = importlib.import_module(f"tests.fuzzing.{given.kind}")
    for target in module.targets(*given.algorithms):
        if given.only in target.name:
            print(json.dumps(fuzz(target, SLICE, given.slice).figures), flush=True)
    return 0


def _faults(kind: str, n: int) -> int:
    """Runs with faults at random times, but those that are recorded without failures."""
    from tests.faults.kinds import References, run

    done, lost = {entry["number"] for entry in _done(kind) if not entry.get("failures")}, 0
    if done >= set(range(n)):
        return 0
    with tempfile.TemporaryDirectory(prefix="algoport-faults-") as folder:
        references = References(Path(folder))
        for number in range(n):
            if number not in done:
                try:
                    entry = run(kind, number, references, Path(folder))
                except AssertionError as error:  # a job that does not end, say
                    entry = {"failures": [f"{str(error)[:300]} … {str(error)[-300:]}"]}
                _note(kind=kind, number=number, **entry)
                lost += bool(entry["failures"])
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
