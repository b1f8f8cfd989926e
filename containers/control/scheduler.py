"""Which jobs may start: cores and memory of the machine, shared out in the order in which jobs were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine

_SLACK = 1e-9  # shares such as 2/3 do not add up exactly


@dataclass(frozen=True)
class Machine:
    """What there is to share out."""

    cores: float
    memory: int | None  # bytes; None: not known, and not counted

    @classmethod
    def here(cls) -> Machine:
        """What this process may use."""
        return cls(machine.cores(), machine.memory_limit())


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a job takes up while it runs."""

    name: str
    cores: float
    memory: int = 0  # bytes
    spot: bool = False


def check(need: Need, there: Machine) -> None:
    """`UserError` where a job would wait for ever."""
    faults = []
    if need.cores > there.cores + _SLACK:
        faults.append(f"cores: must be at most {there.cores:g}, which this machine has; it is {need.cores:g}.")
    if there.memory is not None and need.memory > there.memory:
        faults.append(f"memory: must be at most {there.memory:,} bytes, which this machine has; it is {need.memory:,}.")
    if faults:
        raise UserError(faults)


def admitted(waiting: Iterable[Need], running: Sequence[Need], there: Machine) -> list[Need]:
    """Those that can start now. None overtakes another of its kind, so that what needs much has its turn; jobs on
    demand come before spot jobs."""
    holders, ready = list(running), []
    queue = sorted(waiting, key=lambda need: need.spot)  # stable
    for need in queue:
        if not _fits(need, holders, there):
            break
        holders.append(need)
        ready.append(need)
    return ready


def interrupted(waiting: Iterable[Need], running: Sequence[Need], there: Machine) -> list[Need]:
    """The spot jobs that have to make room for the first job on demand that waits: those that started last, and none
    where that would not be enough."""
    first = next((need for need in waiting if not need.spot), None)
    if first is None or _fits(first, running, there):
        return []
    left, leaving = list(running), []
    for need in reversed(running):
        if need.spot:
            left.remove(need)
            leaving.append(need)
            if _fits(first, left, there):
                return leaving
    return []


def _fits(need: Need, holders: Sequence[Need], there: Machine) -> bool:
    cores = sum(one.cores for one in holders) + need.cores
    memory = sum(one.memory for one in holders) + need.memory
    return cores <= there.cores + _SLACK and (there.memory is None or memory <= there.memory)
