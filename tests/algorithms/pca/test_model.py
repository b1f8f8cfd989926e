"""The model on disk: what it refuses, what a server reads of it, and the files of the original images."""

import struct

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.pca.model import Model
from algoport.algorithms.shared import artifact
from tests import data
from tests.algorithms.pca.reference import trained

MEAN = np.array([[1.0, 2.0, 3.0]], np.float32)
V = np.array([[0.0, 1.0], [0.6, 0.0], [0.8, 0.0]], np.float32)
S = np.array([2.5, 40.0], np.float32)


def saved(arrays, *, names=True):
    """The bytes of `mx.nd.save` of MXNet 1.x: a list of dense arrays on the CPU, and their names."""
    whole = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        whole += struct.pack("<IiI", 0xF993FAC9, 0, array.ndim)
        whole += struct.pack(f"<{array.ndim}q", *array.shape)
        whole += struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()
    whole += struct.pack("<Q", len(arrays) if names else 0)
    for name in arrays if names else ():
        whole += struct.pack("<Q", len(name)) + name.encode()
    return whole


@pytest.mark.parametrize("prefix", ["", "arg:"])
def test_a_model_of_the_original_answers(tmp_path, prefix):
    arrays = {"mean": MEAN, "v": V, "s": S}
    (tmp_path / "model_algo-1").write_bytes(saved({prefix + name: array for name, array in arrays.items()}))

    model = Model.load(tmp_path)

    answer = model.predict(Rows(features=np.array([[1, 2, 3], [3, 7, 13]], np.float32)))
    np.testing.assert_allclose(answer["projection"], [[0, 0], [0.6 * 5 + 0.8 * 10, 2]], rtol=1e-6)
    np.testing.assert_array_equal(model.singular_values, S)
    assert model.width == 3


def test_a_model_of_the_original_lacks_what_incremental_training_needs(tmp_path):
    (tmp_path / "model_algo-1").write_bytes(saved({"mean": MEAN, "v": V, "s": S}))

    with pytest.raises(UserError, match="Channel 'model': a model of the original"):
        trained(np.ones((9, 3)), num_components=2, start=Model.load(tmp_path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (saved({"mean": MEAN, "v": V}), "no array 's'"),
        (saved({"mean": MEAN, "v": V, "s": S}, names=False), "names"),
        (saved({"mean": MEAN[:, :2], "v": V, "s": S}), "must be"),
        (saved({"mean": MEAN, "v": V * np.nan, "s": S}), "finite"),
        (saved({"mean": MEAN, "v": V, "s": S})[:100], "model_algo-1"),
        (b"", "model_algo-1"),
    ],
)
def test_a_file_of_the_original_that_is_none_is_refused_in_a_sentence(tmp_path, content, says):
    (tmp_path / "model_algo-1").write_bytes(content)

    with pytest.raises(UserError, match=says):
        Model.load(tmp_path)


def test_our_own_file_has_the_arrays_of_the_original_in_its_order(tmp_path):
    rows = data.digits()[0]
    trained(rows, num_components=6).save(tmp_path)

    arrays, facts = artifact.load(tmp_path)

    assert (arrays["mean"].shape, arrays["v"].shape, arrays["s"].shape) == ((1, 64), (64, 6), (6,))
    assert (np.diff(arrays["s"]) > 0).all(), "the strongest stands last"
    lengths = np.linalg.norm((rows - arrays["mean"]) @ arrays["v"], axis=0)
    np.testing.assert_allclose(lengths, arrays["s"], rtol=1e-5)
    assert facts["algorithm"] == "pca"


def test_without_subtracting_the_mean_nothing_is_taken_from_a_row():
    rows = data.digits()[0]
    model = trained(rows, num_components=3, subtract_mean=False)

    np.testing.assert_allclose(model.project(rows[:5]), rows[:5] @ model.components, rtol=1e-5, atol=1e-4)


def _own(**changes):
    arrays = {"mean": MEAN, "v": V, "s": S, **changes}
    return {name: array for name, array in arrays.items() if array is not None}


MOMENTS = {"count": np.ones(1), "center": np.zeros(3), "triangle": np.zeros(6)}


@pytest.mark.parametrize(
    ("arrays", "facts", "says"),
    [
        (_own(), {"algorithm": "kmeans"}, "is a model of kmeans"),
        (_own(v=None), {"algorithm": "pca"}, "no array 'v'"),
        (_own(v=V.T.copy()), {"algorithm": "pca"}, "must be"),
        (_own(s=S[:1]), {"algorithm": "pca"}, "must be"),
        (_own(mean=MEAN * np.inf), {"algorithm": "pca"}, "finite"),
        (_own(**{**MOMENTS, "triangle": np.zeros(5)}), {"algorithm": "pca"}, "do not fit"),
        (_own(**{**MOMENTS, "count": np.zeros(1)}), {"algorithm": "pca"}, "above 0"),
        (_own(**{**MOMENTS, "center": np.full(3, np.nan)}), {"algorithm": "pca"}, "finite"),
        (_own(count=np.ones(1)), {"algorithm": "pca"}, "do not fit"),
    ],
)
def test_an_artifact_that_is_none_is_refused_in_a_sentence(arrays, facts, says, tmp_path):
    artifact.save(tmp_path, arrays, facts)

    with pytest.raises(UserError, match=says):
        Model.load(tmp_path)
