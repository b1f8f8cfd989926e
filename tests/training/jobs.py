"""Jobs of the running mean on the digits of scikit-learn, as processes that are watched from the outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from algoport.algorithms.shared import artifact
from tests import compilations
from tests.conformance import forks

ROOT = Path(__file__).parents[2]
STANDINS = Path(__file__).parent / "standins"
PATIENCE = 60  # seconds that any job of these tests may take
QUICK = {"ALGOPORT_BEAT_INTERVAL": "0.4"}


@cache
def digits() -> np.ndarray:
    """1,797 rows of 64 whole numbers, whose sums float64 holds exactly in any order."""
    return load_digits().data.astype(np.float32)


def csv(rows: np.ndarray) -> bytes:
    return b"".join(b",".join(b"%d" % value for value in row) + b"\n" for row in rows)


@dataclass
class Place:
    """An ml folder."""

    base: Path

    def settings(self, **given: object) -> Place:
        return self.config("hyperparameters", {"feature_dim": "64", **{k: str(v) for k, v in given.items()}})

    def config(self, name: str, what: object) -> Place:
        path = self.base / "input/config" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(what if isinstance(what, str) else json.dumps(what))
        return self

    def channels(self, **entries: dict[str, str]) -> Place:
        plain = {"TrainingInputMode": "File", "ContentType": "text/csv;label_size=0"}
        return self.config("inputdataconfig", {name: {**plain, **entry} for name, entry in entries.items()})

    def file(self, name: str, data: bytes) -> Place:
        path = self.base / "input/data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return self

    def host(self, current: str, hosts: list[str]) -> Place:
        entry = {"current_host": current, "hosts": hosts, "network_interface_name": "ethwe"}
        return self.config("resourceconfig", entry)

    @property
    def failure(self) -> str:
        path = self.base / "output/failure"
        return path.read_text() if path.exists() else ""

    @property
    def model(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        return artifact.load(self.base / "model")

    @property
    def metrics(self) -> dict:
        return json.loads((self.base / "output/data/metrics.json").read_text())

    def start(self, standard: int | None = None, *, fresh: bool = False, **environment: str) -> Run:
        """`fresh`: as `forks.start` has it."""
        return Run(self, environment, standard, fresh=fresh)

    def run(self, **environment: str) -> Run:
        return Run(self, environment).wait()


class Run:
    """`train` in a process."""

    def __init__(
        self, place: Place, environment: dict[str, str], standard: int | None = None, *, fresh: bool = False
    ) -> None:
        self.place = place
        self._path = place.base / f"log-{time.monotonic_ns()}.txt"
        place.base.mkdir(parents=True, exist_ok=True)
        own = {
            "ALGORITHM": "running-mean",
            "ALGORITHM_PATH": str(STANDINS),
            "SAGEMAKER_BASE_DIR": str(place.base),
            "PYTHONUNBUFFERED": "1",
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ALGO", "GLOO", "MASTER"))}
        given = clean | own | compilations.inherited() | environment
        self.process: forks.Fork | subprocess.Popen[bytes]
        if standard is None:
            self.process = forks.start(given, ROOT, self._path, self._path, fresh=fresh)
        else:
            self.process = subprocess.Popen(
                forks.COMMAND, cwd=ROOT, env=given, stdout=standard, stderr=subprocess.STDOUT
            )

    @property
    def log(self) -> str:
        return self._path.read_text()

    @property
    def code(self) -> int:
        assert self.process.returncode is not None
        return self.process.returncode

    def wait(self, timeout: float = PATIENCE) -> Run:
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still running after {timeout} s:\n{self.log}") from None
        return self

    def until(self, text: str, timeout: float = PATIENCE) -> Run:
        """Wait until the log says so."""
        deadline = time.monotonic() + timeout
        while text not in self.log:
            if time.monotonic() > deadline or (self.process.poll() is not None and text not in self.log):
                raise AssertionError(f"the log never said {text!r}:\n{self.log}")
            time.sleep(0.02)
        return self

    def stop(self) -> Run:
        self.process.send_signal(signal.SIGTERM)
        return self

    def kill(self) -> Run:
        """As if the host were gone: the parent dies, and its children with it."""
        self.process.kill()
        return self


def digits_job(base: Path, **settings: object) -> Place:
    """All digits in three files of the train channel, of which the last is short."""
    place = Place(base).settings(**settings).channels(train={})
    for number, rows in enumerate((digits()[:700], digits()[700:1500], digits()[1500:])):
        place.file(f"train/part-{number}.csv", csv(rows))
    return place
