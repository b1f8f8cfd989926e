"""Jobs of two hosts, as processes on loopback addresses: one is killed, or comes late, or finds nothing by name."""

from __future__ import annotations

import random
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.work import PATIENCE, Reference, Work, damaged_checkpoints, killed, without_failure_file
from tests.training.jobs import Place, Run
from tests.training.test_cluster import free_port

ADDRESSES = ["127.0.0.1", "127.0.0.2"]
NAMES = ["algo-1", "algo-2"]
NEGATIVE = re.compile(r'time": {"sum": -')
MEETING = 15.0  # seconds that hosts wait for each other
# From the death of a host to the end of the other: at most six signs of life of 0.4 s that do not come, or the seconds
# of the meeting; and what a busy machine needs to import the library that hosts meet with.
LIMIT = MEETING + 20.0


def for_two_hosts(work: Work) -> Work:
    """The same work with fewer passes: exchanges take longer than small sums."""
    return replace(work, settings={**work.settings, **work.of_two_hosts})


def places(work: Work, base: Path, hosts: list[str]) -> list[Place]:
    """The same job laid out for each host."""
    laid_out = [work.place(base / host).host(host, hosts) for host in hosts]
    for place in laid_out:
        (place.base / "checkpoints").mkdir()
    return laid_out


def start_both(
    work: Work, both: list[Place], *, faults: Any = (None, None), waits: float = 60.0, late: Any = (0, 0)
) -> Any:
    """The job at both hosts, each started after so many seconds."""
    port, start, runs = free_port(), time.monotonic(), {}
    for number in sorted((0, 1), key=lambda number: late[number]):
        time.sleep(max(0.0, start + late[number] - time.monotonic()))
        more = {"MASTER_PORT": port, "ALGOPORT_RENDEZVOUS_TIMEOUT": str(waits)}
        runs[number] = work.start(both[number], faults=faults[number], **more)
    return [runs[0], runs[1]]


def reference_job(work: Work, base: Path) -> Reference:
    """The model of two hosts that nothing disturbs."""
    both = places(for_two_hosts(work), base / "first", ADDRESSES)
    for run in start_both(work, both):
        run.wait(PATIENCE)
    both = places(for_two_hosts(work), base / "again", ADDRESSES)
    start = time.monotonic()
    runs = start_both(work, both)
    assert [run.wait(PATIENCE).code for run in runs] == [0, 0], runs[0].log + runs[1].log
    model = work.model(both[0])
    assert model
    return Reference(model, time.monotonic() - start, {})


def kill_one(number: int, work: Work, reference: Reference, base: Path) -> dict[str, Any]:
    """One of two hosts is killed at a random time; the other must name it, and soon. Then both run again."""
    chance = random.Random(f"host {number}")
    victim, connecting = chance.randrange(2), number % 5 == 4  # too short a moment to be met by chance
    faults: list[Any] = [None, None]
    if connecting:
        faults[victim] = {"dies": "connecting"}
    seconds, tries = chance.uniform(0, reference.seconds), 0
    while True:
        both = places(for_two_hosts(work), base / str(tries), ADDRESSES)
        runs = start_both(work, both, faults=faults, waits=MEETING)
        try:
            runs[victim].process.wait(PATIENCE if connecting else seconds)
        except subprocess.TimeoutExpired:
            killed(runs[victim])
        if runs[victim].wait().code:
            break
        seconds, tries = 0.7 * seconds, tries + 1  # both were through, faster than the reference: again, and sooner
    died, survivor = time.monotonic(), runs[1 - victim]
    alive = survivor.process.poll() is None
    survivor.wait(PATIENCE)
    seconds = time.monotonic() - died
    wrong = _wrong(survivor, ADDRESSES[victim], seconds) + damaged_checkpoints(both[0].base / "checkpoints")
    if work.model(both[0]) not in ((None, reference.model) if survivor.code else (reference.model,)):
        wrong.append(f"the other ended with {survivor.code}, and half a model stands there or none")
    runs = start_both(work, [without_failure_file(place) for place in both])
    if [run.wait(PATIENCE).code for run in runs] != [0, 0] or work.model(both[0]) != reference.model:
        wrong.append(f"the same job again ended with another model: {runs[0].log[-500:]}{runs[1].log[-500:]}")
    return {
        "work": work.name,
        "faults": 1,
        "survived": int(alive and survivor.code == 0),
        "resumed": "Resuming from checkpoint" in runs[0].log,
        "seconds": round(seconds, 2),
        "failures": wrong,
    }


def _wrong(survivor: Run, name: str, seconds: float) -> list[str]:
    """What is wrong with the end of the other host."""
    wrong = []
    if survivor.code and not (survivor.code == 1 and name in survivor.place.failure):
        wrong.append(f"ended with {survivor.code}, and does not name {name}: {survivor.place.failure}")
    if seconds > LIMIT:
        wrong.append(f"the other took {seconds:.1f} s to end")
    return wrong


def delay(number: int, work: Work, reference: Reference, base: Path) -> dict[str, Any]:
    """Names that resolve late, a host that comes late, a clock that jumps: the job must end as if nothing had been."""
    chance, both = random.Random(f"start {number}"), places(for_two_hosts(work), base, NAMES)
    odd, late = [], [0.0, 0.0]
    for _ in range(2):
        after = {name: round(chance.uniform(0, 12), 2) for name in NAMES}
        names = {name: (address, after[name]) for name, address in zip(NAMES, ADDRESSES, strict=True)}
        jump = chance.uniform(0, 4), chance.choice([-1, 1]) * chance.uniform(1, 100_000)
        odd.append({"names": names, **({"clock": jump} if chance.random() < 0.7 else {})})
    if number % 2:
        late[chance.randrange(2)] = chance.uniform(0, 20)
    start = time.monotonic()
    runs = start_both(work, both, faults=odd, late=late)
    codes = [run.wait(PATIENCE).code for run in runs]
    wrong = [] if codes == [0, 0] else [f"ended with {codes}: {runs[0].log[-500:]}{runs[1].log[-500:]}"]
    if work.model(both[0]) != reference.model:
        wrong.append("another model, or none")
    wrong += [f"a negative time: {line}" for run in runs for line in run.log.splitlines() if NEGATIVE.search(line)]
    waits = [late[i] + max(after for _, after in odd[i]["names"].values()) for i in range(2)]
    return {
        "work": work.name,
        "late": round(max(waits), 2),
        "seconds": round(time.monotonic() - start, 2),
        "failures": wrong,
    }
