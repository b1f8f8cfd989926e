"""All kinds of faults, by the names that `make soak KIND=…` takes; each run follows from its number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults import control, disk, endpoints, hosts, interrupted, memory, transforms, workers
from tests.faults.work import Reference, Work, reference_job, work

Act = Callable[[int, Work, Reference, Path], dict[str, Any]]

KINDS: dict[str, Act] = {
    **{
        f"{signal}{suffix}": partial(interrupted.interrupt, signal, moment)
        for signal in ("sigkill", "sigterm")
        for suffix, moment in (("", "training"), ("-checkpoint", "checkpoint"), ("-model", "model"))
    },
    "host": hosts.kill_one,
    "start": hosts.delay,
    "disk": disk.fill,
    "memory": memory.limit,
    "worker": workers.kill_workers,
}
# Of what is around jobs: these need no job to compare with.
AROUND: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "control": control.kill_control_of_processes,
    "control-containers": control.kill_control_of_containers,
    "transform": transforms.kill_driver,
}
# Of these a run takes a minute: `make test` has shorter ones of its own.
LONG: dict[str, Callable[[int, Path], dict[str, Any]]] = {"deploy": endpoints.kill_instances}
# Which need another job to compare with, or only one algorithm: both hosts sum in an order of their own, and a
# server is the same whatever it serves.
TOGETHER = ("host", "start")
ONE = ("worker",)


class References:
    """The jobs that runs are compared with, each made when it is first asked for."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._made: dict[str, Reference] = {}

    def of(self, kind: str, work: Work) -> Reference:
        """The one of this work, as runs of that kind do it."""
        together = kind in TOGETHER
        name = f"{'two' if together else 'one'}-{work.name.replace(' ', '-')}"
        if name not in self._made:
            self._made[name] = (hosts.reference_job if together else reference_job)(work, self._base / name)
        return self._made[name]


def run(kind: str, number: int, references: References, base: Path) -> dict[str, Any]:
    """What came of one run, in a folder of its own."""
    if kind in AROUND | LONG:
        return (AROUND | LONG)[kind](number, base / f"{kind}-{number}")
    chosen = work(0) if kind in ONE else work(number)
    return KINDS[kind](number, chosen, references.of(kind, chosen), base / f"{kind}-{number}")
