"""The artifact of the original images, made here by hand, and what is not one."""

import json
import struct
import zipfile

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner.model import Model
from algoport.algorithms.shared import packed

SYMBOL = {"nodes": [{"op": "null", "name": "data"}, {"op": "FullyConnected", "name": "fc0"}]}


def ndarrays(arrays):
    """The bytes of an MXNet 1.x file of named float32 arrays."""
    text = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        text += struct.pack("<IiI", 0xF993FAC9, 0, array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape)
        text += struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()
    text += struct.pack("<Q", len(arrays))
    return text + b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)


def artifact(folder, weights, bias, *, facts=None, symbol=SYMBOL, entries=None, method=zipfile.ZIP_DEFLATED):
    """A folder as an original image leaves it."""
    files = {
        "additional-params.json": json.dumps(facts or {}).encode(),
        "manifest.json": b"{}",
        "mx-mod-symbol.json": json.dumps(symbol).encode(),
        "mx-mod-0000.params": ndarrays({"arg:fc0_weight": weights, "arg:fc0_bias": bias}),
    }
    with zipfile.ZipFile(folder / "model_algo-1", "w", method) as archive:
        for name, data in {**files, **(entries or {})}.items():
            if data is not None:
                archive.writestr(name, data)
    return folder


@pytest.fixture
def binary():
    return np.array([[1.0, -2.0, 0.5]], np.float32), np.array([0.25], np.float32)


def test_a_binary_classifier_is_read_and_answers(tmp_path, binary):
    facts = {"predictor_type": "binary_classifier", "threshold": 0.6}

    model = Model.load(artifact(tmp_path, *binary, facts=facts))

    rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0.4]], np.float32)
    margins = rows @ binary[0][0] + 0.25
    answers = model.predict(Rows(features=rows))
    np.testing.assert_allclose(answers["score"], 1 / (1 + np.exp(-margins)), rtol=1e-6)
    np.testing.assert_array_equal(answers["predicted_label"], 1 / (1 + np.exp(-margins)) >= 0.6)
    assert model.width == 3


def test_a_threshold_is_found_within_other_things_and_else_is_a_half(tmp_path, binary):
    facts = {"model": {"predictor_type": "binary_classifier", "loss": "logistic", "Threshold": "0.75"}}

    assert Model.load(artifact(tmp_path, *binary, facts=facts)).threshold == pytest.approx(np.log(3))
    del facts["model"]["Threshold"]
    assert Model.load(artifact(tmp_path, *binary, facts=facts)).threshold == 0


def test_a_hinge_loss_has_margins_and_its_threshold_is_one(tmp_path, binary):
    facts = {"predictor_type": "binary_classifier", "loss": "hinge_loss", "threshold": 1.25}

    model = Model.load(artifact(tmp_path, *binary, facts=facts))

    answers = model.predict(Rows(features=np.array([[1, 0, 0], [1.25, 0, 0]], np.float32)))
    np.testing.assert_array_equal(answers["score"], [1.25, 1.5])
    np.testing.assert_array_equal(answers["predicted_label"], [1, 1])


def test_what_is_not_given_is_inferred_from_the_network(tmp_path, binary):
    squashed = {"nodes": [*SYMBOL["nodes"], {"op": "Activation", "attrs": {"act_type": "sigmoid"}}]}

    assert Model.load(artifact(tmp_path, *binary)).predictor_type == "regressor"
    assert Model.load(artifact(tmp_path, *binary, symbol=squashed)).predictor_type == "binary_classifier"


def test_several_rows_of_weights_are_several_classes(tmp_path):
    weights, bias = np.eye(3, 4, dtype=np.float32), np.zeros(3, np.float32)

    model = Model.load(artifact(tmp_path, weights, bias))

    answers = model.predict(Rows(features=np.eye(4, dtype=np.float32)[:3]))
    np.testing.assert_array_equal(answers["predicted_label"], [0, 1, 2])
    np.testing.assert_allclose(answers["score"].sum(axis=1), 1, rtol=1e-6)


def test_it_is_saved_as_ours_and_says_the_same(tmp_path, binary):
    model = Model.load(artifact(tmp_path, *binary, facts={"predictor_type": "binary_classifier", "threshold": 0.6}))
    model.save(tmp_path / "ours")

    again = Model.load(tmp_path / "ours")

    rows = Rows(features=np.eye(3, dtype=np.float32))
    for column, values in model.predict(rows).items():
        np.testing.assert_array_equal(again.predict(rows)[column], values)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"mx-mod-0000.params": None}, "has no entry 'mx-mod-0000.params'"),
        ({"mx-mod-0000.params": b"not an array"}, "does not begin like an MXNet NDArray file"),
        ({"mx-mod-0000.params": ndarrays({"arg:other": np.ones((1, 3))})}, "must have an array fc0_weight"),
        ({"mx-mod-0000.params": ndarrays({"arg:fc0_weight": np.full((1, 3), np.nan)})}, "finite"),
        (
            {"mx-mod-0000.params": ndarrays({"arg:fc0_weight": np.ones((1, 3)), "arg:fc0_bias": np.ones(2)})},
            "must fit each other",
        ),
        ({"additional-params.json": b"{"}, "is not JSON"),
        ({"additional-params.json": b"[" * 100_000}, "is not JSON"),
        ({"additional-params.json": b" " * (packed.MOST_JSON + 1)}, "would be"),
        ({"mx-mod-0000.params": b"\0" * (1 << 24)}, "would be"),
    ],
)
def test_what_is_no_model_is_reported(tmp_path, binary, entries, message):
    artifact(tmp_path, *binary, entries=entries)

    with pytest.raises(UserError, match=message):
        Model.load(tmp_path)


def test_an_entry_that_comes_twice_is_refused(tmp_path, binary):
    artifact(tmp_path, *binary)
    with zipfile.ZipFile(tmp_path / "model_algo-1", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("mx-mod-0000.params", b"another")

    with pytest.raises(UserError, match="twice"):
        Model.load(tmp_path)


def test_entries_that_lead_elsewhere_are_not_looked_at(tmp_path, binary):
    artifact(tmp_path, *binary, entries={"../../escaped": b"x", "/etc/escaped": b"x"})

    assert Model.load(tmp_path).width == 3
    assert not list(tmp_path.parent.glob("escaped"))


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_damaged_zip_is_reported(tmp_path, binary, cut):
    path = artifact(tmp_path, *binary) / "model_algo-1"
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(UserError, match="model_algo-1: cannot be read as a zip"):
        Model.load(tmp_path)


def test_changed_bytes_never_do_more_than_be_refused(tmp_path, binary):
    path = artifact(tmp_path, *binary, method=zipfile.ZIP_STORED) / "model_algo-1"
    whole = path.read_bytes()
    random = np.random.default_rng(0)

    for _ in range(300):
        data = bytearray(whole)
        for place in random.integers(0, len(data), 3):
            data[place] = random.integers(0, 256)
        path.write_bytes(data)
        try:
            model = Model.load(tmp_path)
        except UserError:
            continue
        assert np.isfinite(model.weights).all()
