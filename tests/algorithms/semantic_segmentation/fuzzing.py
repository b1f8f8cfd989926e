"""What is fuzzed beside the models of the example: label maps."""

from __future__ import annotations

from collections.abc import Iterator

from algoport.algorithms.contract import Auxiliary
from algoport.algorithms.semantic_segmentation import label_map
from tests.fuzzing.artifacts import works
from tests.fuzzing.fuzzer import Target


def targets() -> Iterator[Target]:
    """One."""
    seeds = [b'{"scale": 3}', b'{"map": {"0": 5, "1": 0, "2": [1, 2, "3"], "255": 254}}', b'{"scale": "1.5"}']

    def feed(data: bytes) -> bool:
        files = {label_map.CHANNEL: Auxiliary.of(label_map.CHANNEL, {"train_label_map.json": data})}

        def read() -> None:
            labels = label_map.read(files, "train", 3)
            assert labels is not None and labels.table.shape == (256,) and labels.numbers is not None

        return works(read)

    yield Target("semantic-segmentation label map", seeds, feed)
