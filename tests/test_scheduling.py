"""Tests that share what is costly stay together, what waits for images comes last, and the time is reported by area."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from algoport import algorithms
from tests import durations, making, scheduling

ROOT = Path(__file__).parents[1]


def test_groups_areas_and_algorithms_of_real_tests(request: pytest.FixtureRequest) -> None:
    seen = {item.nodeid: item for item in collected("tests/conformance/test_models.py", "tests/containers/test_cli.py")}
    promises = [item for item in seen.values() if "conformance" in item.nodeid]
    waiting = [item for item in seen.values() if item.waits]

    assert {item.area for item in promises} == {"conformance"}
    for name in algorithms.names():
        assert {item.group for item in promises if item.algorithm == name} == {f"conformance {name}"}
    assert all(item.group.removeprefix("conformance ") in item.nodeid for item in promises), "stand-ins have their own"
    assert waiting and {item.area for item in waiting} == {"images"}
    assert list(seen.values())[-len(waiting) :] == waiting, "they come last"
    assert not {item.group for item in waiting} & {item.group for item in seen.values() if not item.waits}


def collected(*paths: str) -> list[SimpleNamespace]:
    """What a session of its own knows of its tests, in their order."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "-p", __name__, *paths]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("item\t")]
    assert lines, done.stdout + done.stderr
    return [
        SimpleNamespace(nodeid=nodeid, group=group, area=area, algorithm=algorithm, waits=waits == "True")
        for nodeid, group, area, algorithm, waits in lines
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """As a plugin of the session above."""
    for item in session.items:
        waits = item.get_closest_marker("docker") is not None
        words = (scheduling._group_of(item), scheduling.area(item), scheduling.algorithm(item), waits)
        print("item", item.nodeid, *words, sep="\t")


def report(area: str, algorithm: str, seconds: float, when: str = "call") -> Any:
    return SimpleNamespace(user_properties=[["cost", [area, algorithm]]], duration=seconds, when=when)


def test_seconds_are_added_up_by_area_and_algorithm_and_shared_out_among_workers() -> None:
    sums = durations.Durations()
    for each in (
        report("conformance", "a", 100.0, "setup"),
        report("conformance", "a", 60.0),
        report("algorithms", "a", 20.0),
        report("algorithms", "b", 10.0),
        report("images", "b", 1000.0),
        report("training", "", 30.0),
    ):
        sums.add(each)

    lines = list(sums.lines(2))

    cut = next(number for number, line in enumerate(lines) if line.startswith("and for an algorithm"))
    areas = {line.split()[0]: line.split()[1:] for line in lines[1:cut]}
    costs = {line.split()[0]: line.split()[1:] for line in lines[cut + 1 :]}
    assert list(areas) == ["images", "conformance", "algorithms", "training"]
    assert areas["images"] == ["1", "tests", "8:20", "min"] and areas["conformance"] == ["1", "tests", "1:20", "min"]
    assert costs["a"] == ["2", "tests", "90", "s", "over", "by", "15", "s"]
    assert costs["b"] == ["1", "tests", "5", "s"], "its image is apart"


def test_what_one_worker_has_made_no_other_makes_again(tmp_path: Path) -> None:
    """Two processes of one session, of which each wants both targets."""
    program = (
        "import pathlib, subprocess, sys\n"
        "from tests import making\n"
        f"place = pathlib.Path({str(tmp_path)!r})\n"
        "def run(targets):\n"
        "    (place / f'{targets[0]}-{sys.argv[1]}').touch()\n"
        "    return subprocess.CompletedProcess(targets, 3, 'said', 'wrong')\n"
        "making._run = run\n"
        "for target in ('one', 'two'):\n"
        "    done = making.make(target)\n"
        "    assert (done.returncode, done.stdout, done.stderr) == (3, 'said', 'wrong')\n"
    )
    records = tmp_path / "records"
    records.mkdir()
    environment = os.environ | {making.RECORDS: str(records), "PYTHONPATH": str(ROOT)}

    workers = [subprocess.Popen([sys.executable, "-c", program, str(n)], cwd=ROOT, env=environment) for n in range(2)]

    assert [worker.wait(60) for worker in workers] == [0, 0]
    made = [path.name.partition("-")[0] for path in tmp_path.iterdir() if path != records]
    assert sorted(made) == ["one", "two"]
