"""Every promise is tested for every algorithm there is, also for those that `ALGORITHM_PATH` adds, and for stand-ins of
kinds of records that no algorithm has yet.

A test's name is the promise. An algorithm that cannot keep one says so in `ALGORITHM.exceptions`, the sentence in
front of its reason; the test is then skipped and the reason shown at the end of the run.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from algoport import algorithms
from algoport.training import log, metrics
from tests.conformance.definitions import JobLog
from tests.conformance.example import Asking, Example
from tests.conformance.folder import Server, Trained, ml_folder
from tests.groups import together

Members = Callable[[int], list[Any]]
Looks = Callable[[int], int]

STANDINS = Path(__file__).with_name("standins")


def promise(function: Any) -> str:
    """The sentence of a test."""
    return str(function.__name__).removeprefix("test_").replace("_", " ")


def pytest_generate_tests(metafunc: Any) -> None:
    """One test an algorithm."""
    if "name" in metafunc.fixturenames:
        own = metafunc.module.__name__.endswith("test_standins")
        metafunc.parametrize("name", standins() if own else [*algorithms.names(), *standins()], scope="session")


def standins() -> list[str]:
    """The public names of the stand-ins."""
    return sorted(path.parent.name.replace("_", "-") for path in STANDINS.glob("*/train.py"))


@pytest.fixture(scope="session")
def reachable(name: str) -> Iterator[None]:
    """Adds the stand-ins to where algorithms lie, for as long as one of them is tested."""
    with pytest.MonkeyPatch.context() as patch:
        if name in standins():
            places = [os.environ.get("ALGORITHM_PATH", ""), str(STANDINS)]
            patch.setenv("ALGORITHM_PATH", os.pathsep.join(filter(None, places)))
        yield


@pytest.fixture(scope="session")
def example(name: str, reachable: None) -> Example:
    """The algorithm's smallest job."""
    return Example(name)


@pytest.fixture(autouse=True)
def skip_exceptions(request: Any) -> None:
    """Skips the promises that the algorithm says it does not keep."""
    if "name" in request.fixturenames:
        reason = request.getfixturevalue("example").algorithm.exceptions.get(promise(request.function))
        if reason:
            pytest.skip(
                f"{request.getfixturevalue('name')} does not promise that {promise(request.function)}: {reason}"
            )


@pytest.fixture(scope="session")
def model(example: Example) -> Any:
    """What the smallest job leaves."""
    return example.fit()


@pytest.fixture(scope="session")
def members(example: Example) -> Members:
    """The models of so many members, who all hold the whole data; trained once for each number."""
    return functools.cache(lambda size: together(size, example.fit))


@pytest.fixture(scope="session")
def looks(example: Example) -> Looks:
    """How often the last of so many members looks in the smallest job whether a stop was asked for."""

    def count(size: int) -> int:
        asked = [Asking() for _ in range(size)]
        together(size, lambda group: example.fit(group, stop_requested=asked[group.rank]))
        return asked[-1].looks

    return functools.cache(count)


@pytest.fixture(scope="session")
def trained(example: Example, tmp_path_factory: Any) -> Trained:
    """A folder in which `train` has run the smallest job on files, with nothing but what a bare folder has."""
    folder = ml_folder(tmp_path_factory.mktemp("ml"), example)
    return Trained(folder=folder, run=folder.train())


@pytest.fixture(scope="session")
def job_log(example: Example, trained: Trained, tmp_path_factory: Any) -> JobLog:
    """The metrics that the smallest job and the `others` have logged and reported."""
    lines = trained.log.splitlines()
    history = json.loads((trained.folder.path / "output/data/metrics.json").read_text())["history"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "line", lines.append)
        for number, (given, rows) in enumerate(example.others()):
            ours = metrics.Metrics(example.algorithm, "algo-1", tmp_path_factory.mktemp(f"other-{number}"))
            example.fit_other(given, rows, reporter=ours.reporter())
            history += ours.history
    finite = [entry for entry in history if entry["value"] is not None and math.isfinite(entry["value"])]
    return JobLog(lines=lines, history=finite)


@pytest.fixture(scope="session")
def server(trained: Trained) -> Iterator[Server]:
    """`serve`, answering from what `train` left."""
    with trained.folder.serve() as server:
        yield server


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Shows the promises that are not kept, with their reasons."""
    skipped = {
        report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if len(report.longrepr or ()) == 3
    }
    for line in sorted(line for line in skipped if "does not promise that" in line):
        terminalreporter.write_line(line.removeprefix("Skipped: "))
