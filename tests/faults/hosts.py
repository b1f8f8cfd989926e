"""Jobs of two hosts, as processes on loopback addresses: one is killed, or comes late, or finds nothing by name."""

from __future__ import annotations

import random
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.work import PATIENCE, Whole, Work, cleared, damaged, killed
from tests.training.jobs import Place, Run
from tests.training.test_cluster import free_port

ADDRESSES = ["127.0.0.1", "127.0.0.2"]
NAMES = ["algo-1", "algo-2"]
NEGATIVE = re.compile(r'time": {"sum": -')
MEETING = 15.0  # seconds that hosts wait for each other
# From the death of a host to the end of the other: at most six signs of life of 0.4 s that do not come, or the seconds
# of the meeting; and what a busy machine needs to import the library that hosts meet with.
LIMIT = MEETING + 20.0


# Exchanges take longer than small sums; with these a job is as long as that of one host.
SHORTER: dict[str, dict[str, object]] = {
    "kmeans": {"epochs": 40},
    "linear-learner": {"epochs": 8},
    "xgboost": {"num_round": 8},
    "xgboost in folds": {"num_round": 3},
    "forecasting-deepar": {"epochs": 6},
    "image-classification": {"epochs": 3},
}


def shorter(work: Work) -> Work:
    """The same work with fewer passes."""
    return replace(work, settings={**work.settings, **SHORTER.get(work.name, {})})


def places(work: Work, base: Path, hosts: list[str]) -> list[Place]:
    """The same job laid out for each host."""
    found = [work.place(base / host).host(host, hosts) for host in hosts]
    for place in found:
        (place.base / "checkpoints").mkdir()
    return found


def started(
    work: Work, both: list[Place], *, faults: Any = (None, None), waits: float = 60.0, late: Any = (0, 0)
) -> Any:
    """The job at both hosts, each begun after so many seconds."""
    port, begun, runs = free_port(), time.monotonic(), {}
    for number in sorted((0, 1), key=lambda number: late[number]):
        time.sleep(max(0.0, begun + late[number] - time.monotonic()))
        more = {"MASTER_PORT": port, "ALGOPORT_RENDEZVOUS_TIMEOUT": str(waits)}
        runs[number] = work.start(both[number], faults=faults[number], **more)
    return [runs[0], runs[1]]


def undisturbed(work: Work, base: Path) -> Whole:
    """What two hosts come to where nothing happens."""
    both = places(shorter(work), base / "whole", ADDRESSES)
    for run in started(work, both):
        run.wait(PATIENCE)
    both = places(shorter(work), base / "again", ADDRESSES)
    begun = time.monotonic()
    runs = started(work, both)
    assert [run.wait(PATIENCE).code for run in runs] == [0, 0], runs[0].log + runs[1].log
    model = work.model(both[0])
    assert model
    return Whole(model, time.monotonic() - begun, {})


def lost(number: int, work: Work, whole: Whole, base: Path) -> dict[str, Any]:
    """One of two hosts is killed at a random time; the other must say whom it has lost, and soon. Then both again."""
    chance = random.Random(f"host {number}")
    victim, connecting = chance.randrange(2), number % 5 == 4  # a moment too short to be struck by chance
    faults: list[Any] = [None, None]
    if connecting:
        faults[victim] = {"dies": "connecting"}
    seconds, tries = chance.uniform(0, whole.seconds), 0
    while True:
        both = places(shorter(work), base / str(tries), ADDRESSES)
        runs = started(work, both, faults=faults, waits=MEETING)
        try:
            runs[victim].process.wait(PATIENCE if connecting else seconds)
        except subprocess.TimeoutExpired:
            killed(runs[victim])
        if runs[victim].wait().code:
            break
        seconds, tries = 0.7 * seconds, tries + 1  # both were through, faster than undisturbed ones: again, and sooner
    died, survivor = time.monotonic(), runs[1 - victim]
    alive = survivor.process.poll() is None
    survivor.wait(PATIENCE)
    seconds = time.monotonic() - died
    wrong = _wrong(survivor, ADDRESSES[victim], seconds) + damaged(both[0].base / "checkpoints")
    if work.model(both[0]) not in ((None, whole.model) if survivor.code else (whole.model,)):
        wrong.append(f"the other ended with {survivor.code}, and half a model stands there or none")
    runs = started(work, [cleared(place) for place in both])
    if [run.wait(PATIENCE).code for run in runs] != [0, 0] or work.model(both[0]) != whole.model:
        wrong.append(f"the same job again ended with another model: {runs[0].log[-500:]}{runs[1].log[-500:]}")
    return {
        "work": work.name,
        "strikes": 1,
        "survived": int(alive and survivor.code == 0),
        "resumed": "Resuming from checkpoint" in runs[0].log,
        "seconds": round(seconds, 2),
        "lost": wrong,
    }


def _wrong(survivor: Run, name: str, seconds: float) -> list[str]:
    """What is wrong with the end of the other host."""
    wrong = []
    if survivor.code and not (survivor.code == 1 and name in survivor.place.failure):
        wrong.append(f"ended with {survivor.code}, and does not name {name}: {survivor.place.failure}")
    if seconds > LIMIT:
        wrong.append(f"the other took {seconds:.1f} s to end")
    return wrong


def delayed(number: int, work: Work, whole: Whole, base: Path) -> dict[str, Any]:
    """Names that resolve late, a host that comes late, a clock that jumps: the job must end as if nothing had been."""
    chance, both = random.Random(f"start {number}"), places(shorter(work), base, NAMES)
    odd, late = [], [0.0, 0.0]
    for _ in range(2):
        after = {name: round(chance.uniform(0, 12), 2) for name in NAMES}
        names = {name: (address, after[name]) for name, address in zip(NAMES, ADDRESSES, strict=True)}
        jump = chance.uniform(0, 4), chance.choice([-1, 1]) * chance.uniform(1, 100_000)
        odd.append({"names": names, **({"clock": jump} if chance.random() < 0.7 else {})})
    if number % 2:
        late[chance.randrange(2)] = chance.uniform(0, 20)
    begun = time.monotonic()
    runs = started(work, both, faults=odd, late=late)
    codes = [run.wait(PATIENCE).code for run in runs]
    wrong = [] if codes == [0, 0] else [f"ended with {codes}: {runs[0].log[-500:]}{runs[1].log[-500:]}"]
    if work.model(both[0]) != whole.model:
        wrong.append("another model, or none")
    wrong += [f"a negative time: {line}" for run in runs for line in run.log.splitlines() if NEGATIVE.search(line)]
    waits = [late[i] + max(after for _, after in odd[i]["names"].values()) for i in range(2)]
    return {
        "work": work.name,
        "late": round(max(waits), 2),
        "seconds": round(time.monotonic() - begun, 2),
        "lost": wrong,
    }
