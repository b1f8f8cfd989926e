"""A transform is killed at random moments and started again: its outputs are those of one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.serving.servers import ROOT, STANDINS, put, serving

KILLS = 3  # of a run, at most
# The command, which notes more often than usual how far it is, so that it is resumed within objects.
PROGRAM = """
import sys
from algoport.containers.cli import main
from algoport.containers.transform import output
output.PAUSE = 0.05
sys.exit(main(sys.argv[1:]))
"""
COMMAND = [sys.executable, "-P", "-c", PROGRAM, "transform"]
PATIENCE = 120  # seconds that a transform may take


def kill_driver(number: int, base: Path) -> dict[str, Any]:
    """Against an endpoint that runs, or every fifth time with servers of its own, which end with it."""
    chance = random.Random(f"transform {number}")
    base.mkdir(parents=True)
    model = put(base / "job" / "model")
    _lay_out(base / "rows", chance)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ALGORITHM_PATH": str(STANDINS)}
    environment["SAGEMAKER_MODEL_SERVER_WORKERS"] = "1"
    with ExitStack() as stack:
        own = number % 5 == 1
        target = str(model) if own else stack.enter_context(serving(base / "job")).url
        words = [*COMMAND, target, "rows", "--records", "2", "--max-concurrent", "2", "--join", "--keep-going"]

        def start(output: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context(open(base / f"{output}.log", "ab"))
            return subprocess.Popen([*words, "--output", output], cwd=base, env=environment, stdout=log, stderr=log)

        begin = time.monotonic()
        code = start("whole").wait(PATIENCE)
        seconds, faults, wanted = time.monotonic() - begin, 0, chance.randint(1, KILLS)
        while faults < wanted:
            process = start("killed")
            try:
                process.wait(chance.uniform(0.5, seconds))
                break  # it was quicker
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                faults += 1
        last = start("killed").wait(PATIENCE)
    whole, killed = _files(base / "whole"), _files(base / "killed")
    failures = (
        [] if not (code or last) else [f"ended with {code} and {last}: {(base / 'killed.log').read_text()[-500:]}"]
    )
    failures += [f"{name}: other bytes" for name in whole.keys() | killed.keys() if whole.get(name) != killed.get(name)]
    if len(whole) != 6:
        failures.append(f"the undisturbed one left {sorted(whole)}")
    return {"servers": own, "faults": faults, "seconds": round(seconds, 2), "failures": sorted(failures)}


def _lay_out(rows: Path, chance: random.Random) -> None:
    """Four objects of which one is empty, one long, and two have records that are refused."""
    rows.mkdir()
    for number, count in enumerate((0, 40, 90, 600)):
        lines = [",".join(str(chance.randint(0, 99)) for _ in range(3)) for _ in range(count)]
        if number > 1:
            lines[count // 3] = "1,2"
        (rows / f"part-{number}.csv").write_text("".join(f"{line}\n" for line in lines))


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and ".transform" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
