"""How time and memory of training grow with records and with columns: `python -m benchmarks.growth`.

Each algorithm trains on the records of its own example again and again, four times as many at each step, until a job
takes `--seconds`; and, where its records are rows of numbers, on rows four times as wide. Numbers that are no whole
ones are shaken a little, so that no two rows are the same. Memory is the most that was resident while the job ran, less
what was before it, when the records lay in memory already.

A slope is that of a line through the last three points, both axes in logarithms: 1 is time in proportion. `--keep`
writes benchmarks/results/growth.json and the picture of docs/growth.md from all that is there, and prints that page's
table.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from algoport import algorithms
from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.contract.records import Rows
from algoport.training.examples import examples, files
from benchmarks.memory import peak_of
from benchmarks.record import header, keep, place, read

FACTOR = 4
MOST = {"records": 1 << 20, "columns": 1 << 13}
ROWS = 4096  # of a table that becomes wider
LAST = 3  # points of a slope
LEAST = 0.02  # seconds below which a point tells of the job's start
PICTURE = Path(__file__).parents[1] / "docs/growth.png"
# Settings that say how many records, or columns, there are, where an algorithm has them.
SIZED = {"records": ("num_training_samples", "sample_size"), "columns": ("feature_dim",)}


@dataclass(frozen=True)
class Point:
    """One job."""

    algorithm: str
    axis: str  # records or columns
    size: int
    seconds: float
    bytes: int  # resident at the most, less what was before


def points(name: str, axis: str, limit: float) -> Iterator[Point]:
    """Jobs of one algorithm in this process, each larger than the one before."""
    given, channels = examples(name)[0]
    train, others = channels["train"], {key: own for key, own in channels.items() if key != "train"}
    if axis == "columns":
        train, others = _records(train, ROWS), {}
    beside = files(name) if axis == "records" else {}  # a vocabulary has a line for each column
    _fit(name, given, {"train": train, **others}, beside)  # compiles, and takes what every process takes once
    times = 1
    while True:
        grown = _records(train, len(train) * times) if axis == "records" else _wide(train, times)
        size = len(grown) if axis == "records" else grown.width
        settings = {**given, **{key: size for key in SIZED[axis] if key in given}}
        before = _reset()
        start = time.perf_counter()
        _fit(name, settings, {"train": grown, **others}, beside)
        seconds = time.perf_counter() - start
        yield Point(name, axis, size, seconds, max(0, peak_of(os.getpid()) - before))
        times *= FACTOR
        if seconds > limit or size * FACTOR > MOST[axis]:
            return


def _fit(name: str, given: Mapping[str, object], channels: Mapping[str, Any], beside: Mapping[str, Any]) -> None:
    settings = algorithms.part(name, "hyperparameters").Hyperparameters.read(dict(given))
    job: Any = Job(hyperparameters=settings, channels={key: Memory(own) for key, own in channels.items()}, files=beside)
    algorithms.part(name, "train").fit(job)


def _records(train: Any, count: int) -> Any:
    """So many records, those that are there again and again."""
    grown = train.take(np.arange(count) % len(train))
    return replace(grown, features=_shaken(grown.features)) if isinstance(grown, Rows) else grown


def _wide(train: Rows, times: int) -> Rows:
    """Rows with each column so many times."""
    from scipy import sparse

    if train.is_sparse:
        return replace(train, features=sparse.csr_array(sparse.hstack([train.features] * times, "csr")))
    return replace(train, features=_shaken(np.tile(train.dense(), times)))


def _shaken(features: Any) -> Any:
    if not isinstance(features, np.ndarray) or (features == np.rint(features)).all():
        return features
    noise = np.random.default_rng(0).standard_normal(features.shape, np.float32)
    return features + noise * (0.01 * np.nanstd(features, axis=0)).astype(np.float32)


def _reset() -> int:
    """Give back what earlier jobs left, and let the kernel forget the peak so far; bytes that are resident now."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # of glibc
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return peak_of(os.getpid())


