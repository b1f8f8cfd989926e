"""A disk that is full: small file systems in memory where the model, the checkpoints or everything is written."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.work import Reference, Work, damaged_checkpoints, temporary_files, without_failure_file

PAGE = 4096
FOLDERS = ("model", "checkpoints", "output", "")  # "": all of them on one small disk


@contextmanager
def disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of so many bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def mountable(folder: Path) -> bool:
    """Whether this machine lets us."""
    try:
        with disk(folder, PAGE):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def fill(number: int, work: Work, reference: Reference, base: Path) -> dict[str, Any]:
    """A job with too little room must say so, or do without what it can do without; with room it ends as it should."""
    chance, where = random.Random(f"disk {number}"), FOLDERS[number % len(FOLDERS)]
    place = work.place(base)
    (base / "checkpoints").mkdir()
    size = sum(map(len, reference.model.values()))
    room = PAGE * chance.randint(1, 2 + 3 * (size // PAGE + 1))
    with disk(base / (where or "small"), room):
        if not where:
            for name in ("model", "checkpoints", "output"):
                (base / "small" / name).mkdir()
                (base / name).rmdir() if (base / name).exists() else None
                (base / name).symlink_to(base / "small" / name)
        run = work.run(place)
        wrong = _wrong(work, place, reference, run)
        subprocess.run(["mount", "-o", f"remount,size={64 << 20}", base / (where or "small")], check=True)
        first, run = run, work.run(without_failure_file(place))
        if run.code or work.model(place) != reference.model:
            wrong.append(f"with more room it ended with {run.code} and another model: {run.log[-500:]}")
        wrong += [f"{path} was left" for name in ("model", "checkpoints") for path in temporary_files(base / name)]
    return {
        "work": work.name,
        "where": where or "everything",
        "faults": int(first.code != 0 or "space" in first.log),
        "failed": int(first.code != 0),
        "resumed": "Resuming from checkpoint" in run.log,
        "failures": wrong,
    }


def _wrong(work: Work, place: Any, reference: Reference, run: Any) -> list[str]:
    """What is wrong with a job that had too little room."""
    wrong = damaged_checkpoints(place.base / "checkpoints")
    wanted = reference.model if run.code == 0 else None
    if work.model(place) != wanted:
        wrong.append(f"ended with {run.code} and {'no' if wanted else 'half a'} model: {run.log[-500:]}")
    # Where there is no room for the file either, its sentence stands in the log; and no file, rather than an empty one.
    failure = place.failure if (place.base / "output/failure").exists() else run.log.partition("It would say:\n")[2]
    if run.code and not (run.code == 1 and failure.startswith("InternalServerError: ") and "space" in failure):
        wrong.append(f"ended with {run.code}, and the failure file says: {failure!r}: {run.log[-500:]}")
    return wrong
