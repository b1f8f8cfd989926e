"""What jobs and servers of a whole session compile although all examples were compiled before it: no failure."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from algoport.algorithms.shared import compiled

SHOWN = 20  # kernels in the summary; the record has all


def open_record() -> None:
    """Have every process that this session starts report to one file, unless something else is asked of them."""
    if not os.environ.get(compiled.COMPILE):
        handle, path = tempfile.mkstemp(prefix="algoport-compilations-", suffix=".txt")
        os.close(handle)
        os.environ[compiled.COMPILE] = f"report={path}"


def inherited() -> dict[str, str]:
    """What a process with an environment of its own needs to report, too."""
    return {name: value for name, value in os.environ.items() if name == compiled.COMPILE}


def lines() -> Iterator[str]:
    """How many kernels were compiled, and the first of them with how often and by which process first."""
    path = Path(os.environ.get(compiled.COMPILE, "").partition("=")[2])
    if not path.is_file():
        return
    records = [line.partition("\t") for line in path.read_text().splitlines()]
    counts = Counter(kernel for kernel, _, _ in records)
    processes = {kernel: process for kernel, _, process in reversed(records)}
    yield f"{len(records)} compilations of {len(counts)} kernels after the examples' ({path})"
    for kernel, process in list(reversed(processes.items()))[:SHOWN]:
        yield f"{counts[kernel]:>5} times {kernel[:160]} [{process[:80]}]"
