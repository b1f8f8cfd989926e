"""What some tests need and takes minutes to build, images and environments of clients, is built beside the tests that
do without it: one thing at a time, and once in a session, however many workers run its tests."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORDS = "ALGOPORT_TEST_BUILDS"  # the folder where the workers of a session note what has been built
LOOK = 0.2  # seconds between looks at whether it is this worker's turn
Outcome = subprocess.CompletedProcess[str]

# One at a time: builds side by side would each make the layers that they share.
_pool = ThreadPoolExecutor(1, thread_name_prefix="making")
_futures: dict[tuple[str, ...], Future[Outcome]] = {}
_running: list[subprocess.Popen[str]] = []
_end = threading.Event()
_own: list[Path] = []  # the folder of records, in the process that named it


def open_session() -> None:
    """Name the folder of records, unless the session has one: workers and nested sessions inherit its name. It is made
    with the first record."""
    if not os.environ.get(RECORDS):
        _own.append(Path(tempfile.gettempdir()) / f"algoport-builds-{uuid.uuid4().hex}")
        os.environ[RECORDS] = str(_own[0])


def make(*targets: str) -> Outcome:
    """How `make` went with these targets, once in a session."""
    return _submit(targets).result()


def image(name: str) -> tuple[str, ...]:
    """The targets of an algorithm's image, or of that for scripts."""
    return ("script",) if name == "script" else ("base", "image", f"A={name}")


def has_engine() -> bool:
    """Whether a Docker Engine answers."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def begin(items: Iterable[pytest.Item]) -> None:
    """Begin with all that these tests need, in their order."""
    wanted = dict.fromkeys(targets for item in items for targets in needs(item))
    if wanted and has_engine():
        for targets in wanted:
            _submit(targets)


def stop() -> None:
    """Leave what has not been made; the last of a session removes its records."""
    _end.set()
    _pool.shutdown(wait=False, cancel_futures=True)
    for process in list(_running):  # the other thread may take one away
        with contextlib.suppress(OSError):
            process.terminate()
    for folder in _own:
        shutil.rmtree(folder, ignore_errors=True)


def needs(item: pytest.Item) -> Iterator[tuple[str, ...]]:
    """The targets that a test waits for."""
    yield from (mark.args for mark in item.iter_markers("makes"))
    if "image" in getattr(item, "fixturenames", ()):
        yield image("kmeans")


def _submit(targets: tuple[str, ...]) -> Future[Outcome]:
    if targets not in _futures:
        _futures[targets] = _pool.submit(_outcome, targets)
    return _futures[targets]


def _outcome(targets: tuple[str, ...]) -> Outcome:
    """Of this session's one run of `make` with these targets, whichever worker's it is."""
    folder = Path(os.environ[RECORDS])
    folder.mkdir(mode=0o700, exist_ok=True)
    record = folder / f"{hashlib.sha256(' '.join(targets).encode()).hexdigest()[:16]}.json"
    with _turn(folder / "turn"):
        if record.is_file():
            return subprocess.CompletedProcess(targets, **json.loads(record.read_text()))
        if _end.is_set():
            return subprocess.CompletedProcess(targets, 1, "", "the session has ended")
        outcome = _run(targets)
        if not _end.is_set():  # one that was cut short says nothing to the others
            parts = {"returncode": outcome.returncode, "stdout": outcome.stdout, "stderr": outcome.stderr}
            record.write_text(json.dumps(parts))
        return outcome


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    """While it is entered no other worker makes anything; at the end of the session nobody waits any more."""
    with open(path, "w") as file:
        while not _end.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _end.wait(LOOK)
        yield


def _run(targets: tuple[str, ...]) -> Outcome:
    pipe = subprocess.PIPE
    with subprocess.Popen(["make", *targets], cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as process:
        _running.append(process)
        out, errors = process.communicate()
        _running.remove(process)
    return subprocess.CompletedProcess(targets, process.returncode, out, errors)
