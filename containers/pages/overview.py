"""The first page's list of algorithms, and how many of the collection are still to come."""

from __future__ import annotations

from pathlib import Path

from algoport import algorithms
from algoport.algorithms.contract import Algorithm
from algoport.containers.pages import speed
from algoport.containers.pages.markdown import table

INCREMENTAL = "incremental training works"  # the promise, as the conformance tests name it
_NUMBERS = ("", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")


def algorithms_table(results: Path) -> str:
    """A row for each algorithm, with the speed of the middle one of its cases in these results of benchmarks."""
    head = ["algorithm", "for", "CPU", "GPU", "hosts", "incremental training", "speed"]
    return table(head, [_row(algorithms.find(name), results) for name in algorithms.names()])


def coming(specifications: Path) -> str:
    """A sentence on the specified algorithms that are not there yet; nothing where all are.

    A specification is a YAML file with the algorithm's public name.
    """
    missing = {path.stem for path in specifications.glob("*.yaml")} - set(algorithms.names())
    if not missing:
        return ""
    count = _NUMBERS[len(missing)] if len(missing) < len(_NUMBERS) else str(len(missing))
    is_are = "is" if len(missing) == 1 else "are"
    return f"{count} more {is_are} to come: {', '.join(sorted(missing))}.\n"


def page(name: str) -> str:
    """A link from the first page to an algorithm's."""
    return f"[{name}](algorithms/{algorithms.folder(name).name}/README.md)"


def _row(algorithm: Algorithm, results: Path) -> list[str]:
    return [
        page(algorithm.name),
        algorithm.problem,
        "●",
        "●" if algorithm.gpu else "",
        "many" if algorithm.hosts else "one",
        "" if INCREMENTAL in algorithm.exceptions else "●",
        speed.usual(results / f"{algorithms.folder(algorithm.name).name}.json"),
    ]
