"""The smallest job: pictures of three colors, with masks of a palette or of grays and some pixels that do not count."""

from typing import Any

import numpy as np

from algoport.algorithms.contract.records.images import png
from algoport.algorithms.contract.records.masks import Masks

HYPERPARAMETERS: dict[str, object] = {"num_classes": 4, "mini_batch_size": 5}
_COLORS = np.array([[200, 30, 30], [20, 180, 40], [10, 20, 220]])


def channels() -> dict[str, Masks]:
    return {"train": _pictures(23, 0)}


def requests() -> Masks:
    return Masks(encoded=_pictures(9, 1).encoded)


def _pictures(count: int, seed: int) -> Masks:
    random = np.random.default_rng(seed)
    pairs = [_picture(random, ("gray", "palette")[number % 2]) for number in range(count)]
    return Masks(encoded=[data for data, _ in pairs], masks=[mask for _, mask in pairs])


def _picture(random: Any, colors: str) -> tuple[bytes, bytes]:
    height, width = random.integers(3, 9, 2).tolist()
    numbers = random.integers(0, 3, (height, width))
    pixels = np.clip(_COLORS[numbers] + random.integers(-20, 21, (height, width, 3)), 0, 255).astype(np.uint8)
    mask = np.where(random.random((height, width)) < 0.1, 255, numbers).astype(np.uint8)
    return png(height, width, pixels.tobytes()), png(height, width, mask.tobytes(), colors)
