"""A limit on memory that is reached, as a container has one: the kernel kills the biggest process of its cgroup."""

from __future__ import annotations

import contextlib
import random
import re
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.faults.work import PATIENCE, Reference, Work, damaged_checkpoints, without_failure_file

GROUPS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))  # versions 1 and 2


@cache
def peak(work: Work, base: Path) -> int:
    """The most memory that the job has where nothing limits it, as it says itself."""
    run = work.run(work.place(base / f"peak-{work.name}"))
    peak_line = re.search(r"Peak memory: ([\d,]+) MiB", run.log)
    assert peak_line, run.log
    return int(peak_line[1].replace(",", "")) << 20


@contextlib.contextmanager
def cgroup(most: int) -> Iterator[Path | None]:
    """A cgroup with that limit on memory, or None where none can be made."""
    created = None
    for root, name in GROUPS:
        folder = Path(root) / f"algoport-{uuid.uuid4().hex[:8]}"
        try:
            folder.mkdir()
            (folder / name).write_text(str(most))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        created = folder
        break
    try:
        yield created
    finally:
        if created is not None:
            created.rmdir()


def limited() -> bool:
    """Whether a limit can be set here."""
    with cgroup(1 << 30) as folder:
        return folder is not None


def limit(number: int, work: Work, reference: Reference, base: Path) -> dict[str, Any]:
    """A job with too little memory must say so in its failure file; with enough it ends as it should."""
    chance, place = random.Random(f"memory {number}"), work.place(base)
    (base / "checkpoints").mkdir()
    share = chance.uniform(0.1, 0.5)  # of the rest, most are pages of files, which give way
    with cgroup(int(share * peak(work, base.parent))) as folder:
        assert folder is not None, "no cgroup can be made"
        run = work.start(place, faults={"group": str(folder / "cgroup.procs")}).wait(PATIENCE)
    failure, wrong = place.failure, damaged_checkpoints(base / "checkpoints")
    if run.code and not (run.code == 1 and failure.startswith("InternalServerError: ") and "memory" in failure):
        wrong.append(f"with {share:.2f} ended with {run.code}, and the failure file says {failure!r}: {run.log[-800:]}")
    if work.model(place) != (None if run.code else reference.model):
        wrong.append(f"with {share:.2f} ended with {run.code}, and half a model stands there")
    failed, run = run.code != 0, work.run(without_failure_file(place))
    if run.code or work.model(place) != reference.model:
        wrong.append(f"with enough memory it ended with {run.code} and another model: {run.log[-500:]}")
    return {
        "work": work.name,
        "share": round(share, 2),
        "faults": int(failed),
        "resumed": "Resuming from checkpoint" in run.log,
        "failures": wrong,
    }
