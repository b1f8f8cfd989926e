"""For the whole suite: kernels as an image would run them, the same examples at every run, and where the time went."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from algoport import algorithms
from algoport.algorithms.shared import compiled, machine
from tests import compilations, durations, making, scheduling

SHOWN_LINES = 12  # of a failure, when it happens; the end of a session has all

_durations = pytest.StashKey[durations.Durations]()


def pytest_configure(config: pytest.Config) -> None:
    """Before numba is imported anywhere, its threads are chosen; examples do not depend on the day or the load."""
    # Threads of torch that wait for each other while somebody else computes would keep the others' cores busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT") or 1)
    # At least two, for what must not depend on their number.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(max(2, machine.cores() // workers)))
    compiled.prepare()
    compiled.allow()  # tests call kernels as no job does
    settings.register_profile("suite", deadline=None, derandomize=True)
    settings.load_profile("suite")
    making.open_session()
    config.stash[_durations] = durations.Durations()


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto` a worker a core; each may take a gigabyte."""
    return min(4, machine.cores())


def pytest_sessionstart(session: pytest.Session) -> None:
    """Failures are named as they come; before a whole suite is handed to workers, what all examples need is compiled,
    once."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        config.pluginmanager.register(Failures(terminal))
    shared = getattr(config.option, "numprocesses", None)
    chosen = config.option.keyword or config.option.markexpr or config.option.collectonly
    if shared and not chosen and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.stash[_durations].compile(algorithms.names())
        compilations.open_record()


class Failures:
    """Names what failed when it fails: a long session may be ended before its summary."""

    def __init__(self, terminal: Any) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Write the test's name and the end of its failure below the dots."""
        if report.failed:
            self.terminal.ensure_newline()
            self.terminal.write_line(f"FAILED {report.nodeid} ({report.when})", red=True)
            for line in report.longreprtext.splitlines()[-SHOWN_LINES:]:
                self.terminal.write_line(f"    {line}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Only the conformance suite sees the stand-ins that it adds to where algorithms lie, also where tests of others
    follow on the same worker."""
    with pytest.MonkeyPatch.context() as patch:
        if "reachable" not in getattr(item, "fixturenames", ()):
            patch.delenv("ALGORITHM_PATH", raising=False)
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test knows its group and what it is about."""
    scheduling.arrange(items)
    for item in items:
        durations.note(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Images and environments are made beside the tests that do without them, by the first worker for all."""
    worker = getattr(session.config, "workerinput", {"workerid": "gw0"})["workerid"]
    if worker == "gw0" and not session.config.option.collectonly:
        making.begin(session.items)


def pytest_sessionfinish() -> None:
    """Nobody needs what has not been made by now."""
    making.stop()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the time went, if it was long, and what jobs had to compile."""
    sums = config.stash[_durations]
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                sums.add(report)
    if sums.seconds and sums.elapsed >= durations.SHOWN:
        terminalreporter.section("where the time went")
        for line in [*sums.lines(getattr(config.option, "numprocesses", None) or 1), *compilations.lines()]:
            terminalreporter.write_line(line)
