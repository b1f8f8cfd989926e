"""The network, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared.vision.decoding import encode
from tests import data
from tests.clients import readers

COUNT = 280  # digits


def pictures() -> Images:
    """The digits as pictures, gray in three channels."""
    rows, label = (part[:COUNT] for part in data.digits())
    pixels = np.repeat((rows.reshape(-1, 8, 8, 1) * 15).astype(np.uint8), 3, axis=3)
    return Images(encoded=[encode(each) for each in pixels], label=label.astype(np.float32)[:, None])


def pixels() -> np.ndarray:
    """What the network is given of these pictures."""
    rows = data.digits()[0][:COUNT]
    return np.repeat(rows.reshape(-1, 1, 8, 8) * 15, 3, axis=1).astype(np.float32)


def test_onnxruntime_classifies_pictures_as_the_server_does(tmp_path: Path) -> None:
    given = {
        "num_classes": 10, "num_training_samples": COUNT, "num_layers": 20, "image_shape": "3,8,8",
        "mini_batch_size": 32, "epochs": 1,
    }  # fmt: skip
    model = readers.trained("image-classification", given, pictures(), tmp_path)

    theirs = readers.answered("image-classification", readers.spread(pixels()), tmp_path)

    ours = model.predict(pictures().take(np.arange(0, COUNT, 7)), None)["prediction"]
    np.testing.assert_allclose(theirs["prediction"], ours, rtol=1e-3, atol=1e-5)
