"""Batch transform beside the endpoint alone: `python -m benchmarks.transform [--rows 10000000]`.

The endpoint's own rate is that of a client that has its requests ready and looks at no answer, with as many requests
at a time; transform cuts them from a file, joins answers in their order, and writes them. With `--rows` a file of so
many rows is answered by the command in a process of its own, whose memory is looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from algoport.containers.endpoints.server import Elsewhere, Served, Server
from algoport.containers.jobs import running
from algoport.containers.jobs.channels import Channel
from algoport.containers.jobs.description import Description
from algoport.containers.transform import inputs
from algoport.containers.transform.driver import Transform
from algoport.containers.transform.request import TransformRequest

WIDTH, ROWS, BATCH, LAPS = 50, 800_000, 1000, 5
CSV = "text/csv"


def model(folder: Path, width: int) -> Path:
    """Ten centers of random rows."""
    rows = np.random.default_rng(0).normal(size=(5000, width)).astype(np.float32)
    np.save(folder / "rows.npy", rows)
    job = running.start(
        Description(
            folder=folder / "job",
            algorithm="kmeans",
            hyperparameters={"k": "10", "feature_dim": str(width)},
            channels=(Channel(name="train", path=folder / "rows.npy", content_type="application/x-npy;label_size=0"),),
        )
    )
    job.wait()
    assert job.state == "Completed", job.failure
    return folder / "job" / "model"


def write_rows(path: Path, rows: int, width: int) -> None:
    """So many rows of CSV, a block of them again and again."""
    block = np.random.default_rng(1).normal(size=(10_000, width))
    lines = "".join(",".join(f"{value:.4f}" for value in row) + "\n" for row in block).encode()
    with open(path, "wb") as file:
        for _ in range(rows // len(block)):
            file.write(lines)


def alone(url: str, bodies: Sequence[bytes], concurrent: int) -> float:
    """Seconds of all requests, so many at a time, by a client that does nothing else."""
    host = url.removeprefix("http://")
    left, lock = iter(bodies), threading.Lock()

    def client() -> None:
        connection = HTTPConnection(host)
        while True:
            with lock:
                body = next(left, None)
            if body is None:
                break
            connection.request("POST", "/invocations", body, {"Content-Type": CSV, "Accept": CSV})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(concurrent)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begin


def transformed(url: str, source: Path, output: Path, concurrent: int) -> float:
    """Seconds of the same by transform."""
    request = TransformRequest.read(
        {
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3Uri": str(source)}},
                "ContentType": CSV,
                "SplitType": "Line",
            },
            "TransformOutput": {"S3OutputPath": str(output), "Accept": CSV, "AssembleWith": "Line"},
            "MaxConcurrentTransforms": concurrent,
        }
    )
    items = inputs.listed(request.TransformInput.DataSource.S3DataSource, None)
    job = Transform(request, items, output, model={}, most=BATCH, again=True)
    begin = time.monotonic()
    job.run([Elsewhere(url)])
    seconds = time.monotonic() - begin
    job.close()
    assert job.progress.records == ROWS and not job.progress.failed
    return seconds


def rates(folder: Path) -> dict[str, object]:
    """Rows a second of both, lap by lap in turns."""
    source = folder / "rows.csv"
    write_rows(source, ROWS, WIDTH)
    lines = source.read_bytes().splitlines(keepends=True)
    bodies = [b"".join(lines[first : first + BATCH]) for first in range(0, ROWS, BATCH)]
    with Server(Served(model=model(folder, WIDTH), algorithm="kmeans"), folder / "serve.log") as server:
        concurrent = os.cpu_count() or 1
        alone(server.url, bodies[:50], concurrent)
        laps = [
            (alone(server.url, bodies, concurrent), transformed(server.url, source, folder / "out", concurrent))
            for _ in range(LAPS)
        ]
    endpoint, ours = (statistics.median(lap[which] for lap in laps) for which in (0, 1))
    return {
        "case": f"{ROWS:,} rows of {WIDTH} by {BATCH:,}, {concurrent} at a time",
        "endpoint_rows_s": round(ROWS / endpoint),
        "transform_rows_s": round(ROWS / ours),
        "share": round(endpoint / ours, 3),
        "laps": [[round(seconds, 3) for seconds in lap] for lap in laps],
    }


def memory(folder: Path, rows: int) -> dict[str, object]:
    """Megabytes of the driver at its peak, and whether every row has its answer."""
    source = folder / "long.csv"
    write_rows(source, rows, 10)
    place = model(folder, 10)
    words = [
        "transform",
        str(place),
        str(source),
        "--output",
        str(folder / "out"),
        "--join",
        "--output-filter",
        "$[0,-1]",
    ]
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "algoport.containers.cli", *words])
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident_peak(process.pid))
        time.sleep(0.1)
    seconds = time.monotonic() - begin
    with open(folder / "out" / "long.csv.out", "rb") as file:
        answers = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 22), b""))
    assert process.returncode == 0 and answers == rows, (process.returncode, answers)
    return {"rows": rows, "peak_mb": round(peak / 1024), "seconds": round(seconds, 1)}


def resident_peak(pid: int) -> int:
    """Kilobytes that a process has had at its peak, without those of its children; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) if match else 0


def main() -> None:
    """Both, or the one of memory alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, help="answer so many rows, and look at the driver's memory")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="algoport-transform-") as folder:
        print(json.dumps(memory(Path(folder), rows) if rows else rates(Path(folder)), indent=1))


if __name__ == "__main__":
    main()
