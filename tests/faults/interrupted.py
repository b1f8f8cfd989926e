"""SIGKILL and SIGTERM: while a job trains, while it writes a checkpoint, while it writes its model."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.faults.work import (
    PATIENCE,
    Reference,
    Work,
    damaged_checkpoints,
    empty,
    killed,
    temporary_files,
    without_failure_file,
)
from tests.training.jobs import Place, Run

PAUSE = 0.04  # seconds that a change takes on the slow disk
# In the folder, until what is written stands there, and half as many more; of checkpoints twice as many, so that there
# is one as often as none.
CHANGES = {"checkpoints": 12, "model": 18}
WRITTEN = ("model", "checkpoints")
MOST = 2  # signals that a job is sent; then it is left alone


def interrupt(signal: str, moment: str, number: int, work: Work, reference: Reference, base: Path) -> dict[str, Any]:
    """One job, interrupted at random times until it ends by itself; all that was wrong on the way."""
    chance, place = random.Random(f"{signal} {moment} {number}"), work.place(base)
    (base / "checkpoints").mkdir()
    if number % 3 == 2:  # a model of another job stands there
        for name, data in reference.other.items():
            place.file(f"../../model/{name}", data)
    failures: list[str] = []
    faults = partial_writes = 0
    run, reach = None, 1.0
    while faults < (MOST if signal == "sigkill" else 1):
        run, in_time = _send(signal, moment, chance.uniform(0, reach), work, place, reference)
        faults += in_time
        partial_writes += any(temporary_files(base / folder) for folder in WRITTEN)
        failures += _standing(run, signal, work, place, reference)
        if (faults and run.code == 0) or (run.code and not in_time):
            break
        if not in_time:  # it was faster than the reference; from the beginning, and sooner
            reach *= 0.7
            empty(base / "model")
            empty(base / "checkpoints")
    if signal == "sigterm" and not failures and work.model(place) != reference.model:
        empty(base / "model")  # a stop leaves what there is; training resumes from the checkpoints
        run = work.run(place)
    elif run is None or run.code:
        run = work.run(without_failure_file(place))
    if run.code or work.model(place) != reference.model:
        failures.append(f"ended with {run.code} and another model: {run.log[-500:]}")
    failures += [f"{path} was left" for folder in WRITTEN for path in temporary_files(base / folder)]
    resumed = "Resuming from checkpoint" in run.log
    return {
        "work": work.name,
        "faults": faults,
        "partial_writes": partial_writes,
        "resumed": resumed,
        "failures": failures,
    }


def _send(signal: str, moment: str, share: float, work: Work, place: Place, reference: Reference) -> tuple[Run, bool]:
    """Run the job and send it the signal after that share of it; the run, and whether that was before its end."""
    if moment == "training":
        run = work.start(place).until("Final configuration")
        seconds = share * reference.seconds
    else:
        mark = place.base / "mark"
        mark.unlink(missing_ok=True)
        folder = {"checkpoint": "checkpoints"}.get(moment, moment)
        slow = {"folder": str(place.base / folder), "pause": PAUSE, "mark": str(mark)}
        run = work.start(place, faults={"slow": slow})
        while not mark.exists() and run.process.poll() is None:
            time.sleep(0.005)
        seconds = share * PAUSE * CHANGES[folder]
    try:
        run.process.wait(seconds)
    except subprocess.TimeoutExpired:
        killed(run) if signal == "sigkill" else run.stop()
        return run.wait(PATIENCE), True
    return run, False


def _standing(run: Run, signal: str, work: Work, place: Place, reference: Reference) -> list[str]:
    """What is wrong with what stands there after a signal."""
    wrong = damaged_checkpoints(place.base / "checkpoints")
    model = work.model(place)
    if signal == "sigkill" and model not in (None, reference.other, reference.model):
        wrong.append("half a model stands there")
    if signal == "sigterm" and (run.code or (model is None and "none is left" not in run.log)):
        wrong.append(f"a stop ended with {run.code} and {'no' if model is None else 'a'} model: {run.log[-500:]}")
    if place.failure:
        wrong.append(f"a failure file after {signal}: {place.failure}")
    return wrong
