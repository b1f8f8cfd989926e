"""Which tests of a session stay together on one worker, and in which order groups are handed out.

Under `pytest -n 2 --dist loadgroup` a worker takes a whole group at a time. Tests of one file share their fixtures, and
the promises of one algorithm share its trained example, so each of these is a group. Groups that must not run beside
their likes, as they use a fixed port or the whole machine, carry one name in `pytest.mark.xdist_group`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from algoport import algorithms
from tests import making

HERE = Path(__file__).parent


def arrange(items: list[pytest.Item]) -> None:
    """Name every test's group; put what waits for images and environments last, as these are built meanwhile."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group(item)))
    waiting = {_group_of(item) for item in items if _waits(item)}
    items.sort(key=lambda item: (_group_of(item) in waiting, _rank(item)))  # stable: files keep their order


def group(item: pytest.Item) -> str:
    """The file, in two parts where some of its tests wait for what is being built; the algorithm where every algorithm
    has the same tests."""
    path = item.path.relative_to(HERE) if item.path.is_relative_to(HERE) else item.path
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    name = parameters.get("name") or _parameter(item)  # of a stand-in, too
    if path.parts[0] == "conformance" or (name and path.name == "test_every_image.py"):
        return f"{path.parts[0]} {name}".strip()
    return f"{path} that wait" if _waits(item) else str(path)


def algorithm(item: pytest.Item) -> str:
    """The algorithm that a test is about; empty where it is about none."""
    if item.path.is_relative_to(HERE / "algorithms"):
        folder = item.path.relative_to(HERE / "algorithms").parts[0]
        return next((name for name in algorithms.names() if name.replace("-", "_") == folder), "")
    return _parameter(item)


def area(item: pytest.Item) -> str:
    """The part of the project that a test is of: its folder; apart from it, what needs a Docker Engine."""
    if not item.path.is_relative_to(HERE):
        return "elsewhere"
    folder = item.path.relative_to(HERE).parts[0]
    if folder == "containers" and (item.get_closest_marker("docker") or any(making.needs(item))):
        return "images"
    return "architecture" if folder.endswith(".py") else folder


def _group_of(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    assert mark is not None
    return str(mark.args[0] if mark.args else mark.kwargs["name"])


def _parameter(item: pytest.Item) -> str:
    """The algorithm that a test's parameters name; empty where they name none."""
    words = getattr(getattr(item, "callspec", None), "id", "")
    longest = sorted(algorithms.names(), key=len, reverse=True)
    return next((name for name in longest if re.search(rf"(?<![a-z0-9]){name}(?![a-z0-9])", words)), "")


def _waits(item: pytest.Item) -> bool:
    return item.get_closest_marker("docker") is not None or any(making.needs(item))


def _rank(item: pytest.Item) -> int:
    """The largest groups first, so that none is left over for one worker at the end."""
    folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
    return {"faults": 0, "conformance": 1, "fuzzing": 2, "training": 3, "serving": 4}.get(folder, 5)
