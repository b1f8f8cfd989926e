"""The smallest job: pictures of thirty by twenty pixels whose halves differ in brightness, by a network of a 64th of
the usual channels."""

import numpy as np

from algoport.algorithms.contract.records.images import png
from algoport.algorithms.contract.records.masks import Masks

HYPERPARAMETERS: dict[str, object] = {
    "num_classes": 3,
    "num_training_samples": 12,
    "width_multiplier": 0.0625,
    "base_size": 20,
    "crop_size": 17,
    "mini_batch_size": 4,
    "validation_mini_batch_size": 4,
    "epochs": 1,
    "learning_rate": 0.01,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 6}, {"epochs": 4})]

CHOICES: list[dict[str, object]] = [{"accept": "application/x-recordio-protobuf"}]


def pictures(count: int, seed: int) -> Masks:
    """Noise that is brighter on one side, class 1, than on the other, class 0; a stripe between them does not count."""
    random = np.random.default_rng(seed)
    encoded, masks = [], []
    for number in range(count):
        height, width = (int(side) for side in random.integers(18, 30, 2))
        cut = int(random.integers(4, width - 4))
        mask = np.zeros((height, width), np.uint8)
        mask[:, cut:], mask[:, cut] = 1 + number % 2, 255
        pixels = random.integers(0, 100, (height, width, 3)) + 70 * (mask % 255)[..., None]
        encoded.append(png(height, width, pixels.astype(np.uint8).tobytes()))
        masks.append(png(height, width, mask.tobytes(), ("gray", "palette")[number % 2]))
    return Masks(encoded=encoded, masks=masks)


def channels() -> dict[str, Masks]:
    """A training and a validation channel."""
    return {"train": pictures(12, 0), "validation": pictures(4, 1)}


def requests() -> Masks:
    """Pictures without masks."""
    return Masks(encoded=pictures(8, 2).encoded)


def others() -> list[tuple[dict[str, object], dict[str, Masks]]]:
    """The other decoders, reduced precision, whole pictures in validation; places enough for convolutions by tiles."""
    return [
        ({**HYPERPARAMETERS, "base_size": 64, "crop_size": 64}, channels()),
        ({**HYPERPARAMETERS, "algorithm": "psp", "precision_dtype": "float16"}, channels()),
        ({**HYPERPARAMETERS, "algorithm": "deeplab", "validation_mini_batch_size": 1}, channels()),
    ]
