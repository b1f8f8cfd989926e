"""What an original image left is read, and nothing else is believed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.object_detection.layers import Layers
from algoport.algorithms.object_detection.model import Model
from algoport.algorithms.object_detection.network import shapes
from algoport.algorithms.object_detection.original import WEIGHTS
from tests.algorithms.object_detection.original import SETTINGS, leave, settings, written_by_mxnet


@pytest.fixture(scope="module")
def model() -> Model:
    """Of the only width that originals have, all weights of it alike."""
    layers = Layers(base="resnet-50", side=300, num_classes=2, share=1.0)
    weights = {name: np.full(shape, 0.5, np.float32) for name, shape in shapes(layers).items()}
    return Model(base_network="resnet-50", num_classes=2, image_shape=300, nms_topk=7, weights=weights)


def test_weights_and_settings_are_read(model: Model, tmp_path: Path) -> None:
    leave(tmp_path, model)

    loaded = Model.load(tmp_path)

    assert (loaded.base_network, loaded.num_classes, loaded.image_shape) == ("resnet-50", 2, 300)
    assert (loaded.nms_topk, loaded.nms_threshold, loaded.width_multiplier) == (7, 0.45, 1.0)
    assert {name: array.shape for name, array in loaded.weights.items()} == shapes(model.layers)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"num_classes": "3"}, r"must be float32 of shape \("),
        ({"num_classes": "many"}, "num_classes must be a whole number from 1 to 65536; it is many"),
        ({"num_classes": None}, "num_classes must be a whole number from 1 to 65536; it is None"),
        ({"num_classes": "9" * 400}, "num_classes must be a whole number from 1 to 65536; it is 999"),
        ({"image_shape": 10**400}, "image_shape must be a whole number from 300 to 2048"),
        ({"nms_threshold": "nan"}, "nms_threshold must be above 0 and at most 1; it is nan"),
        ({"base_network": ["vgg-16"]}, "base_network must be one of vgg-16, resnet-50"),
        ({"base_network": "vgg-16"}, "has no array 'conv1_1_weight'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    model: Model, tmp_path: Path, more: dict[str, object], sentence: str
) -> None:
    leave(tmp_path, model)
    (tmp_path / SETTINGS).write_bytes(settings(model, **more))

    with pytest.raises(UserError, match=sentence):
        Model.load(tmp_path)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_settings_that_are_none_are_refused(model: Model, tmp_path: Path, text: bytes) -> None:
    leave(tmp_path, model)
    (tmp_path / SETTINGS).write_bytes(text)

    with pytest.raises(UserError, match=r"hyperparams\.json: must be a JSON object of the job's settings"):
        Model.load(tmp_path)


def test_files_that_are_missing_or_cut_are_named(model: Model, tmp_path: Path) -> None:
    leave(tmp_path, model)
    whole = (tmp_path / WEIGHTS).read_bytes()

    (tmp_path / WEIGHTS).write_bytes(whole[:-20])
    with pytest.raises(UserError, match=WEIGHTS):
        Model.load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(written_by_mxnet({"arg:a": np.zeros(3)}))
    with pytest.raises(UserError, match="has no array"):
        Model.load(tmp_path)
    (tmp_path / SETTINGS).unlink()
    with pytest.raises(UserError, match=r"hyperparams\.json: is missing beside the weights"):
        Model.load(tmp_path)
    assert json.loads(settings(model))["num_classes"] == "2"
