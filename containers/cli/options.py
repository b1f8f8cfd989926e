"""What the options of several commands say, as the parts of a job's description."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description

Train = Annotated[str | None, typer.Option(help="The rows to learn from: PATH or 'PATH;content type'.")]
Validation = Annotated[str | None, typer.Option(help="The rows by which training is watched, where it is.")]
Test = Annotated[str | None, typer.Option(help="The rows to score the model with.")]
Model = Annotated[str | None, typer.Option(help="A model to train on from: its folder or archive.")]
Channels = Annotated[list[str] | None, typer.Option("--channel", help="Another channel: 'NAME=PATH;content type'.")]
Settings = Annotated[list[str] | None, typer.Option("--hp", help="A hyperparameter: NAME=VALUE. Repeat it.")]


Retries = Annotated[int, typer.Option(help="How often to start again after a failure that is not yours.", min=0)]
Spot = Annotated[bool, typer.Option("--spot", help="It may be interrupted, and resumes from its checkpoints.")]
Cores = Annotated[float | None, typer.Option(help="Processors for a job; what is not said is all there are.")]
Memory = Annotated[str | None, typer.Option(help="Memory for a job: 512M, 4G. It is limited to that.")]
Runtime = Annotated[float | None, typer.Option(help="Seconds after which a job is asked to stop.")]
Instance = Annotated[str | None, typer.Option(help="The machine whose price the report computes with.")]

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def size(option: str, text: str | None) -> int | None:
    """Bytes from `512M`."""
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UserError(f"{option}: must be a number of bytes such as 512M or 4G; it is {text!r}.")
    return int(float(match[1]) * _UNITS[match[2].upper()])


# How a command calls what the description of a job has.
_OPTIONS = {
    "script.entry": "The program",
    "script.source": "--source",
    "script.processes": "--processes",
    "limits.runtime": "--runtime",
    "limits.memory": "--memory",
    "limits.cpus": "--cores",
    "environment": "--env",
    "hosts": "--hosts",
    "name": "--name",
}


def check(description: Description) -> None:
    """`UserError` with all that is wrong with a job, by the names that the command has for it."""
    try:
        description.check()
    except UserError as error:
        pairs = (finding.partition(": ") for finding in error.findings)
        raise UserError([f"{_OPTIONS.get(name, name)}{colon}{rest}" for name, colon, rest in pairs]) from None


def channels(named: Iterable[tuple[str, str | None]], more: Iterable[str]) -> tuple[Channel, ...]:
    """All channels: those with an option of their own, and those of `--channel NAME=PATH[;type]`."""
    pairs = [(name, text) for name, text in named if text]
    for text in more:
        name, equals, place = text.partition("=")
        if not equals or not name:
            raise UserError(f"--channel: must be NAME=PATH[;content type]; it is {text!r}.")
        pairs.append((name, place))
    return tuple(_channel(name, text) for name, text in pairs)


def _channel(name: str, text: str) -> Channel:
    """From `PATH` or `PATH;content type`."""
    place, _, content_type = text.partition(";")
    if not place.strip():  # which would be the current folder
        raise UserError(f"Channel '{name}': must be at a PATH; it is {text!r}.")
    return Channel(name=name, path=Path(place).expanduser(), content_type=content_type.strip() or None)


def hyperparameters(texts: Iterable[str]) -> dict[str, str]:
    """What `--hp NAME=VALUE` says."""
    return pairs("--hp", texts)


def pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """What an option says that is repeated as `NAME=VALUE`."""
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"{option}: must be NAME=VALUE; it is {text!r}.")
        if name in given:
            raise UserError(f"{option}: {name} is given twice.")
        given[name] = value
    return given


def variables(texts: Iterable[str] | None) -> dict[str, str]:
    """What `--env NAME=VALUE` says."""
    return pairs("--env", texts or ())
