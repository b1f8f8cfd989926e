"""The control process is killed while it starts, follows and ends jobs."""

from __future__ import annotations

import collections
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from algoport.containers.control.home import Home
from algoport.containers.control.records import Request
from algoport.containers.control.store import ENDED, TRAINING, Store
from algoport.containers.jobs.description import Description, Limits
from tests.making import has_engine

KILLS = 5  # in a run
JOBS = 8
PATIENCE = 120  # seconds from the last kill to the end of all jobs
LEDGER = "ledger"  # in the job's output: every start and every end of its program
PROGRAM = 'echo "start $TRAINING_JOB_NAME" >> {ledger}; {act}; echo "end $TRAINING_JOB_NAME" >> {ledger}'
STOPPED = "trap 'kill $!' TERM; sleep 300 & wait"
FAILS_ONCE = 'case "$TRAINING_JOB_NAME" in *-r2) ;; *) exit 3;; esac'


def kill_control(number: int, base: Path, image: str | None = None) -> dict[str, Any]:
    """Jobs of less than a second; every one is to run once, whatever becomes of who starts them."""
    chance = random.Random(f"control {number}")
    home = Home(base / "home")
    home.folder.mkdir(parents=True)
    store = Store(home.store)
    acts = [f"sleep {chance.uniform(0.05, 0.8):.2f}" for _ in range(JOBS - 2)]
    acts = [*acts[:2], STOPPED, FAILS_ONCE, *acts[2:]]
    names = [_submit(store, base, f"job-{number}-{place}", act, image) for place, act in enumerate(acts)]
    moments = []
    for _ in range(KILLS):
        process = _control(home)
        moments.append(round(chance.uniform(0, 0.7), 3))
        time.sleep(moments[-1])
        process.kill()
        process.wait()
    before = sum(row.state in ENDED for row in store.all(TRAINING))
    store.ask_to_stop(TRAINING, names[2], "Stopped")
    last = _control(home)
    end = time.monotonic() + PATIENCE
    while not store.is_idle() and time.monotonic() < end:
        time.sleep(0.1)
    last.terminate()
    last.wait()
    failures = [fault for place, name in enumerate(names) for fault in _faults(store, name, place)]
    return {"kills": KILLS, "moments": moments, "ended_before": before, "failures": failures}


def _submit(store: Store, base: Path, name: str, act: str, image: str | None) -> str:
    folder = base / "jobs" / name
    ledger = folder / "output" / LEDGER if image is None else f"/opt/ml/output/{LEDGER}"
    program = ("/bin/sh", "-c", PROGRAM.format(ledger=ledger, act=act))
    where = {"image": image, "command": program} if image is not None else {"program": program}
    description = Description(folder=folder, name=name, limits=Limits(grace=20), **where)  # type: ignore[arg-type]
    store.submit(TRAINING, name, Request(description=description, cores=1, retries=2).to_json())
    return name


def _control(home: Home) -> subprocess.Popen[bytes]:
    """A control process that has begun its work."""
    before = home.log.read_bytes().count(b" begins") if home.log.exists() else 0
    with open(home.log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "algoport.containers.control"],
            env=os.environ | {"ALGOPORT_HOME": str(home.folder), "ALGOPORT_CORES": "3"},
            stdout=log,
            stderr=log,
        )
    while home.log.read_bytes().count(b" begins") == before and process.poll() is None:
        time.sleep(0.01)
    return process


def _faults(store: Store, name: str, place: int) -> list[str]:
    row = store.get(TRAINING, name)
    assert row is not None
    wanted = {2: "Stopped"}.get(place, "Completed")
    faults = [] if row.state == wanted else [f"{name} is {row.state}, not {wanted}: {row.outcome}"]
    path = Path(Request.from_json(row.request).description.folder) / "output" / LEDGER
    lines = collections.Counter(path.read_text().splitlines() if path.exists() else [])
    expected = {f"start {name}": 1, f"end {name}": 1}
    if place == 3:
        expected = {f"start {name}": 1, f"start {name}-r2": 1, f"end {name}-r2": 1}
    if place == 2 and not lines:  # it was stopped while it waited
        expected = {}
    return faults if lines == expected else [*faults, f"{name} has run as {dict(lines)}, not {expected}"]


def kill_control_of_processes(number: int, base: Path) -> dict[str, Any]:
    """With jobs that are processes."""
    return kill_control(number, base)


def kill_control_of_containers(number: int, base: Path) -> dict[str, Any]:
    """With jobs that are containers, of an image that is there; nothing where no engine answers."""
    image = "algoport/kmeans:cpu"
    asked = ["docker", "image", "inspect", image]
    there = has_engine() and subprocess.run(asked, check=False, capture_output=True).returncode == 0
    return kill_control(number, base, image) if there else {"kills": 0, "failures": []}
