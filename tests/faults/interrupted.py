"""SIGKILL and SIGTERM: while a job trains, while it writes a checkpoint, while it writes its model."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.faults.work import PATIENCE, Whole, Work, cleared, damaged, emptied, hidden, killed
from tests.training.jobs import Place, Run

PAUSE = 0.04  # seconds that a change takes on the slow disk
# In the folder, until what is written stands there, and half as many more; of checkpoints twice as many, so that there
# is one as often as none.
CHANGES = {"checkpoints": 12, "model": 18}
WRITTEN = ("model", "checkpoints")
MOST = 2  # strikes of a job; then it is left alone


def struck(signal: str, moment: str, number: int, work: Work, whole: Whole, base: Path) -> dict[str, Any]:
    """One job, struck again and again at random times, until it ends by itself; all that was wrong on the way."""
    chance, place = random.Random(f"{signal} {moment} {number}"), work.place(base)
    (base / "checkpoints").mkdir()
    if number % 3 == 2:  # a model of another job stands there
        for name, data in whole.other.items():
            place.file(f"../../model/{name}", data)
    lost: list[str] = []
    strikes = torn = 0
    run, reach = None, 1.0
    while strikes < (MOST if signal == "sigkill" else 1):
        run, hit = _strike(signal, moment, chance.uniform(0, reach), work, place, whole)
        strikes += hit
        torn += any(hidden(base / folder) for folder in WRITTEN)
        lost += _standing(run, signal, work, place, whole)
        if (strikes and run.code == 0) or (run.code and not hit):
            break
        if not hit:  # it was faster than the undisturbed one; from the beginning, and sooner
            reach *= 0.7
            emptied(base / "model")
            emptied(base / "checkpoints")
    if signal == "sigterm" and not lost and work.model(place) != whole.model:
        emptied(base / "model")  # a stop leaves what there is; the checkpoints go on from there
        run = work.run(place)
    elif run is None or run.code:
        run = work.run(cleared(place))
    if run.code or work.model(place) != whole.model:
        lost.append(f"ended with {run.code} and another model: {run.log[-500:]}")
    lost += [f"{path} was left" for folder in WRITTEN for path in hidden(base / folder)]
    resumed = "Resuming from checkpoint" in run.log
    return {"work": work.name, "strikes": strikes, "torn": torn, "resumed": resumed, "lost": lost}


def _strike(signal: str, moment: str, share: float, work: Work, place: Place, whole: Whole) -> tuple[Run, bool]:
    """Run the job, with one strike after that share of it; the run, and whether the strike found it alive."""
    if moment == "training":
        run = work.start(place).until("Final configuration")
        seconds = share * whole.seconds
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


def _standing(run: Run, signal: str, work: Work, place: Place, whole: Whole) -> list[str]:
    """What is wrong with what stands there after a strike."""
    wrong = damaged(place.base / "checkpoints")
    model = work.model(place)
    if signal == "sigkill" and model not in (None, whole.other, whole.model):
        wrong.append("half a model stands there")
    if signal == "sigterm" and (run.code or (model is None and "none is left" not in run.log)):
        wrong.append(f"a stop ended with {run.code} and {'no' if model is None else 'a'} model: {run.log[-500:]}")
    if place.failure:
        wrong.append(f"a failure file after {signal}: {place.failure}")
    return wrong
