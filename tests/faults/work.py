"""Jobs that are struck: real algorithms on small data, of a second or two, and what must come of them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact
from algoport.serving.prediction import Predictor
from algoport.training import checkpoints
from tests import data
from tests.conformance.example import Example
from tests.conformance.folder import ml_folder
from tests.training.jobs import Place, Run, digits_job

PATIENCE = 300  # seconds that a job may take, which it would not even where it compiles its kernels
STANDIN = "running-mean"  # known only to the jobs' own processes
WITHIN = Path(__file__).parent / "within"
QUICK = {"ALGOPORT_CHECKPOINT_INTERVAL": "0.1", "ALGOPORT_BEAT_INTERVAL": "0.4"}


@dataclass(frozen=True, eq=False)
class Work:
    """A job: the algorithm, the settings, and what puts its files into a folder."""

    name: str
    algorithm: str
    settings: dict[str, object]
    lay: Callable[[Path, Work], Place]

    def place(self, base: Path) -> Place:
        """A folder with everything that the job needs."""
        return self.lay(base, self)

    def start(self, place: Place, *, faults: dict[str, object] | None = None, **environment: str) -> Run:
        """The job in a process, with what is to go wrong in it."""
        odd = {"FAULTS": json.dumps(faults), "PYTHONPATH": str(WITHIN)} if faults else {}
        return place.start(**{**QUICK, "ALGORITHM": self.algorithm, **odd, **environment})

    def run(self, place: Place, **environment: str) -> Run:
        """The job, undisturbed."""
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
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {str(path.relative_to(folder)): path for path in found}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(".")}


def digits_in_rows(base: Path, work: Work) -> Place:
    """Digits without labels, in three files."""
    return digits_job(base, **work.settings)


def digits_with_labels(base: Path, work: Work) -> Place:
    """Digits with the label in front, and of each ten the last to validate with."""
    rows, labels = data.digits()
    table = np.column_stack([labels, rows]).astype(int)
    place = Place(base).config("hyperparameters", {name: str(value) for name, value in work.settings.items()})
    place.channels(train={"ContentType": "text/csv"}, validation={"ContentType": "text/csv"})
    last = np.arange(len(table)) % 10 == 9
    for channel, part in (("train", table[~last]), ("validation", table[last])):
        place.file(f"{channel}/part-0.csv", b"".join(b",".join(b"%d" % v for v in row) + b"\n" for row in part))
    return place


def example(base: Path, work: Work) -> Place:
    """The rows of the algorithm's smallest job."""
    folder = ml_folder(base, Example(work.algorithm))
    folder.hyperparameters({**folder.example.given, **work.settings})
    return Place(base)


BOOSTING = {"objective": "multi:softmax", "num_class": 10, "max_depth": 3, "num_round": 60, "eval_metric": "merror"}
WORKS = (
    Work("kmeans", "kmeans", {"k": 10, "epochs": 400, "mini_batch_size": 300}, digits_in_rows),
    Work(
        "linear-learner",
        "linear-learner",
        {"predictor_type": "multiclass_classifier", "num_classes": 10, "epochs": 40, "mini_batch_size": 100},
        digits_with_labels,
    ),
    Work("xgboost", "xgboost", BOOSTING, digits_with_labels),
    Work(STANDIN, STANDIN, {"epochs": 5, "shuffle": 1, "pause": 0.015}, digits_in_rows),
    Work("forecasting-deepar", "forecasting-deepar", {"epochs": 60}, example),
    Work("xgboost in folds", "xgboost", {**BOOSTING, "num_round": 15, "_kfold": 3}, digits_with_labels),
    Work("image-classification", "image-classification", {"epochs": 3}, example),
)


def work(number: int) -> Work:
    """That of a run: of five, one is of another algorithm than k-means, in turn."""
    return WORKS[0] if number % 5 != 1 else WORKS[1 + number // 5 % (len(WORKS) - 1)]


@dataclass(frozen=True)
class Whole:
    """An undisturbed job: its model, how long it took from its configuration on, and the model of another."""

    model: dict[str, bytes]
    seconds: float
    other: dict[str, bytes]


def undisturbed(work: Work, base: Path) -> Whole:
    """What the job comes to where nothing happens, and what it would with other random numbers."""
    other = replace(work, settings={**work.settings, "_seed": 7})
    elsewhere, place = other.place(base / "other"), work.place(base / "whole")
    assert other.start(elsewhere).wait(PATIENCE).code == 0
    (place.base / "checkpoints").mkdir()
    run = work.start(place).until("Final configuration")
    begun = time.monotonic()
    assert run.wait(PATIENCE).code == 0, run.log
    seconds = time.monotonic() - begun
    models = work.model(place), work.model(elsewhere)
    assert models[0] and models[1], run.log
    return Whole(models[0], seconds, models[1])


def damaged(folder: Path) -> list[str]:
    """What is wrong with the checkpoints of a folder."""
    wrong = []
    for path in sorted(folder.glob(f"*{checkpoints.SUFFIX}")):
        try:
            checkpoints._read(path.read_bytes())
        except Exception as error:
            wrong.append(f"checkpoint {path.name} is damaged: {type(error).__name__}: {error}")
    return wrong


def hidden(folder: Path) -> list[Path]:
    """Files that nobody should see: what was being written."""
    found = folder.rglob("*") if folder.is_dir() else ()
    return [path for path in found if path.is_file() and path.relative_to(folder).parts[0].startswith(".")]


def killed(run: Run) -> None:
    """End a job as if its host were gone, and wait until nothing of it is left."""
    path = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    children = path.read_text().split() if path.exists() else []
    run.kill()
    while any(Path(f"/proc/{child}").exists() for child in children):
        time.sleep(0.005)


def cleared(place: Place) -> Place:
    """Without what a failed job leaves, which a platform would not hand to the next one."""
    (place.base / "output/failure").unlink(missing_ok=True)
    return place


def emptied(folder: Path) -> None:
    """Without the files in it, for the folder may be a mount point."""
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
