"""What a job leaves: read by plain torch, answered on the wire, and refused where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.images import png
from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.contract.wire import Prediction
from algoport.algorithms.semantic_segmentation import example
from algoport.algorithms.semantic_segmentation.model import Model
from algoport.algorithms.semantic_segmentation.options import PROBABILITIES, Options
from algoport.algorithms.semantic_segmentation.wire import ANSWERS
from algoport.algorithms.shared.vision.decoding import decode
from algoport.training import formats
from tests.algorithms.semantic_segmentation.jobs import fit
from tests.algorithms.semantic_segmentation.twin import Twin


@pytest.fixture(scope="module")
def model() -> Model:
    return fit()


def test_the_artifact_loads_in_plain_torch_and_gives_the_same_mask(model: Model, tmp_path: Path) -> None:
    """As the page says: the names are those of torchvision's layers, of which the twin has the same."""
    model.save(tmp_path)
    asked = example.requests()
    pixels = decode(asked.encoded[0], 3, "")

    network = Twin(50, 4, "fcn", 3)
    missing, extra = network.load_state_dict(safetensors.torch.load_file(tmp_path / "model.safetensors"), strict=False)
    network.eval()
    with torch.inference_mode():
        scores = network(torch.from_numpy(pixels).permute(2, 0, 1)[None].float())[0]
        whole = torch.nn.functional.interpolate(scores, pixels.shape[:2], mode="bilinear", align_corners=False)

    assert not extra and all(name.endswith("num_batches_tracked") for name in missing)
    assert (whole[0].argmax(0).numpy() == model.predict(asked)["mask"][0]).mean() > 0.995


def test_probabilities_sum_to_one_and_agree_with_the_mask(model: Model) -> None:
    asked = example.requests()

    answer = model.predict(asked, Options(accept=PROBABILITIES))

    for mask, probabilities in zip(answer["mask"], answer["probabilities"], strict=True):
        assert probabilities.shape == (3, *mask.shape) and mask.dtype == np.uint8
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
        assert (probabilities.argmax(axis=0) == mask).mean() > 0.999


def test_in_recordio_probabilities_and_their_shape_are_features() -> None:
    values = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    prediction = Prediction(columns={"mask": [None], "probabilities": [values]}, records=Masks(encoded=[b""]))

    (message,) = ANSWERS[PROBABILITIES].content(prediction)

    assert message.features["shape"].tolist() == [1, 3, 4, 5]
    np.testing.assert_array_equal(message.features["target"].reshape(3, 4, 5), values)
    assert formats.ContentType.parse("application/x-protobuf").media == PROBABILITIES


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(model: Model) -> None:
    large = png(2, 2)[:16] + (5000).to_bytes(4, "big") * 2 + png(2, 2)[24:]

    with pytest.raises(UserError, match="has 5000 x 5000 pixels, where at most 16,777,216 are allowed"):
        model.predict(Masks(encoded=[large]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"backbone": "resnet-18"}, "backbone must be one of resnet-50, resnet-101; it is resnet-18"),
        ({"decoder": None}, "decoder must be one of fcn, psp, deeplab"),
        ({"num_classes": 1}, "num_classes must be a whole number from 2 to 254; it is 1"),
        ({"num_classes": 4}, "'aux_classifier.4.weight' must be float32 of shape"),
        ({"crop_size": 20}, "crop_size must be a multiple of 8"),
        ({"width_multiplier": True}, "width_multiplier must be a number"),
        ({"width_multiplier": 0.125}, "must be float32 of shape"),
        ({"auxiliary": False}, "has an array 'aux_classifier"),
        ({"auxiliary": 1}, "auxiliary must be true or false"),
        ({"validation_mean_iou": "x"}, "validation_mean_iou must be a number"),
    ],
)
def test_a_model_with_other_facts_is_refused(
    model: Model, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    model.save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**facts, **changes}))

    with pytest.raises(UserError, match=sentence):
        Model.load(tmp_path)
