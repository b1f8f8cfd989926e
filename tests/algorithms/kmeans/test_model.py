"""The model on disk: what it refuses, and the files of the original images."""

from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.kmeans.model import Model
from algoport.algorithms.shared import artifact

ORIGINAL = Path(__file__).parent / "original"
CENTERS = np.array([[0.0, 1.5, -2.0], [4.0, 5.0, 6.25]], np.float32)


def test_a_model_of_the_original_answers(tmp_path):
    model = Model.load(ORIGINAL)

    answer = model.predict(Rows(features=np.array([[4, 5, 6], [0, 0, 0]], np.float32)))

    np.testing.assert_array_equal(model.centers, CENTERS)
    np.testing.assert_array_equal(answer["closest_cluster"], [1, 0])
    np.testing.assert_allclose(answer["distance_to_cluster"], [0.25, 2.5])


def test_our_own_file_goes_before_the_original_where_both_lie(tmp_path):
    (tmp_path / "model_algo-1").write_bytes((ORIGINAL / "model_algo-1").read_bytes())
    Model(centers=CENTERS[:1]).save(tmp_path)

    assert len(Model.load(tmp_path).centers) == 1


@pytest.mark.parametrize(
    ("arrays", "facts", "says"),
    [
        ({"centers": CENTERS}, {"algorithm": "pca"}, "is a model of pca"),
        ({"center": CENTERS}, {"algorithm": "kmeans"}, "has no array 'centers'"),
        ({"centers": CENTERS[0]}, {"algorithm": "kmeans"}, "must be a matrix"),
        ({"centers": CENTERS * np.nan}, {"algorithm": "kmeans"}, "finite"),
        ({"centers": CENTERS, "streaming": CENTERS}, {"algorithm": "kmeans"}, "only one of"),
        (
            {"centers": CENTERS, "streaming": CENTERS, "weights": np.ones(3)},
            {"algorithm": "kmeans"},
            "do not fit",
        ),
        (
            {"centers": CENTERS, "streaming": CENTERS, "weights": np.array([1.0, -1.0])},
            {"algorithm": "kmeans"},
            "not negative",
        ),
    ],
)
def test_an_artifact_that_is_none_is_refused_in_a_sentence(arrays, facts, says, tmp_path):
    artifact.save(tmp_path, arrays, facts)

    with pytest.raises(UserError, match=says):
        Model.load(tmp_path)


def test_a_folder_without_a_model_says_so(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(b"")

    with pytest.raises(UserError, match="there is no model"):
        Model.load(tmp_path)
