"""A model's files: ONNX computes the same, and what is damaged is refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.ntm.model import Model
from tests.algorithms.ntm.jobs import drawn, trained


@pytest.fixture(scope="module")
def models():
    counts = drawn(80)[0]
    return {norm: trained(counts, epochs=3, batch_norm=norm) for norm in (False, True)}


@pytest.mark.parametrize("norm", [False, True])
def test_onnx_answers_as_the_model(models, norm, tmp_path):
    import onnxruntime

    model, counts = models[norm], drawn(20, seed=4)[0]
    model.save(tmp_path)

    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (answer,) = session.run(["topic_weights"], {"features": counts})

    np.testing.assert_allclose(answer, model.predict(Rows(features=counts))["topic_weights"], rtol=1e-4, atol=1e-6)


def test_a_document_without_words_is_answered(models):
    answer = models[False].predict(Rows(features=np.zeros((2, 60), np.float32)))["topic_weights"]

    assert np.isfinite(answer).all() and answer[0].tolist() == answer[1].tolist()


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"feature_dim": 61}, "must be"),
        ({"num_topics": 0}, "num_topics must be a whole number from 1 to 1000; it is 0"),
        ({"encoder_layers": []}, "encoder_layers must be a list"),
        ({"encoder_layers": [10**5] * 20}, "'layer0'"),
        ({"encoder_layers_activation": "gelu"}, "must be one of sigmoid, tanh, relu"),
        ({"batch_norm": 1}, "batch_norm must be true or false"),
        ({"vocabulary": ["a"]}, r"vocabulary must have feature_dim \(60\) words; it has 1"),
        ({"vocabulary": [1] * 60}, "vocabulary must be a list of words"),
    ],
)
def test_facts_that_do_not_fit_are_refused(models, tmp_path, change, sentence):
    models[True].save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**facts, **change}))

    with pytest.raises(UserError, match=sentence):
        Model.load(tmp_path)


def test_a_negative_variance_is_refused(models, tmp_path):
    models[True].save(tmp_path)
    arrays = load_file(tmp_path / "model.safetensors")
    arrays["statistics.layer0"][1, 0] = -1
    save_file(arrays, tmp_path / "model.safetensors")

    with pytest.raises(UserError, match=r"variances in 'statistics.layer0' must not be negative"):
        Model.load(tmp_path)
