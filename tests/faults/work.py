"""Jobs into which faults are injected, of a second or two, from the algorithms' own examples."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact
from algoport.serving.prediction import Predictor
from algoport.training import checkpoints
from tests.conformance.example import Example
from tests.conformance.folder import ml_folder
from tests.training.jobs import Place, Run, digits_job

PATIENCE = 300  # seconds that a job may take, which it would not even where it compiles its kernels
MOST = "kmeans"  # the algorithm of most runs: its jobs are cheap, and what is tried is the platform
STANDIN = "running-mean"  # known only to the jobs' own processes
INJECTION = Path(__file__).parent / "injection"
QUICK = {"ALGOPORT_CHECKPOINT_INTERVAL": "0.1", "ALGOPORT_BEAT_INTERVAL": "0.4"}


@dataclass(frozen=True, eq=False)
class Work:
    """A job: the algorithm, its settings, and what writes its files into a folder."""

    name: str
    algorithm: str
    settings: dict[str, object]
    of_two_hosts: dict[str, object]  # settings that two hosts have in place of these
    lay: Callable[[Path, Work], Place]

    def place(self, base: Path) -> Place:
        """A folder with everything that the job needs."""
        return self.lay(base, self)

    def start(self, place: Place, *, faults: dict[str, object] | None = None, **environment: str) -> Run:
        """The job in a process, with the faults to inject."""
        odd = {"FAULTS": json.dumps(faults), "PYTHONPATH": str(INJECTION)} if faults else {}
        return place.start(**{**QUICK, "ALGORITHM": self.algorithm, **odd, **environment})

    def run(self, place: Place, **environment: str) -> Run:
        """The job, without a fault."""
        return self.start(place, **environment).wait(PATIENCE)

    def model(self, place: Place) -> dict[str, bytes] | None:
        """The files of the model that a server would load, or None where it would say that there is none."""
        folder = place.base / "model"
        load = artifact.load if self.name == STANDIN else Predictor.of(self.algorithm).load
        try:
            load(folder)
        except (UserError, FileNotFoundError):
            return None
        return files(folder)


def files(folder: Path) -> dict[str, bytes]:
    """What stands in a folder, without what is hidden."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {str(path.relative_to(folder)): path for path in paths}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(".")}


def digits_in_rows(base: Path, work: Work) -> Place:
    """Digits without labels, in three files."""
    return digits_job(base, **work.settings)


def example_job(base: Path, work: Work) -> Place:
    """The rows of the algorithm's smallest job."""
    folder = ml_folder(base, Example(work.algorithm))
    folder.hyperparameters({**folder.example.given, **work.settings})
    return Place(base)


def works() -> list[Work]:
    """The jobs of every algorithm's `LONG_JOBS`, and that of the stand-in.

    `LONG_JOBS` are settings beside those of the smallest job, with which it takes a second or two, and those with which
    it does on two hosts. Without any it is the smallest job.
    """
    every = []
    for name in algorithms.names():
        long_jobs = getattr(algorithms.part(name, "example"), "LONG_JOBS", [({}, {})])
        for number, (settings, of_two_hosts) in enumerate(long_jobs, 1):
            suffix = f" {number}" if number > 1 else ""
            every.append(Work(f"{name}{suffix}", name, settings, of_two_hosts, example_job))
    return [*every, Work(STANDIN, STANDIN, {"epochs": 5, "shuffle": 1, "pause": 0.015}, {}, digits_in_rows)]


def work(number: int) -> Work:
    """That of a run: four of five are of one algorithm, whose jobs are cheapest, and each fifth of another, in turn."""
    most = next(each for each in works() if each.algorithm == MOST)
    others = [each for each in works() if each.algorithm != MOST]
    return most if number % 5 != 1 else others[number // 5 % len(others)]


@dataclass(frozen=True)
class Reference:
    """A job without faults: its model, how long it took from its configuration on, and the model of another."""

    model: dict[str, bytes]
    seconds: float
    other: dict[str, bytes]


def reference_job(work: Work, base: Path) -> Reference:
    """What the job comes to where nothing happens, and what it would with other random numbers."""
    other = replace(work, settings={**work.settings, "_seed": 7})
    elsewhere, place = other.place(base / "other"), work.place(base / "first")
    assert other.start(elsewhere).wait(PATIENCE).code == 0
    (place.base / "checkpoints").mkdir()
    run = work.start(place).until("Final configuration")
    start = time.monotonic()
    assert run.wait(PATIENCE).code == 0, run.log
    seconds = time.monotonic() - start
    models = work.model(place), work.model(elsewhere)
    assert models[0] and models[1], run.log
    return Reference(models[0], seconds, models[1])


def damaged_checkpoints(folder: Path) -> list[str]:
    """What is wrong with the checkpoints of a folder."""
    wrong = []
    for path in sorted(folder.glob(f"*{checkpoints.SUFFIX}")):
        try:
            checkpoints._read(path.read_bytes())
        except Exception as error:
            wrong.append(f"checkpoint {path.name} is damaged: {type(error).__name__}: {error}")
    return wrong


def temporary_files(folder: Path) -> list[Path]:
    """Files that nobody should see: what was being written."""
    paths = folder.rglob("*") if folder.is_dir() else ()
    return [path for path in paths if path.is_file() and path.relative_to(folder).parts[0].startswith(".")]


def killed(run: Run) -> None:
    """End a job as if its host were gone, and wait until nothing of it is left."""
    path = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    children = path.read_text().split() if path.exists() else []
    run.kill()
    while any(Path(f"/proc/{child}").exists() for child in children):
        time.sleep(0.005)


def without_failure_file(place: Place) -> Place:
    """Without what a failed job leaves, which a platform would not hand to the next one."""
    (place.base / "output/failure").unlink(missing_ok=True)
    return place


def empty(folder: Path) -> None:
    """Without the files in it, for the folder may be a mount point."""
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
