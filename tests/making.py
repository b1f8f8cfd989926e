"""What some tests need and takes minutes to make, images and environments of clients, is made beside the tests that do
without it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Done = subprocess.CompletedProcess[str]

# One at a time: builds side by side would each make the layers that they share.
_pool = ThreadPoolExecutor(1, thread_name_prefix="making")
_begun: dict[tuple[str, ...], Future[Done]] = {}
_running: list[subprocess.Popen[str]] = []


def make(*targets: str) -> Done:
    """How `make` went with these targets, once in a session."""
    return _begin(targets).result()


def image(name: str) -> tuple[str, ...]:
    """The targets of an algorithm's image."""
    return "base", "image", f"A={name}"


def has_engine() -> bool:
    """Whether a Docker Engine answers."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def begin(items: Iterable[pytest.Item]) -> None:
    """Begin with all that these tests need, in their order."""
    wanted = dict.fromkeys(targets for item in items for targets in _needed(item))
    if wanted and has_engine():
        for targets in wanted:
            _begin(targets)


def stop() -> None:
    """Leave what has not been made."""
    _pool.shutdown(wait=False, cancel_futures=True)
    for process in list(_running):  # the other thread may take one away
        with contextlib.suppress(OSError):
            process.terminate()


def _needed(item: pytest.Item) -> Iterator[tuple[str, ...]]:
    yield from (mark.args for mark in item.iter_markers("makes"))
    if "image" in getattr(item, "fixturenames", ()):
        yield image("kmeans")


def _begin(targets: tuple[str, ...]) -> Future[Done]:
    if targets not in _begun:
        _begun[targets] = _pool.submit(_made, targets)
    return _begun[targets]


def _made(targets: tuple[str, ...]) -> Done:
    pipe = subprocess.PIPE
    with subprocess.Popen(["make", *targets], cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as process:
        _running.append(process)
        told, faults = process.communicate()
        _running.remove(process)
    return subprocess.CompletedProcess(process.args, process.returncode, told, faults)
