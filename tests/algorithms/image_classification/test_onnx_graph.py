"""The ONNX file says what the model says."""

import numpy as np
import pytest
import torch

from algoport.algorithms.image_classification.model import ONNX, Model
from algoport.algorithms.image_classification.network import build
from algoport.algorithms.shared.vision.normalization import MOVING, BatchNorm
from algoport.algorithms.shared.vision.residual.design import Design
from algoport.algorithms.shared.vision.residual.network import arrays, initialize
from tests.algorithms.image_classification.jobs import fit

runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is what runs the file")


def made(layers: int, channels: int, side: int, *, multiple: bool) -> Model:
    """A network whose moving averages have seen something."""
    design = Design(num_layers=layers, channels=channels, height=side)
    network = build(design, 5, lambda sums: None)
    initialize(network, 0)
    seen = torch.rand(2, channels, side, side + 4, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        network.train()(seen)
        for module in network.modules():
            if isinstance(module, BatchNorm):  # as after many passes
                module.mean.div_(1 - MOVING)
                module.variance.sub_(MOVING).div_(1 - MOVING)
    return Model(
        num_layers=layers,
        num_classes=5,
        channels=channels,
        height=side,
        width_=side + 4,
        multi_label=multiple,
        weights=arrays(network),
    )


@pytest.mark.parametrize(
    ("layers", "channels", "side", "multiple"),
    [(18, 3, 64, False), (50, 3, 40, True), (20, 1, 28, False), (34, 3, 32, True)],
)
def test_it_answers_as_the_model_does(layers, channels, side, multiple):
    model = made(layers, channels, side, multiple=multiple)
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side + 4, channels)).astype(np.uint8)

    session = runtime.InferenceSession(model.onnx())
    (probabilities,) = session.run(None, {"data": pixels.transpose(0, 3, 1, 2).astype(np.float32)})

    assert [each.name for each in session.get_outputs()] == ["prediction"]
    # Fifty layers that have learned nothing magnify rounding: beside 64-bit numbers the runtime is off by 3e-5, and
    # ours, whose tiles of 3 x 3 round more, by 1.2e-4.
    np.testing.assert_allclose(probabilities, model._predictor.probabilities(pixels), atol=3e-4)


def test_it_lies_beside_the_model_unless_a_stop_presses(tmp_path):
    model = fit(epochs=1)
    model.save(tmp_path)
    assert (tmp_path / ONNX).read_bytes() == model.onnx()

    looks = iter([False] * 12)
    stopped = fit(epochs=30, more={"stop_requested": lambda: next(looks, True)})
    stopped.save(tmp_path)

    assert stopped.hurried and not (tmp_path / ONNX).exists()
    assert len(Model.load(tmp_path).predict(model.sample())["prediction"]) == 1
