"""A limit on memory that is reached: of the address space, or of a cgroup, whose biggest process the kernel kills."""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.faults.work import Whole, Work, cleared, damaged

GROUPS = (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"))  # versions 1 and 2


@dataclass(frozen=True)
class Peaks:
    """The most that a job took, in bytes."""

    address: int
    resident: int


@cache
def peaks(work: Work, base: Path) -> Peaks:
    """What the job takes where nothing limits it, seen from outside."""
    run, most = work.start(work.place(base / "peaks")), Peaks(0, 0)
    while run.process.poll() is None:
        found: dict[str, int] = {}
        with contextlib.suppress(OSError):
            (child,) = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split() or ("0",)
            lines = (line.split() for line in Path(f"/proc/{child}/status").read_text().splitlines())
            found = {words[0]: int(words[1]) * 1024 for words in lines if words[0] in ("VmPeak:", "VmHWM:")}
        most = Peaks(max(most.address, found.get("VmPeak:", 0)), max(most.resident, found.get("VmHWM:", 0)))
        time.sleep(0.01)
    return most


@contextlib.contextmanager
def group(limit: int) -> Iterator[Path | None]:
    """A cgroup with that limit on memory, or None where none can be made."""
    made = None
    for root, name in GROUPS:
        folder = Path(root) / f"algoport-{uuid.uuid4().hex[:8]}"
        try:
            folder.mkdir()
            (folder / name).write_text(str(limit))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        made = folder
        break
    try:
        yield made
    finally:
        if made is not None:
            made.rmdir()


def short(number: int, work: Work, whole: Whole, base: Path) -> dict[str, Any]:
    """A job with too little memory must say so in its failure file; with enough it ends as it should."""
    chance, place = random.Random(f"memory {number}"), work.place(base)
    (base / "checkpoints").mkdir()
    most, share = peaks(work, base.parent), chance.uniform(0.2, 1.05)
    resident = int(share * most.resident)
    with group(resident) if number % 2 else contextlib.nullcontext() as folder:
        if folder is None:
            what, fault = "address space", {"address": int(share * most.address)}
        else:
            what, fault = "cgroup", {"group": str(folder / "cgroup.procs")}
        run = work.start(place, faults=fault).wait()
    told, wrong = place.failure, damaged(base / "checkpoints")
    if run.code and not (run.code == 1 and told.startswith("InternalServerError: ") and "emory" in told):
        wrong.append(f"{what} {share:.2f}: ended with {run.code}, and the failure file says {told!r}: {run.log[-800:]}")
    if work.model(place) != (None if run.code else whole.model):
        wrong.append(f"ended with {run.code}, and half a model stands there")
    failed, run = run.code != 0, work.run(cleared(place))
    if run.code or work.model(place) != whole.model:
        wrong.append(f"with enough memory it ended with {run.code} and another model: {run.log[-500:]}")
    return {
        "work": work.name,
        "limited": what,
        "share": round(share, 2),
        "strikes": int(failed),
        "resumed": "Going on from checkpoint" in run.log,
        "lost": wrong,
    }
