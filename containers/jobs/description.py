"""What a job is, before it runs: all that somebody who starts it has to say, as data that JSON can hold."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.processing import Processing
from algoport.containers.jobs.script import Script

MOST_HOSTS = 64  # on one machine
_STRICT = ConfigDict(extra="forbid")
_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a job may use; None is no limit."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    runtime: float | None = None  # seconds until it is asked to stop
    grace: float = 120.0  # seconds between being asked to stop and being killed
    memory: int | None = None  # bytes that a host may use
    cpus: float | None = None  # processors that a host may keep busy

    def faults(self) -> Iterator[str]:
        """Sentences on limits that cannot be."""
        for name in ("runtime", "memory", "cpus"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                yield f"limits.{name}: must be a number greater than 0; it is {value}."
        if not 0 <= self.grace < math.inf:
            yield f"limits.grace: must be at least 0 seconds; it is {self.grace}."


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How a metric is found in the log: the first group of the regular expression is its value."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    regex: str

    def faults(self) -> Iterator[str]:
        """Sentences on an expression that cannot be searched for."""
        try:
            groups = re.compile(self.regex).groups
        except re.error as error:
            yield f"Metric '{self.name}': {self.regex!r} is no regular expression: {error}."
            return
        if groups < 1:
            yield f"Metric '{self.name}': the regular expression must have a group for the value: {self.regex!r}."


@dataclass(frozen=True, kw_only=True)
class Description:
    """A training job: of an algorithm that is installed here, as processes, of an image, in containers, or of a program
    of the user's own, as processes: as it stands, or in script mode, which an image for scripts does as well."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    folder: Path  # laid out as the contract has /opt/ml, and `run` for what is known of the job
    algorithm: str | None = None  # required without an image or a program
    image: str | None = None
    command: tuple[str, ...] = ("train",)  # what the image is asked to do
    program: tuple[str, ...] = ()  # to run as it stands here, in place of an algorithm
    script: Script | None = None  # to run in script mode, here or in an image for scripts
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    hosts: int = 1
    limits: Limits = Limits()
    checkpoints: Path | None = None  # the folder from which it resumes, and into which it writes its state
    environment: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Definition, ...] = ()  # beside those that the algorithm declares
    processing: Processing | None = None  # where the script runs for processing, and not for training
    network: bool = False  # whether the container of a single host has one
    name: str = field(default_factory=lambda: f"job-{secrets.token_hex(6)}")  # its label on processes and containers

    @property
    def host_names(self) -> tuple[str, ...]:
        """What its hosts call each other; the first writes the model."""
        return tuple(f"algo-{number}" for number in range(1, self.hosts + 1))

    def base(self, host: str) -> Path:
        """The ml folder of one host: that of the first is the job's own."""
        folder = self.folder.absolute()
        return folder if host == self.host_names[0] else folder / "hosts" / host

    @property
    def run(self) -> Path:
        """Where logs lie, and what is known of the processes or containers."""
        return self.folder.absolute() / "run"

    def check(self) -> None:
        """`UserError` with all that is wrong, as far as it can be seen from here."""
        faults = list(self._faults())
        if faults:
            raise UserError(faults)

    def _faults(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"name: must have 1 to 63 letters, digits and hyphens between them; it is {self.name!r}."
        if self.algorithm is None and self.image is None and not self.program and self.script is None:
            yield "A job needs an algorithm that is installed here, an image, or a program."
        if self.script is not None:
            if self.algorithm is not None or self.program:
                yield "script: runs in place of an algorithm or a program; give one of them."
            yield from self.script.faults()
        if self.processing is not None:
            if self.script is None or self.script.is_archive or self.script.torchrun:
                yield "processing: needs a script in a folder, without torchrun."
            yield from self.processing.faults()
        if self.program and (self.algorithm is not None or self.image is not None):
            yield "program: runs in place of an algorithm or an image; give one of them."
        if self.program and self.hosts > 1:
            yield f"hosts: a program of one's own runs on one; it is {self.hosts}."
        if self.algorithm is not None and self.algorithm.replace("_", "-") not in algorithms.names():
            yield f"There is no algorithm '{self.algorithm}'. There are: {', '.join(algorithms.names())}."
        if not 1 <= self.hosts <= MOST_HOSTS:
            yield f"hosts: must be from 1 to {MOST_HOSTS}; it is {self.hosts}."
        names = [channel.name for channel in self.channels]
        yield from (f"Channel '{name}' is given twice." for name in sorted(set(names)) if names.count(name) > 1)
        yield from (
            f"environment: {name!r} is no name of a variable."
            for name in self.environment
            if not _VARIABLE.fullmatch(name)
        )
        yield from self.limits.faults()
        for channel in self.channels:
            yield from channel.faults()
        for definition in self.metrics:
            yield from definition.faults()

    def to_json(self) -> dict[str, Any]:
        """All of it as objects that `json` writes; `from_json` makes an equal one of them."""
        written: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return written

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Description:
        """From what `to_json` gave, or somebody wrote; `UserError` names each entry that is not as it should be."""
        try:
            return _adapter().validate_json(_text(written))
        except ValidationError as error:
            raise UserError([_sentence(fault) for fault in error.errors()]) from None


def _adapter() -> TypeAdapter[Description]:
    return TypeAdapter(Description)


def _text(written: Mapping[str, Any]) -> str:
    import json

    return json.dumps(written, default=str)


def _sentence(fault: Any) -> str:
    place = ".".join(map(str, fault["loc"])) or "The description of a job"
    if fault["type"] == "unexpected_keyword_argument":
        return f"{place}: is no part of the description of a job."
    if fault["type"] in ("missing", "missing_argument"):
        return f"{place}: is required."
    return f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}; it is {fault['input']!r}."
