"""How soon an image is there, cold: from `docker run` to the first line of the log and to the first healthy `/ping`.

    python -m benchmarks.startup [NAME …] [--laps 3] [--warm] [--json] [--keep]

Needs a Docker Engine and the images `algoport/NAME:cpu`. Cold means that the page cache is dropped before each start
(`/proc/sys/vm/drop_caches`, for which one must be root; where that is not allowed the row says that it was warm). Times
are from the start of the `docker` command, so they include Docker's own half.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from algoport import algorithms
from benchmarks.images import example_job, first_line, first_ping
from benchmarks.record import header, keep

CACHES = Path("/proc/sys/vm/drop_caches")


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
    parser.add_argument("names", nargs="*", default=algorithms.names())
    parser.add_argument("--laps", type=int, default=3)
    parser.add_argument("--warm", action="store_true", help="leave the page cache as it is")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/startup.json")
    given = parser.parse_args()
    facts = header()
    rows = [measure(name, given.laps, cold=not given.warm) for name in given.names]
    if given.keep:
        keep("startup", facts, rows, by=("image", "caches"))
    if given.json:
        print("\n".join(json.dumps(row) for row in rows))
        return 0
    print(f"{facts['machine']}, {facts['cores']} cores, load {facts['load']}; {given.laps} starts each\n")
    print("| image | caches | first line of train | first line of serve | first healthy /ping |")
    print("|---|---|--:|--:|--:|")
    for row in rows:
        times = " | ".join(_span(row, what) for what in ("train", "serve", "ping"))
        print(f"| {row['image']} | {row['caches']} | {times} |")
    return 0


def measure(name: str, laps: int, *, cold: bool) -> dict[str, Any]:
    """The row of an image."""
    image = f"algoport/{name}:cpu"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        example_job(name, folder)
        cold = cold and drop_page_cache()
        train, serve, ping = [], [], []
        for _ in range(laps):
            train.append(_start_time(cold, lambda: first_line(image, folder)))
            serve.append(_start_time(cold, lambda: first_line_of_server(image, folder)))
            ping.append(_start_time(cold, lambda: first_ping(image, folder)))
    figures = {}
    for what, seconds in (("train", train), ("serve", serve), ("ping", ping)):
        figures |= {f"{what}_s": round(statistics.median(seconds), 3)}
        figures |= {f"{what}_range": [round(min(seconds), 3), round(max(seconds), 3)]}
    return {"image": image, "caches": "cold" if cold else "warm", "laps": laps, **figures}


def drop_page_cache() -> bool:
    """Drop the page cache; False where that is not allowed."""
    os.sync()
    try:
        CACHES.write_text("3\n")
    except OSError:
        return False
    return True


def first_line_of_server(image: str, folder: Path) -> float:
    """Seconds to the first line of `serve`."""
    name = f"algoport-startup-{uuid.uuid4().hex[:8]}"
    start = time.perf_counter()
    command = ["docker", "run", "--rm", "--name", name, "-v", f"{folder}:/opt/ml", image, "serve"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        seconds = time.perf_counter() - start
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
        rest = server.communicate()[0]
    if b"Serving" not in line:
        raise SystemExit(f"{image}: {(line + rest).decode(errors='replace')}")
    return seconds


def _start_time(cold: bool, start: Callable[[], float]) -> float:
    """What a start takes, from a page cache without the image where that is wanted."""
    if cold:
        drop_page_cache()
    return start()


def _span(row: Mapping[str, Any], what: str) -> str:
    least, most = row[f"{what}_range"]
    return f"{row[f'{what}_s']:.2f} s ({least:.2f}-{most:.2f})"


if __name__ == "__main__":
    sys.exit(main())
