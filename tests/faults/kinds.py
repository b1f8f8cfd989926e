"""All kinds of faults, by the names that `make soak KIND=…` takes; each run follows from its number."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults import disk, hosts, interrupted, memory, workers
from tests.faults.work import WORKS, Whole, Work, undisturbed, work

Act = Callable[[int, Work, Whole, Path], dict[str, Any]]

KINDS: dict[str, Act] = {
    **{
        f"{signal}{suffix}": partial(interrupted.struck, signal, moment)
        for signal in ("sigkill", "sigterm")
        for suffix, moment in (("", "training"), ("-checkpoint", "checkpoint"), ("-model", "model"))
    },
    "host": hosts.lost,
    "start": hosts.delayed,
    "disk": disk.full,
    "memory": memory.short,
    "worker": workers.killed,
}
# Which need another job to compare with, or only one algorithm: both hosts sum in an order of their own, and a
# server is the same whatever it serves.
TOGETHER = ("host", "start")
ONE = ("worker",)


class Faults:
    """The runs of one kind, which share the undisturbed jobs that they are compared with."""

    def __init__(self, kind: str, base: Path) -> None:
        self.kind, self._base = kind, base
        self._wholes: dict[str, Whole] = {}

    def run(self, number: int) -> dict[str, Any]:
        """What came of one run; its folder is left where anything was lost."""
        chosen = WORKS[0] if self.kind in ONE else work(number)
        if chosen.name not in self._wholes:
            make = hosts.undisturbed if self.kind in TOGETHER else undisturbed
            self._wholes[chosen.name] = make(chosen, self._base / chosen.name.replace(" ", "-"))
        return KINDS[self.kind](number, chosen, self._wholes[chosen.name], self._base / str(number))


@contextmanager
def faults(kind: str) -> Iterator[Faults]:
    """Those of a kind, in a folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="algoport-faults-") as folder:
        yield Faults(kind, Path(folder))
