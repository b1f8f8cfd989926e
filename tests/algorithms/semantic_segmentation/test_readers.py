"""The network, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from algoport.algorithms.semantic_segmentation import example
from algoport.algorithms.shared.vision.decoding import decode
from tests.algorithms.semantic_segmentation.jobs import blobs
from tests.clients import readers


def test_onnxruntime_gives_the_masks_that_the_server_gives(tmp_path: Path) -> None:
    pictures = blobs(8, 0)
    given = {**example.HYPERPARAMETERS, "num_training_samples": 8, "epochs": 1}
    model = readers.trained("semantic-segmentation", given, pictures, tmp_path)

    pixels = np.stack([decode(data, 3, "").transpose(2, 0, 1) for data in pictures.encoded]).astype(np.float32)

    theirs = readers.answered("semantic-segmentation", pixels, tmp_path)

    ours = np.stack(model.predict(pictures)["mask"])
    assert (theirs["mask"] == ours).mean() > 0.999
