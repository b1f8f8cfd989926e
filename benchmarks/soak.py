"""What the world puts in front of the platform, for as long as one likes: hostile bytes, and jobs that are killed.

    make soak KIND=readers N=10000      so many inputs for each reader      (also: artifacts, endpoints)
    make soak KIND=sigkill N=50         so many jobs, killed at random times and resumed      (also: sigterm)

Every piece of work is a line of `benchmarks/results/soak.jsonl`; what stands there is not done again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RECORD = Path(__file__).parent / "results" / "soak.jsonl"
SLICE = 2000  # inputs of a process: what ends it is found by its last inputs
HOSTILE = ("readers", "artifacts", "endpoints")
FAULTS = ("sigkill", "sigterm")
SETTINGS = {"epochs": 5, "shuffle": 1, "mini_batch_size": 100, "pause": 0.03}


def main() -> int:
    """Do what is asked for; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*HOSTILE, *FAULTS])
    parser.add_argument("n", type=int)
    parser.add_argument("--only", default="", help="a part of the names of the targets that are meant")
    parser.add_argument("--algorithms", nargs="*", default=[])
    parser.add_argument("--slice", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.slice is not None:
        return _slice(given)
    if given.kind in HOSTILE:
        return _hostile(given)
    return _faults(given.kind, given.n)


def _done(kind: str) -> list[dict[str, Any]]:
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def _note(**entry: Any) -> None:
    with open(RECORD, "a") as file:
        file.write(json.dumps(entry) + "\n")
    print(json.dumps(entry), flush=True)


def _hostile(given: argparse.Namespace) -> int:
    """Slices in processes of their own, since a reader may end the process."""
    lost = 0
    for number in range(-(-given.n // SLICE)):
        if any(entry["slice"] == number and entry["only"] == given.only for entry in _done(given.kind)):
            continue
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.soak", given.kind, str(given.n)]
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


def _slice(given: argparse.Namespace) -> int:
    import importlib

    from tests.hostile.hunt import hunt

    module = importlib.import_module(f"tests.hostile.{given.kind}")
    for target in module.targets(*given.algorithms):
        if given.only in target.name:
            print(json.dumps(hunt(target, SLICE, given.slice).figures), flush=True)
    return 0


def _faults(kind: str, n: int) -> int:
    """Jobs of the running mean on real rows, interrupted at a random time and taken up again."""
    done, lost = {entry["number"] for entry in _done(kind)}, 0
    if done >= set(range(n)):
        return 0
    with tempfile.TemporaryDirectory() as folder:
        whole = _uninterrupted(Path(folder))
        for number in range(n):
            if number not in done:
                entry = interrupted(kind, number, Path(folder) / str(number), whole)
                _note(kind=kind, number=number, **entry)
                lost += not entry["same_model"]
                shutil.rmtree(Path(folder) / str(number))
    return int(lost > 0)


def _uninterrupted(base: Path) -> Any:
    from tests.training.jobs import digits_job

    place = digits_job(base / "whole", **{**SETTINGS, "pause": 0})
    assert place.run().code == 0
    return place.model


def interrupted(kind: str, number: int, base: Path, whole: Any, most: int = 8) -> dict[str, Any]:
    """One job, interrupted until it ends by itself; whether its model is that of an uninterrupted one."""
    from tests.training.jobs import PATIENCE, digits_job

    chance, place = random.Random(f"{kind} {number}"), digits_job(base, **SETTINGS)
    (base / "checkpoints").mkdir()
    strike: Callable[[Any], Any] = (lambda run: run.kill()) if kind == "sigkill" else (lambda run: run.stop())
    strikes, half = 0, 0
    for _ in range(most):
        run = place.start(ALGOPORT_CHECKPOINT_INTERVAL="0.1").until("Final configuration")
        seconds = chance.uniform(0, 4)  # of which the passes take about 3 on an idle machine
        try:
            run.process.wait(seconds)
        except subprocess.TimeoutExpired:
            strike(run)
            strikes += 1
        run.wait(PATIENCE)
        half += _half(base / "model")
        if run.code == 0 and kind == "sigkill":
            break
        if kind == "sigterm":
            assert run.code == 0, run.log
            break
    else:
        run = place.run()
    if kind == "sigterm":  # a stop leaves what there is; the checkpoints go on from there
        shutil.rmtree(base / "model", ignore_errors=True)
        run = place.run()
    arrays, facts = place.model
    same = facts == whole[1] and all(np.array_equal(arrays[name], array) for name, array in whole[0].items())
    resumed = "Going on from checkpoint" in run.log
    return {"strikes": strikes, "resumed": resumed, "half_models": half, "same_model": bool(same and not half)}


def _half(folder: Path) -> bool:
    """Whether a model stands there that cannot be read."""
    from algorithms import artifact
    from algorithms.errors import UserError

    if not artifact.exists(folder):
        return False
    try:
        artifact.load(folder)
    except UserError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
