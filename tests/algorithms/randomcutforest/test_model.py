"""A model on disk: what is refused, and that no file can lead a walk astray."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from algoport.algorithms.contract import Memory
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.randomcutforest import example
from algoport.algorithms.randomcutforest.hyperparameters import Hyperparameters
from algoport.algorithms.randomcutforest.model import Model
from algoport.algorithms.randomcutforest.train import Job, fit


@pytest.fixture(scope="module")
def model():
    channels = {name: Memory(rows) for name, rows in example.channels().items()}
    return fit(Job(hyperparameters=Hyperparameters.read(example.HYPERPARAMETERS), channels=channels))


@pytest.fixture
def folder(model, tmp_path):
    model.save(tmp_path)
    return tmp_path


def spoiled(folder, name, spoil):
    arrays = load_file(folder / "model.safetensors")
    arrays[name] = np.ascontiguousarray(spoil(arrays[name].copy()))
    save_file(arrays, folder / "model.safetensors")


def at(place, value):
    def spoil(array):
        array.reshape(-1)[place] = value
        return array

    return spoil


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("points", at(3, np.nan)),
        ("points", lambda array: array[:-20]),
        ("points", lambda array: array[:, :1]),
        ("points", lambda array: array.astype(np.float64)),
        ("boxes", at(0, np.inf)),
        ("boxes", lambda array: array[1:]),
        ("numbers", lambda array: array[1:]),
        ("numbers", at(0, -1)),
        ("roots", at(0, 1)),
        ("roots", at(5, 10**6)),
        ("roots", at(5, 0)),
        ("roots", lambda array: array[:0]),
        ("feature", at(0, 2)),
        ("feature", at(0, -1)),
        ("cut", at(0, np.nan)),
        ("cut", lambda array: array[1:]),
        ("child", at(0, 0)),
        ("child", at(0, 10**6)),
        ("child", at(0, 3)),
        ("span", at(0, -1)),
        ("mass", at(0, 0)),
        ("mass", at(0, 2**31 - 1)),
        ("first", at(4, -1)),
        ("first", at(4, 2**31 - 1)),
        ("box", at(0, 10**6)),
        ("box", at(0, -2)),
    ],
)
def test_an_array_that_would_lead_a_walk_astray_is_refused(folder, name, spoil):
    spoiled(folder, name, spoil)

    with pytest.raises(UserError, match=r"^model\."):
        Model.load(folder)


@pytest.mark.parametrize("name", ["points", "boxes", "numbers", "roots", "feature", "box"])
def test_an_array_that_is_not_there_is_named(folder, name):
    arrays = load_file(folder / "model.safetensors")
    del arrays[name]
    save_file(arrays, folder / "model.safetensors")

    with pytest.raises(UserError, match=f"'{name}'"):
        Model.load(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algorithm", "kmeans"),
        ("num_samples_per_tree", 0),
        ("num_samples_per_tree", 10**6),
        ("num_samples_per_tree", 2.5),
        ("feature_dim", 3),
        ("shingle_size", 2),
        ("seen", None),
        ("seed", "0"),
        ("seed", 1 << 70),
        ("sampled", True),
    ],
)
def test_a_fact_that_does_not_fit_is_refused(folder, name, value):
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, name: value}))

    with pytest.raises(UserError, match=r"^model\."):
        Model.load(folder)


def test_a_node_takes_28_bytes_and_its_box_8_a_feature(model):
    forest = model.forest

    assert sum(array.nbytes for array in forest.nodes) == 28 * len(forest.feature)
    assert forest.boxes.nbytes == 8 * 2 * (forest.box >= 0).sum()
    assert len(forest.feature) <= 50 * (2 * forest.size - 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_record_that_is_not_finite_is_refused(model, value):
    with pytest.raises(UserError, match="missing or infinite"):
        model.predict(Rows(features=np.array([[0, value]], np.float32)))


def test_a_record_far_beyond_all_points_has_the_highest_score(model):
    """3e38 is the largest of float32; what lies half a million times nearer scores the same."""
    far = np.array([[3e38, -3e38], [1e33, -1e33], [9, 9]], np.float32)

    scores = model.predict(Rows(features=far))["score"]

    assert np.isfinite(scores).all() and scores[0] == scores[1] > scores[2]
    assert scores[0] == pytest.approx(np.log2(model.forest.size + 1), rel=1e-5)
