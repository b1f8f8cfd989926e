"""How much memory a job takes that streams: `python -m benchmarks.memory`.

K-Means in Pipe mode: real FIFOs, fed with recordio-protobuf and with CSV as the platform feeds them, more bytes than
the memory that the job may take. What counts is the most that the kernel saw of the training process, from the
outside. `--gigabytes` and `--only` choose; `--json` prints one object a line, `--keep` writes
benchmarks/results/memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from algoport.algorithms.contract.records import Rows
from algoport.training.formats import find
from benchmarks.record import header, keep

LIMIT = 1 << 30  # bytes resident that are promised for a stream of 4 GB
WIDTH = 100
MEDIA = ("application/x-recordio-protobuf", "text/csv")


@dataclass(frozen=True)
class Figure:
    """What one job took."""

    case: str
    gigabytes: float
    peak_bytes: int
    limit_bytes: int
    seconds: float
    rows: int

    def __str__(self) -> str:
        megabytes, limit = self.peak_bytes / 2**20, self.limit_bytes / 2**20
        speed = 1000 * self.gigabytes / self.seconds
        state = "" if self.peak_bytes < self.limit_bytes else " MISSED."
        return (
            f"{self.case}: {self.gigabytes:.2f} GB, {self.rows:,} rows in {self.seconds:.1f} s ({speed:.0f} MB/s); "
            f"peak {megabytes:.0f} MiB resident, promised below {limit:.0f} MiB.{state}"
        )


def stream(media: str, gigabytes: float) -> Figure:
    """Train on a pipe with so many bytes."""
    job = piped("kmeans", {"k": "10", "feature_dim": str(WIDTH)}, media, _piece(media), gigabytes)
    return Figure(
        case=f"{media} through a pipe",
        gigabytes=job.size / 1e9,
        peak_bytes=job.peak,
        limit_bytes=LIMIT,
        seconds=job.seconds,
        rows=job.rows,
    )


@dataclass(frozen=True)
class Piped:
    """What a job took that read its training channel from pipes."""

    size: int  # bytes of a pass
    peak: int  # bytes resident at the most, parent and child together
    seconds: float
    rows: int  # records of a pass


def piped(
    algorithm: str, settings: dict[str, str], media: str, piece: bytes, gigabytes: float, passes: int = 1
) -> Piped:
    """A job whose every pass is a pipe with a piece again and again, so many gigabytes."""
    count = max(1, round(gigabytes * 1e9 / len(piece)))
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        pipes = _lay_out(base, settings, media, passes)

        def feed_all() -> None:
            for pipe in pipes:
                feed(pipe, piece, count)

        threading.Thread(target=feed_all, daemon=True).start()
        start = time.perf_counter()
        environment = os.environ | {"ALGORITHM": algorithm, "SAGEMAKER_BASE_DIR": str(base)}
        command = [sys.executable, "-m", "algoport.training"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        peak = max(resident(process))
        if process.returncode:
            raise SystemExit((base / "output/failure").read_text())
        rows = json.loads((base / "output/data/metrics.json").read_text())["rows"]["train"]
        return Piped(count * len(piece), peak, time.perf_counter() - start, rows)


def counts(words: int, rows: int) -> bytes:
    """Documents of 70 words each, whose frequencies fall by Zipf's law, as sparse recordio-protobuf."""
    columns = (words ** np.random.default_rng(0).random((rows, 70))).astype(np.int32) - 1
    each = sparse.csr_array(
        (np.ones(columns.size, np.float32), columns.ravel(), np.arange(0, columns.size + 1, 70)), shape=(rows, words)
    )
    each.sum_duplicates()
    return find("application/x-recordio-protobuf").write(Rows(features=each))


def _piece(media: str) -> bytes:
    """Some 50 MB, to be sent again and again; every piece ends where a record does."""
    rows = np.random.default_rng(0).normal(size=(120_000, WIDTH)).astype(np.float32)
    label = np.zeros((len(rows), 1), np.float32)
    return find(media).write(Rows(features=np.round(rows, 3), label=label))


def _lay_out(base: Path, settings: dict[str, str], media: str, passes: int) -> list[Path]:
    """The files of a job; its pipes."""
    os.makedirs(base / "input/config")
    os.makedirs(base / "input/data")
    channel = {"TrainingInputMode": "Pipe", "ContentType": media}
    (base / "input/config/hyperparameters.json").write_text(json.dumps(settings))
    (base / "input/config/inputdataconfig.json").write_text(json.dumps({"train": channel}))
    pipes = [base / f"input/data/train_{number}" for number in range(passes)]
    for pipe in pipes:
        os.mkfifo(pipe)
    return pipes


def feed(path: Path, piece: bytes, count: int) -> None:
    """Write a piece so many times into a FIFO."""
    with open(path, "wb", buffering=0) as pipe:
        for _ in range(count):
            view = memoryview(piece)
            while view:
                view = view[pipe.write(view) :]


def resident(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """The peak of the parent and its child together, again and again until they end."""
    yield 0
    while process.poll() is None:
        yield sum(peak_of(pid) for pid in (process.pid, *_children(process.pid)))
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def peak_of(pid: int) -> int:
    """The most that a process had resident, in bytes; not what the one had that started it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--only", default="", help="the content types with this in their name")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/memory.json")
    chosen = parser.parse_args()
    figures = []
    for media in MEDIA:
        if chosen.only in media:
            figures.append(stream(media, chosen.gigabytes))
            print(json.dumps(asdict(figures[-1])) if chosen.json else figures[-1], flush=True)
    if chosen.keep:
        keep("memory", header(), [asdict(figure) for figure in figures])
    return 0


if __name__ == "__main__":
    sys.exit(main())
