"""The model's files: what is damaged, what the original leaves, and what others read."""

import json
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.factorization_machines.model import Model
from tests.algorithms.factorization_machines.plainly import scores


@pytest.fixture
def model():
    random = np.random.default_rng(0)
    return Model(
        width=9,
        predictor_type="binary_classifier",
        bias=0.5,
        features=np.array([0, 2, 3, 8], np.int32),
        weights=random.normal(size=4).astype(np.float32),
        factors=random.normal(size=(4, 3)).astype(np.float32),
    )


def whole(model):
    """Weights and factors of all features."""
    w, v = np.zeros(model.width), np.zeros((model.width, model.factors.shape[1]))
    w[model.features], v[model.features] = model.weights, model.factors
    return w, v


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"v": None}, "must have an array 'v'"),
        ({"w0_weight": None}, "has no array 'w0_weight'"),
        ({"v": np.full((4, 3), np.nan, np.float32)}, "'v' must be finite numbers"),
        ({"w1_weight": np.zeros((3, 1), np.float32)}, "'w1_weight' must be 4 finite numbers"),
        ({"features": np.array([0, 2, 2, 8], np.int32)}, "'features' must be 4 ascending whole numbers below"),
        ({"features": np.array([0, 2, 3, 9], np.int32)}, "'features' must be 4 ascending whole numbers below"),
        ({"features": np.array([-1, 2, 3, 8], np.int32)}, "'features' must be 4 ascending whole numbers below"),
        ({"features": np.array([0, 2, 3, 8], np.int64)}, "'features' must be 4 ascending whole numbers below"),
        ({"features": None}, "must have a row for each of 9 features; it has 4"),
    ],
)
def test_damaged_arrays_are_refused(model, tmp_path, change, sentence):
    model.save(tmp_path)
    arrays = {**load_file(tmp_path / "model.safetensors"), **change}
    save_file({name: array for name, array in arrays.items() if array is not None}, tmp_path / "model.safetensors")

    with pytest.raises(UserError, match=sentence):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"feature_dim": 2**31}, "feature_dim must be a whole number from 1 to 2147483647"),
        ({"feature_dim": True}, "feature_dim must be a whole number"),
        ({"feature_dim": 8}, "below feature_dim, 8"),
        ({"predictor_type": "ranker"}, "predictor_type must be one of"),
        ({"num_factors": 4}, "num_factors must be 3"),
    ],
)
def test_facts_that_do_not_fit_are_refused(model, tmp_path, change, sentence):
    model.save(tmp_path)
    facts = {**json.loads((tmp_path / "model.json").read_text()), **change}
    (tmp_path / "model.json").write_text(json.dumps(facts))

    with pytest.raises(UserError, match=sentence):
        Model.load(tmp_path)


def test_the_text_is_that_of_libfm(model, tmp_path):
    """Read here as libFM reads it: a line a number, or a line a feature."""
    model.save(tmp_path)

    lines = (tmp_path / "model.libfm.txt").read_text().splitlines()

    assert lines[0] == "#global bias W0" and lines[2] == "#unary interactions Wj"
    assert lines[12] == "#pairwise interactions Vj,f"
    w, v = np.array([float(line) for line in lines[3:12]]), np.loadtxt(lines[13:])
    np.testing.assert_array_equal(w.astype(np.float32), whole(model)[0].astype(np.float32))
    np.testing.assert_array_equal(v.astype(np.float32), whole(model)[1].astype(np.float32))
    assert float(lines[1]) == model.bias


@pytest.mark.parametrize("predictor_type", ["binary_classifier", "regressor"])
def test_the_onnx_file_answers_as_the_model_does(model, predictor_type):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is what runs the file")
    own = Model(**{**vars(model), "predictor_type": predictor_type})
    x = np.random.default_rng(1).normal(size=(7, 9)).astype(np.float32)

    answer = runtime.InferenceSession(own.onnx()).run(["score"], {"features": x})[0]

    np.testing.assert_allclose(answer[:, 0], own.predict(Rows(features=x))["score"], rtol=1e-4, atol=1e-5)


