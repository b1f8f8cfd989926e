"""How large an image is and how soon it is there: `python -m benchmarks.images NAME [--json] [--keep]`.

Needs a Docker Engine and the image `algoport/NAME:cpu` (`make image A=NAME`). Times are from the start of the
`docker` command to the first line of the log, or to the first healthy answer, so they include Docker's own half.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from algoport import algorithms
from algoport.algorithms.contract.records import Rows
from algoport.training import formats
from benchmarks.record import header, keep

GOALS = {"unpacked": 1.6, "first line": 2.0, "first ping": 2.0}
LAPS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/images-NAME.json")
    given = parser.parse_args()
    image = f"algoport/{given.name}:cpu"
    rows = measure(given.name, image)
    facts = {**header(), "image": image, "docker": _docker("version", "--format", "{{.Server.Version}}")}
    if given.keep:
        keep(f"images-{given.name}", facts, rows)
    if given.json:
        for row in rows:
            print(json.dumps(row))
        return
    print(f"{image}; {facts['machine']}, {facts['cores']} cores, load {facts['load']}, Docker {facts['docker']}\n")
    print(f"| {'':<44} | {'measured':>20} | goal |")
    print(f"|{'-' * 46}|{'-' * 22}|------|")
    for row in rows:
        least, most = row["ours_range"]
        spread = f" ({least:.2f}-{most:.2f})" if most > least else ""
        figure = f"{row['ours']:.2f}{spread} {row['metric']}"
        print(f"| {row['case']:<44} | {figure:>20} | {row['limit'] or '':>4} |")


def measure(name: str, image: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        example_job(name, folder)
        lines = [first_line(image, folder) for _ in range(LAPS)]
        jobs = [whole_job(image, folder) for _ in range(LAPS)]
        pings = [first_ping(image, folder) for _ in range(LAPS)]
    size = int(_docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e9
    return [
        _row("size unpacked", "GB", [size], GOALS["unpacked"]),
        _row("size compressed, as a registry holds it", "GB", [compressed_size(image) / 1e9], None),
        _row("docker run IMAGE train to the first log line", "s", lines, GOALS["first line"]),
        _row("docker run IMAGE train, the example job", "s", jobs, None),
        _row("docker run IMAGE serve to the first ping", "s", pings, GOALS["first ping"]),
    ]


def _row(case: str, unit: str, values: list[float], limit: float | None) -> dict[str, Any]:
    """In the shape of the races. There is no peer and so no ratio; `limit` is what was promised of the figure."""
    middle = round(statistics.median(values), 3)
    return {
        "case": case,
        "peer": None,
        "ours_s": middle if unit == "s" else None,
        "peer_s": None,
        "speed": None,
        "goal": None,
        "metric": unit,
        "better": "lower",
        "ours": middle,
        "peers": None,
        "limit": limit,
        "ours_range": [round(min(values), 3), round(max(values), 3)],
    }


def example_job(name: str, folder: Path) -> None:
    """An ml folder with the algorithm's example."""
    example = algorithms.part(name, "example")
    config = folder / "input" / "config"
    for place in (config, folder / "model", folder / "output"):
        place.mkdir(parents=True, exist_ok=True)
    entries = {}
    for channel, records in example.channels().items():
        declared = algorithms.find(name).channel(channel)
        kinds = (declared.default_content_type, *declared.content_types)
        media = next(each for each in kinds if not formats.holds_one(each, declared.kind))
        body = formats.find(media, declared.kind).write(records)
        place = folder / "input" / "data" / channel
        place.mkdir(parents=True)
        (place / "part-0").write_bytes(body)
        if isinstance(records, Rows):
            media = f"{media};label_size={0 if records.label is None else records.label.shape[1]}"
        entries[channel] = {"TrainingInputMode": "File", "ContentType": media}
    settings = {key: str(value) for key, value in example.HYPERPARAMETERS.items()}
    (config / "inputdataconfig.json").write_text(json.dumps(entries))
    (config / "hyperparameters.json").write_text(json.dumps(settings))


def first_line(image: str, folder: Path) -> float:
    start = time.perf_counter()
    job = subprocess.Popen(_train(image, folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert job.stdout is not None
    job.stdout.readline()
    seconds = time.perf_counter() - start
    log = job.stdout.read()
    if job.wait():
        sys.exit(log.decode())
    return seconds


def whole_job(image: str, folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(_train(image, folder), check=True, capture_output=True)
    return time.perf_counter() - start


def first_ping(image: str, folder: Path) -> float:
    name = f"algoport-{uuid.uuid4().hex[:8]}"
    start = time.perf_counter()
    _docker("run", "-d", "--name", name, "-p", "127.0.0.1::8080", "-v", f"{folder}:/opt/ml", image, "serve")
    try:
        port = _docker("port", name, "8080").rpartition(":")[2]
        _wait(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=1).status == 200)
        return time.perf_counter() - start
    finally:
        _docker("rm", "-f", name)


def _wait(healthy: Callable[[], bool], limit: float = 60) -> None:
    end = time.perf_counter() + limit
    while time.perf_counter() < end:
        try:
            if healthy():
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.01)
    sys.exit("the server did not become healthy")


def _train(image: str, folder: Path) -> list[str]:
    return ["docker", "run", "--rm", "-v", f"{folder}:/opt/ml", image, "train"]


def compressed_size(image: str) -> float:
    """Bytes of the image's archive through gzip, which is what a registry keeps of each layer."""
    if shutil.which("gzip") is None:
        return float("nan")
    saved = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
    packed = subprocess.Popen(["gzip", "-6"], stdin=saved.stdout, stdout=subprocess.PIPE)
    assert packed.stdout is not None
    return float(sum(len(part) for part in iter(lambda: packed.stdout.read(1 << 20), b"")))


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