def measure(name: str, axis: str, limit: float) -> list[Point]:
    """In a process of its own."""
    command = [sys.executable, "-m", "benchmarks.growth", "--points", name, axis, "--seconds", str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}, {axis}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
    return [Point(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]


def slope(own: list[Point], figure: str) -> float | None:
    """Of the last points, where they are enough to tell."""
    some = [point for point in own if point.seconds >= LEAST and getattr(point, figure) > 0][-LAST:]
    if len(some) < LAST:
        return None
    x, y = (np.log([getattr(point, key) for point in some]) for key in ("size", figure))
    return float(np.polyfit(x, y, 1)[0])


def has_columns(name: str) -> bool:
    """Whether the records of an algorithm are rows of numbers."""
    return isinstance(examples(name)[0][1]["train"], Rows)


def table(every: list[Point]) -> str:
    """A row for each algorithm: what a job came to at its largest, and how steeply it rose."""
    lines = [
        "| | records | seconds | slope | MiB beside them | columns | seconds | slope | MiB beside them |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in dict.fromkeys(point.algorithm for point in every):
        cells = [name]
        for axis in MOST:
            own = [point for point in every if (point.algorithm, point.axis) == (name, axis)]
            if not own:
                cells += [""] * 4
                continue
            steep, last = slope(own, "seconds"), own[-1]
            shown = "" if steep is None else f"{steep:.2f}"
            cells += [f"{last.size:,}", f"{last.seconds:.2f}", shown, f"{last.bytes / 2**20:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(every: list[Point]) -> None:
    """Time and memory against both, a line for each algorithm."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(2, 2, figsize=(12, 9))
    names = list(dict.fromkeys(point.algorithm for point in every))
    colors = pyplot.colormaps["tab20"](np.arange(20))
    for row, axis in enumerate(MOST):
        for column, (key, unit) in enumerate({"seconds": 1.0, "bytes": 2.0**20}.items()):
            axes = grid[row, column]
            for name in names:
                own = [point for point in every if (point.algorithm, point.axis) == (name, axis)]
                shown = [(point.size, getattr(point, key) / unit) for point in own if getattr(point, key) > 0]
                if shown:
                    axes.plot(*zip(*shown, strict=True), "o-", ms=3, lw=1, color=colors[names.index(name)], label=name)
            what = "seconds" if key == "seconds" else "MiB beside the records"
            axes.set(xscale="log", yscale="log", xlabel=axis, ylabel=what)
            axes.grid(alpha=0.3)
    figure.suptitle("Training on the records of each algorithm's example, repeated")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="lower center", ncols=6, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(PICTURE, dpi=110)
    pyplot.close(figure)


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("--seconds", type=float, default=1.0, help="a job that took longer is an axis's last")
    parser.add_argument("--only", default="", help="the algorithms with this in their name")
    parser.add_argument("--keep", action="store_true", help="write the results and the picture")
    parser.add_argument("--points", nargs=2, metavar=("NAME", "AXIS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.points:
        from algoport.algorithms.shared import compiled

        compiled.prepare()
        name, axis = options.points
        for point in points(name, axis, options.seconds):
            print(json.dumps(asdict(point)), flush=True)
        return 0
    facts, every = header(), []
    for name in algorithms.names():
        for axis in MOST:
            if options.only in name and (axis == "records" or has_columns(name)):
                own = measure(name, axis, options.seconds)
                every += own
                for point in own:
                    print(json.dumps(asdict(point)), flush=True)
    if options.keep:
        keep("growth", facts, [asdict(point) for point in every], by=("algorithm", "axis", "size"))
        known = {field.name for field in fields(Point)}
        rows = [{key: row[key] for key in known} for row in read(place("growth", facts))["rows"]]
        order = {name: number for number, name in enumerate(algorithms.names())}
        every = sorted(
            (Point(**row) for row in rows), key=lambda own: (order.get(own.algorithm, 0), own.axis, own.size)
        )
        draw(every)
    print(table(every))
    return 0


if __name__ == "__main__":
    sys.exit(main())
