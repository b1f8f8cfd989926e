"""The first answers of new processes: what a model that has just been loaded takes for one request, and then for more.

`python -m benchmarks.first NAME FOLDER BODY TYPE COUNT` is such a process.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROCESSES = 3  # that count; one before them brings the files into memory


@dataclass(frozen=True)
class First:
    """Seconds of each process."""

    ready: list[float]  # until the model was loaded and warm
    first: list[float]  # of its first answer
    median: list[float]  # of those after it


def answers(name: str, folder: Path, body: bytes, media: str, count: int = 101) -> First:
    """So many answers of each process to one body, by an algorithm's model in a folder, where the body is left."""
    place = folder / "body"
    place.write_bytes(body)
    command = [sys.executable, "-m", "benchmarks.first", name, str(folder), str(place), media, str(count)]
    done = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(1 + PROCESSES)][1:]
    figures = [json.loads(own.stdout) for own in done]
    return First(*([own[what] for own in figures] for what in ("ready", "first", "median")))


def ask(name: str, folder: str, place: str, media: str, count: int) -> dict[str, float]:
    """What one process measures; JSON is asked for."""
    from algoport.serving.prediction import Predictor

    body, begin = Path(place).read_bytes(), time.perf_counter()
    predictor = Predictor.of(name)
    model = predictor.load(Path(folder))
    predictor.warm_up(model)
    ready, seconds = time.perf_counter() - begin, []
    for _ in range(count):
        begin = time.perf_counter()
        predictor.answer(model, body, media, "application/json")
        seconds.append(time.perf_counter() - begin)
    return {"ready": ready, "first": seconds[0], "median": statistics.median(seconds[1:])}


if __name__ == "__main__":
    _, asked, where, request, kind, answered = sys.argv
    print(json.dumps(ask(asked, where, request, kind, int(answered))))
