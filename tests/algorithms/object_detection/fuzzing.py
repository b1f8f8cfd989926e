"""What is fuzzed beside the models of the example: the settings that an original image leaves beside its weights."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from algoport.algorithms.object_detection import original
from algoport.algorithms.object_detection.model import Model
from tests.algorithms.object_detection.original import SETTINGS, settings, written_by_mxnet
from tests.fuzzing.artifacts import MEMORY, works
from tests.fuzzing.fuzzer import Target


def targets() -> Iterator[Target]:
    """One a file. Its weights fit no network, for those that do are large; what is read of them is fuzzed all the
    same."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    model = Model(base_network="vgg-16", num_classes=2, image_shape=300, weights={})
    arrays = {"arg:conv1_1_weight": np.zeros((64, 3, 3, 3), np.float32), "aux:bn_moving_var": np.ones(2)}
    whole = {SETTINGS: settings(model), original.WEIGHTS: written_by_mxnet(arrays)}
    seeds = {SETTINGS: [whole[SETTINGS], settings(model, num_classes=2, nms_threshold=0.5)]}

    for name, valid in whole.items():

        def feed(data: bytes, name: str = name) -> bool:
            for each, content in {**whole, name: data}.items():
                (folder / each).write_bytes(content)
            return works(lambda: original.load(folder))

        yield Target(f"object-detection original {name}", seeds.get(name, [valid]), feed)
