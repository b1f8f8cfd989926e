"""Models read by the libraries of others, where nothing of ours is installed.

The program for each algorithm is the one that its `clients.md`, and so docs/clients.md, shows to users.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport import algorithms
from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.contract.records import Rows
from algoport.containers.pages import clients
from tests import making
from tests.conformance.example import Example

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".peers/readers/bin/python"
BEFORE = """
import importlib.util
from pathlib import Path

import numpy

names = ("algoport", "algorithms", "training", "serving", "containers")
ours = [name for name in names if importlib.util.find_spec(name)]
if ours:
    raise SystemExit(f"{', '.join(ours)} must not be there")
model, rows = Path("model"), numpy.load("rows.npy")
"""
AFTER = """
numpy.savez("answers.npz", **answers)
"""


def program(name: str) -> str:
    """What reads that algorithm's model and answers with it; "" where its folder shows none."""
    return clients.code(clients.section(algorithms.folder(name), "What reads the model"))


def readable() -> list[str]:
    """The algorithms whose models something else reads."""
    return [name for name in algorithms.names() if program(name)]


def answered(name: str, rows: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """What the program answers about rows from the model in `folder/model`."""
    done = making.make(".peers/readers/installed")
    if done.returncode != 0:
        reason = f"the environment of readers cannot be made: {done.stderr[-300:]}"
        (pytest.fail if os.environ.get("ALGOPORT_REQUIRE_DOCKER") == "1" else pytest.skip)(reason)
    np.save(folder / "rows.npy", rows)
    script = folder / "reading.py"
    script.write_text(BEFORE + program(name) + AFTER)
    run = subprocess.run(
        [PYTHON, "-I", script], cwd=folder, env={}, text=True, capture_output=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    with np.load(folder / "answers.npz") as answers:
        return dict(answers)


def agree(name: str, model: Any, rows: np.ndarray, folder: Path) -> None:
    """Asserts that what the program answers about rows are columns of our model's answer, to five digits."""
    theirs = answered(name, rows, folder)

    ours = model.predict(table(rows), Example(name).options())
    assert theirs and set(theirs) <= set(ours)
    for column, values in theirs.items():
        size = np.abs(np.asarray(ours[column], float)).max()
        np.testing.assert_allclose(values, ours[column], rtol=1e-4, atol=2e-6 * max(size, 1), err_msg=column)


def trained(name: str, given: dict[str, object], records: Any, folder: Path) -> Any:
    """The model as a server loads it, from the files in `folder/model` that a job has left."""
    hyperparameters = algorithms.part(name, "hyperparameters").Hyperparameters.read(given)
    job = Job(hyperparameters=hyperparameters, channels={"train": Memory(records)})
    return saved(name, algorithms.part(name, "train").fit(job), folder)


def saved(name: str, model: Any, folder: Path) -> Any:
    """The model, written to `folder/model` and loaded from there."""
    (folder / "model").mkdir(exist_ok=True)
    model.save(folder / "model")
    return algorithms.part(name, "model").Model.load(folder / "model")


def table(rows: np.ndarray, label: np.ndarray | None = None) -> Rows:
    """Rows, labeled or not."""
    return Rows(features=rows, label=None if label is None else label.astype(np.float32)[:, None])


def spread(rows: np.ndarray) -> np.ndarray:
    """Every seventh row."""
    return np.ascontiguousarray(rows[::7])
