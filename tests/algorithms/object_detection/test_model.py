"""What a model answers, and what others read of it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch

from algoport import algorithms
from algoport.algorithms.object_detection import example
from algoport.algorithms.object_detection.layers import Layers
from algoport.algorithms.object_detection.model import Model
from algoport.algorithms.object_detection.network import arrays, build, initialize
from algoport.algorithms.object_detection.options import Options
from algoport.algorithms.shared.vision.anchors import VARIANCES
from algoport.algorithms.shared.vision.kernels import boxes as kernels
from tests.clients import readers

PAGE = algorithms.folder("object-detection") / "README.md"


def made(base: str) -> Model:
    """A narrow network of random weights, whose heads are no longer near zero."""
    layers = Layers(base=base, side=300, num_classes=3, share=0.0625)
    network = build(layers, lambda sums: None)
    initialize(network, 0)
    weights = arrays(network)
    for name in weights:
        if name.endswith("_pred_conv_weight"):
            weights[name] *= 10
    return Model(base_network=base, num_classes=3, image_shape=300, width_multiplier=0.0625, weights=weights)


def plainly(model: Model, pixels: Any) -> tuple[Any, Any]:
    """Probabilities and corners of all anchors, by the model's own network."""
    scores, offsets = model._predictor.scores(pixels)
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    every = np.arange(len(model.anchors), dtype=np.int32)
    corners = np.empty((len(pixels), len(every), 4), np.float32)
    for own, offset in zip(corners, offsets, strict=True):
        kernels.decode(model.anchors, offset, VARIANCES, every, own)
    return shares / shares.sum(axis=2, keepdims=True), corners


@pytest.fixture(scope="module", params=["vgg-16", "resnet-50"])
def model(request) -> Model:
    return made(request.param)


def test_the_onnx_file_gives_the_model_s_probabilities_and_boxes(model):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is what runs the file")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 300, 300, 3)).astype(np.uint8)

    session = runtime.InferenceSession(model.onnx())
    scores, boxes = session.run(None, {"data": pixels.transpose(0, 3, 1, 2).astype(np.float32)})

    probabilities, corners = plainly(model, pixels)
    np.testing.assert_allclose(scores, probabilities, atol=1e-3)
    np.testing.assert_allclose(boxes, corners, atol=1e-3)


def test_the_program_in_plain_torch_on_the_page_gives_the_model_s_probabilities_and_boxes(tmp_path, monkeypatch):
    """It reads the weights without any package of ours."""
    model = made("vgg-16")
    model.save(tmp_path / "model")
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 300, 300, 3)).astype(np.uint8)
    monkeypatch.chdir(tmp_path)

    names: dict[str, Any] = {"pixels": torch.from_numpy(pixels).permute(0, 3, 1, 2).float()}
    exec(program, names)

    assert "algoport" not in program
    scores, boxes = plainly(model, pixels)
    np.testing.assert_allclose(names["scores"], scores, atol=1e-4)
    np.testing.assert_allclose(names["boxes"], boxes, atol=1e-4)


def test_the_program_of_other_libraries_gives_the_model_s_detections(tmp_path):
    """docs/clients.md shows it."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is what the program runs")
    model = made("vgg-16")
    model.save(tmp_path)
    pixels = np.random.default_rng(2).integers(0, 256, (1, 300, 300, 3)).astype(np.uint8)

    names: dict[str, Any] = {"model": tmp_path, "rows": pixels.transpose(0, 3, 1, 2).astype(np.float32)}
    exec(readers.program("object-detection"), names)

    scores, boxes = plainly(model, pixels)
    np.testing.assert_allclose(names["answers"]["score"], scores[..., 1:].max(axis=2), atol=1e-3)
    np.testing.assert_allclose(names["answers"]["corners"], boxes, atol=1e-3)
    assert (names["answers"]["class"] == scores[..., 1:].argmax(axis=2)).mean() > 0.99


def test_a_request_chooses_how_sure_and_how_far_apart_detections_are(model):
    picture = example.pictures(1, 3)

    (plain,) = model.predict(picture)["prediction"]
    (sure,) = model.predict(picture, Options.read({"threshold": 0.5}))["prediction"]
    (apart,) = model.predict(picture, Options.read({"force_suppress": "true", "nms_threshold": 0.1}))["prediction"]

    assert len(plain) and (np.diff(plain[:, 1]) <= 0).all()
    np.testing.assert_array_equal(sure, plain[plain[:, 1] >= 0.5])
    assert 0 < len(apart) < len(plain)
    table = np.empty((len(apart), len(apart)), np.float32)
    corners = np.ascontiguousarray(apart[:, 2:])
    kernels.overlaps(corners, corners, table)
    assert (table[~np.eye(len(apart), dtype=bool)] <= 0.1).all()


def test_annotations_are_in_pixels_of_the_request_s_picture(model):
    picture = example.pictures(1, 3)

    answer = model.predict(picture, Options.read({"annotation": 1}))

    assert answer["image_size"] == [[{"width": 80, "height": 60, "depth": 3}]]
    (rows,) = model.predict(picture)["prediction"]
    (annotations,) = answer["annotations"]
    assert len(rows) == len(annotations)
    for row, each in zip(rows, annotations, strict=True):
        assert each["class_id"] == row[0] and each["score"] == row[1]
        right, bottom = each["left"] + each["width"], each["top"] + each["height"]
        np.testing.assert_allclose([each["left"], each["top"], right, bottom], row[2:] * [80, 60, 80, 60], atol=0.51)
    json.dumps(annotations)
