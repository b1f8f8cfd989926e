"""What the options of several commands say, as the parts of a job's description."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from algoport.algorithms.contract.errors import UserError
from algoport.containers.jobs.channels import Channel

Train = Annotated[str | None, typer.Option(help="The rows to learn from: PATH or 'PATH;content type'.")]
Test = Annotated[str | None, typer.Option(help="The rows to score the model with.")]
Model = Annotated[str | None, typer.Option(help="A model to train on from: its folder or archive.")]
Channels = Annotated[list[str] | None, typer.Option("--channel", help="Another channel: 'NAME=PATH;content type'.")]
Settings = Annotated[list[str] | None, typer.Option("--hp", help="A hyperparameter: NAME=VALUE. Repeat it.")]


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
    return Channel(name=name, path=Path(place).expanduser(), content_type=content_type.strip() or None)


def hyperparameters(texts: Iterable[str]) -> dict[str, str]:
    """What `--hp NAME=VALUE` says."""
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"--hp: must be NAME=VALUE; it is {text!r}.")
        if name in given:
            raise UserError(f"--hp: {name} is given twice.")
        given[name] = value
    return given
