"""What the store holds of a training job: what was asked for, as data that JSON can hold, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.description import Description

MOST_RETRIES = 30
MOST_LETTERS = 58  # of a name: a label of 63 must hold the number of the attempt, too


@dataclass(frozen=True, kw_only=True)
class Request:
    """A training job as the store has it: the job, and how it is to be scheduled."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    description: Description  # its name is the job's
    cores: float  # of the machine, for all hosts together
    memory: int | None = None  # bytes, for all hosts together; None: it is not counted, and not limited
    retries: int = 0  # how often it is started again after a failure that is not its user's
    spot: bool = False  # whether it may be interrupted, to resume from its checkpoints later
    wait: float | None = None  # seconds from its submission until a spot job is stopped, run or not
    instance: str | None = None  # whose price the report computes with
    data: str | None = None  # digest of what is read of its channels
    revision: str | None = None  # of this package
    search: tuple[str, ...] = ()  # further folders of algorithms

    def check(self) -> None:
        """`UserError` with all that is wrong."""
        faults = list(self._faults())
        try:
            self.description.check()
        except UserError as error:
            faults += error.findings
        if faults:
            raise UserError(faults)

    def _faults(self) -> Iterator[str]:
        if len(self.description.name) > MOST_LETTERS:
            yield f"name: must have at most {MOST_LETTERS} letters; {self.description.name!r} has more."
        if not 0 <= self.retries <= MOST_RETRIES:
            yield f"retries: must be from 0 to {MOST_RETRIES}; it is {self.retries}."
        if not self.cores > 0:
            yield f"cores: must be greater than 0; it is {self.cores:g}."
        if self.memory is not None and not self.memory > 0:
            yield f"memory: must be greater than 0; it is {self.memory}."
        if self.spot and self.description.checkpoints is None:
            yield "A spot job needs a folder for its checkpoints."
        runtime = self.description.limits.runtime
        if self.wait is not None and not self.spot:
            yield "wait: is for spot jobs; say --spot, too."
        elif self.wait is not None and self.wait < (runtime or 0):
            yield f"wait: must be at least the runtime ({runtime:g} s); it is {self.wait:g}."

    def attempt(self, number: int, spent: float) -> Description:
        """The job that is started for the n-th time, after so many seconds in earlier attempts."""
        one, hosts = self.description, self.description.hosts
        runtime = one.limits.runtime
        limits = replace(
            one.limits,
            cpus=self.cores / hosts,
            memory=self.memory // hosts if self.memory is not None else None,
            runtime=max(runtime - spent, 1e-3) if runtime is not None else None,
        )
        return replace(one, name=label(one.name, number), limits=limits)

    def to_json(self) -> dict[str, Any]:
        """All of it as objects that `json` writes."""
        written: dict[str, Any] = TypeAdapter(Request).dump_python(self, mode="json")
        return written

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Request:
        """From what `to_json` gave; `UserError` where it is something else."""
        try:
            return TypeAdapter(Request).validate_json(json.dumps(written))
        except ValidationError as error:
            raise UserError(f"The store holds a request that cannot be read: {error.errors()[0]['msg']}.") from None


def label(name: str, attempt: int) -> str:
    """What processes or containers of an attempt are called: the job's name, for the first."""
    return name if attempt == 1 else f"{name}-r{attempt}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the store: something that was asked for."""

    name: str
    request: Mapping[str, Any]
    state: str
    attempt: int = 0  # how often it was started
    stop: str | None = None  # why it is to stop, where somebody has asked
    created: float
    started: float | None = None  # for the first time
    ended: float | None = None
    parent: str | None = None  # the tuning job of which it is one
    number: int | None = None  # which one
    notes: Mapping[str, Any] = field(default_factory=dict)  # of whoever asked for it
    outcome: Mapping[str, Any] = field(default_factory=dict)  # what is known of how it went


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One start of a job."""

    number: int
    started: float
    spoke: float | None = None  # when its log began
    ended: float | None = None
    reason: str | None = None  # why it was asked to stop
    code: int | None = None
    failure: str | None = None
    cpu: float | None = None  # seconds that processors were busy
    peak: int | None = None  # bytes

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return max(0.0, self.ended - self.started) if self.ended is not None else 0.0