def test_a_model_that_no_onnx_file_holds_says_so(model):
    with pytest.raises(UserError, match="where at most .* are written; take model.safetensors"):
        Model(**{**vars(model), "width": 2**31 - 1}).onnx()


def dense_array(array):
    """As MXNet 1.x writes it."""
    head = struct.pack("<IiI", 0xF993FAC9, 0, array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape)
    return head + struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()


def row_sparse_array(array, rows):
    """As MXNet 1.x writes one of which only some rows are there."""
    there = array[rows]
    text = struct.pack("<Ii", 0xF993FAC9, 1)
    for shape in (there.shape, array.shape):
        text += struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}q", *shape)
    text += struct.pack("<iii", 1, 0, 0) + struct.pack("<i", 6) + struct.pack("<Iq", 1, len(rows))
    return text + there.astype("<f4").tobytes() + np.asarray(rows, "<i8").tobytes()


def file(arrays):
    """A file of named arrays that are bytes already."""
    names = b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)
    return (
        struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays.values()) + struct.pack("<Q", len(arrays)) + names
    )


def artifact(folder, params, meta=None, symbol=None):
    """A folder as an original image leaves it."""
    with zipfile.ZipFile(folder / "model_algo-1", "w") as archive:
        archive.writestr("params", params)
        archive.writestr("symbol.json", json.dumps(symbol or {}))
        archive.writestr("meta.json", json.dumps(meta or {}))
    return folder


W, V = np.array([[0.5], [-1.0], [0.25]], np.float32), np.array([[1, 2], [0, 0], [-1, 0.5]], np.float32)


def of_sparse_rows(make_factors=dense_array):
    return file({"arg:v": make_factors(V), "arg:w1_weight": dense_array(W), "arg:w0_weight": dense_array(np.ones(1))})


def of_dense_rows():
    names = {"arg:v": V.T, "arg:Linear_Plus_Bias_weight": W.T, "arg:Linear_Plus_Bias_bias": np.ones(1)}
    return file({name: dense_array(array) for name, array in names.items()})


@pytest.mark.parametrize(
    "params",
    [of_sparse_rows(), of_sparse_rows(lambda v: row_sparse_array(v, [0, 2])), of_dense_rows()],
    ids=["sparse network", "row-sparse arrays", "dense network"],
)
def test_the_original_s_artifact_is_served_and_trained_further(tmp_path, params):
    meta = {"training_parameters": {"feature_dim": "3", "predictor_type": "regressor"}}

    model = Model.load(artifact(tmp_path, params, meta))

    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(model.predict(Rows(features=x))["score"], scores(x, 1.0, W[:, 0], V), rtol=1e-5)
    model.save(tmp_path / "ours")
    assert Model.load(tmp_path / "ours").predictor_type == "regressor"


def test_the_kind_of_label_is_taken_from_the_network_where_nothing_says_it(tmp_path):
    symbol = {"nodes": [{"op": "LogisticRegressionOutput", "name": "out"}]}

    assert Model.load(artifact(tmp_path, of_dense_rows(), symbol=symbol)).predictor_type == "binary_classifier"


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (bytes(16), "does not begin like an MXNet NDArray file"),
        (file({"arg:w1_weight": dense_array(W)}), "must have an array v of two dimensions"),
        (file({"arg:v": dense_array(V), "arg:w1_weight": dense_array(W[:2])}), "'w1_weight' must be 3 finite numbers"),
        (file({"arg:v": row_sparse_array(V, [0, 1])[:-8] + struct.pack("<q", 3)}), "with the row 3"),
        (file({"arg:v": dense_array(np.full((2, 2), np.inf))}), "finite"),
    ],
)
def test_what_is_no_model_of_the_original_is_refused(tmp_path, params, sentence):
    with pytest.raises(UserError, match=sentence):
        Model.load(artifact(tmp_path, params))


def test_a_row_sparse_array_cannot_claim_to_be_larger_than_its_file_makes_plausible(tmp_path):
    huge = row_sparse_array(V, [0]).replace(struct.pack("<qq", 3, 2), struct.pack("<qq", 1 << 40, 2), 1)

    with pytest.raises(UserError, match="row-sparse array"):
        Model.load(artifact(tmp_path, file({"arg:v": huge})))
