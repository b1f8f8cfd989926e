"""What training leaves, read by scikit-learn, xgboost and onnxruntime where none of our packages is installed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algoport import algorithms
from algoport.algorithms.contract import Job, Memory
from algoport.algorithms.contract.records import Images, Rows
from algoport.algorithms.shared.vision.decoding import encoded
from tests import data, making

ROOT = Path(__file__).parents[2]
READERS = ROOT / ".peers/readers"


@pytest.fixture(scope="session")
def python() -> Path:
    """The other environment's."""
    done = making.make(".peers/readers/installed")
    if done.returncode != 0:
        reason = f"the environment of readers cannot be made: {done.stderr[-300:]}"
        (pytest.fail if os.environ.get("ALGOPORT_REQUIRE_DOCKER") == "1" else pytest.skip)(reason)
    return READERS / "bin/python"


def table(rows: np.ndarray, label: np.ndarray | None = None) -> Rows:
    return Rows(features=rows, label=None if label is None else label.astype(np.float32)[:, None])


def pictures() -> Images:
    """The digits as pictures, gray in three channels."""
    rows, label = data.digits()
    pixels = np.repeat((rows.reshape(-1, 8, 8, 1) * 15).astype(np.uint8), 3, axis=3)
    return Images(encoded=[encoded(each) for each in pixels], label=label.astype(np.float32)[:, None])


def numbers() -> np.ndarray:
    """What the network is given of these pictures."""
    rows, _ = data.digits()
    return np.repeat(rows.reshape(-1, 1, 8, 8) * 15, 3, axis=1)


def trained(name: str, given: dict[str, object], records: Any, folder: Path) -> Any:
    """The model as a server loads it, from the files that a job has left."""
    hyperparameters = algorithms.part(name, "hyperparameters").Hyperparameters.read(given)
    model = algorithms.part(name, "train").fit(
        Job(hyperparameters=hyperparameters, channels={"train": Memory(records)})
    )
    (folder / "model").mkdir(exist_ok=True)
    model.save(folder / "model")
    return algorithms.part(name, "model").Model.load(folder / "model")


def elsewhere(python: Path, name: str, rows: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """What the others' libraries answer."""
    np.save(folder / "rows.npy", rows)
    (folder / "asked.json").write_text(json.dumps({"algorithm": name.replace("-", "_")}))
    script = Path(__file__).with_name("reading.py")
    done = subprocess.run(
        [python, "-I", script, folder], cwd=folder, env={}, text=True, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(folder / "answers.npz") as found:
        return dict(found)


def spread(rows: np.ndarray) -> np.ndarray:
    """Some of the rows, from all over."""
    return np.ascontiguousarray(rows[::7])


SMALL = {"mini_batch_size": 200, "epochs": 5}
CASES = {
    "kmeans, digits": ("kmeans", {"k": 10, "feature_dim": 64, "mini_batch_size": 500}, data.digits, False),
    "kmeans, letters": ("kmeans", {"k": 26, "feature_dim": 16}, data.letters, False),
    "pca, digits": ("pca", {"num_components": 10, "feature_dim": 64, "mini_batch_size": 500}, data.digits, False),
    "pca, spam": ("pca", {"num_components": 5, "feature_dim": 57, "mini_batch_size": 500}, data.spambase, False),
    "two classes, spam": (
        "linear-learner",
        {**SMALL, "predictor_type": "binary_classifier", "feature_dim": 57},
        data.spambase,
        True,
    ),
    "ten classes, digits": (
        "linear-learner",
        {**SMALL, "predictor_type": "multiclass_classifier", "num_classes": 10, "feature_dim": 64},
        data.digits,
        True,
    ),
    "a number, diamonds": (
        "linear-learner",
        {"predictor_type": "regressor", "feature_dim": 23, "epochs": 2, "mini_batch_size": 1000},
        data.diamonds,
        True,
    ),
    "trees, spam": ("xgboost", {"objective": "binary:logistic", "num_round": 20}, data.spambase, True),
    "trees, digits": (
        "xgboost",
        {"objective": "multi:softprob", "num_class": 10, "num_round": 5},
        data.digits,
        True,
    ),
    "trees, diamonds": ("xgboost", {"objective": "reg:squarederror", "num_round": 10}, data.diamonds, True),
    "a linear booster, diamonds": (
        "xgboost",
        {"objective": "reg:squarederror", "booster": "gblinear", "num_round": 5},
        data.diamonds,
        True,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_others_libraries_answer_from_our_files_what_we_answer(case: str, python: Path, tmp_path: Path) -> None:
    name, given, source, labeled = CASES[case]
    rows, label = source()
    model = trained(name, given, table(rows, label if labeled else None), tmp_path)

    theirs = elsewhere(python, name, spread(rows), tmp_path)

    ours = model.predict(table(spread(rows)), None)
    for column, values in theirs.items():
        size = np.abs(np.asarray(ours[column], float)).max()
        np.testing.assert_allclose(values, ours[column], rtol=1e-4, atol=2e-6 * max(size, 1), err_msg=column)


def test_onnxruntime_tells_pictures_as_the_server_does(python: Path, tmp_path: Path) -> None:
    given = {
        "num_classes": 10, "num_training_samples": 1797, "num_layers": 20, "image_shape": "3,8,8",
        "mini_batch_size": 128, "epochs": 1,
    }  # fmt: skip
    model = trained("image-classification", given, pictures(), tmp_path)

    theirs = elsewhere(python, "image-classification", spread(numbers()).astype(np.float32), tmp_path)

    ours = model.predict(pictures().take(np.arange(0, 1797, 7)), None)["prediction"]
    np.testing.assert_allclose(theirs["prediction"], ours, rtol=1e-3, atol=1e-5)


def test_the_points_of_a_forest_are_rows_that_it_was_given(python: Path, tmp_path: Path) -> None:
    rows, _ = data.shuttle()
    given = {"feature_dim": 9, "num_trees": 50, "num_samples_per_tree": 64}
    trained("randomcutforest", given, table(rows[:5000]), tmp_path)

    theirs = elsewhere(python, "randomcutforest", rows[:1], tmp_path)["points"]

    assert len(theirs) == 50 * 64
    assert set(map(bytes, theirs)) <= set(map(bytes, rows[:5000]))
