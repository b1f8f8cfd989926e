"""The files for other programs compute what the model computes, sentence by sentence and step by step."""

import numpy as np
import pytest

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.seq2seq import gradients, onnx_graphs
from algoport.algorithms.seq2seq.pairs import Pairs
from tests.algorithms.seq2seq.jobs import SHAPES, drawn, network


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_of_both_files_have_the_losses_of_the_model(shape):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = network(**SHAPES[shape], sharp=1.0)
    encoder, step = (
        onnxruntime.InferenceSession(file) for file in onnx_graphs.encode(model.design, model.weights).values()
    )
    source, n = drawn(6, seed=4).tokens("source"), 6
    target = np.random.default_rng(1).integers(4, 14, (n, 3))
    padded = np.zeros((n, int(source.lengths.max())), np.int64)
    for number in range(n):
        padded[number, : source.lengths[number]] = source[number]

    out = encoder.run(None, {"source": padded, "lengths": source.lengths})
    state = dict(zip((each.name for each in encoder.get_outputs()), out, strict=True))
    losses, token = np.zeros((4, n)), np.full(n, 2)
    labels = np.concatenate([target, np.full((n, 1), 3)], axis=1)
    reads = {each.name for each in step.get_inputs()}
    for t in range(4):
        given = {**state, "token": token, "lengths": source.lengths, "step": np.array(t)}
        names = [each.name for each in step.get_outputs()]
        own = dict(zip(names, step.run(None, {name: given[name] for name in reads}), strict=True))
        losses[t] = -own["log_probabilities"][np.arange(n), labels[:, t]]
        np.testing.assert_allclose(own["attention"].sum(axis=1), 1, rtol=1e-5)
        assert (own["attention"][np.arange(padded.shape[1]) >= source.lengths[:, None]] == 0).all()
        state |= {name.removeprefix("next."): value for name, value in own.items() if name.startswith("next.")}
        token = labels[:, t]

    pairs = Pairs(source, Ragged.of(target.tolist()))
    want = gradients.losses(model.design, model.weights, pairs).losses.reshape(4, n)
    np.testing.assert_allclose(losses, want, rtol=1e-4, atol=1e-5)


def test_weights_that_no_file_holds_leave_the_files_out(monkeypatch):
    model = network()
    monkeypatch.setattr(onnx_graphs, "MOST", 100)

    assert onnx_graphs.encode(model.design, model.weights) == {}
