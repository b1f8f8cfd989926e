"""What there is: `algoport list` and `algoport describe`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from algoport import algorithms

Name = Annotated[str, typer.Argument(help="An algorithm, as `algoport list` names it.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Specification = Annotated[bool, typer.Option("--json", help="As a TrainingSpecification, for programs.")]


def checked_name(name: str) -> str:
    """The name, if there is such an algorithm; `UserError` with those there are."""
    if name not in algorithms.names():
        algorithms.folder(name)
    return name.replace("_", "-")


def listing(as_json: AsJson = False) -> None:
    """The algorithms there are, and what each is for."""
    declared = [algorithms.find(name) for name in algorithms.names()]
    if as_json:
        facts = ("name", "title", "problem", "summary", "gpu", "hosts")
        print(json.dumps([{fact: getattr(algorithm, fact) for fact in facts} for algorithm in declared], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("algorithm", "for", "summary", box=None, pad_edge=False, header_style="bold")
    for algorithm in declared:
        table.add_row(algorithm.name, algorithm.problem, algorithm.summary)
    Console().print(table)


def describe(name: Name, as_json: Specification = False) -> None:
    """What an algorithm accepts, sets and reports."""
    from algoport.containers.jobs import describe as pages

    name = checked_name(name)
    if as_json:
        print(json.dumps(pages.training(name, pages.image_of(name)), indent=2))
    else:
        print(pages.text(name))
