"""The smallest job: gray pictures with one object, several or none, some of them difficult to see."""

from typing import Any

import numpy as np

from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.contract.records.images import png

HYPERPARAMETERS: dict[str, object] = {"num_classes": 3, "mini_batch_size": 5}


def channels() -> dict[str, Boxes]:
    return {"train": _pictures(23, 0), "validation": _pictures(7, 1)}


def requests() -> Boxes:
    return Boxes(encoded=_pictures(9, 2).encoded)


def _pictures(count: int, seed: int) -> Boxes:
    random = np.random.default_rng(seed)
    sizes = random.integers(20, 60, (count, 2)).tolist()
    encoded = [png(height, width, random.bytes(300)) for height, width in sizes]
    return Boxes(encoded=encoded, objects=[_objects(random, *size, number % 4) for number, size in enumerate(sizes)])


def _objects(random: Any, height: int, width: int, count: int) -> Any:
    """Whole pixels, as annotations have them."""
    rows = []
    for number in range(count):
        left, top = int(random.integers(0, width // 2)), int(random.integers(0, height // 2))
        right, bottom = int(random.integers(left + 1, width + 1)), int(random.integers(top + 1, height + 1))
        rows.append([number % 3, left / width, top / height, right / width, bottom / height, number == 2])
    return np.array(rows, np.float64).reshape(-1, 6).astype(np.float32)
