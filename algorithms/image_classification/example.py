"""The smallest job: pictures of eight by eight pixels that are brighter on one side than on the other."""

import numpy as np

from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared.vision.decoding import encode

from .model import Model

HYPERPARAMETERS: dict[str, object] = {
    "num_classes": 2,
    "num_training_samples": 24,
    "num_layers": 20,
    "image_shape": "3,8,8",
    "mini_batch_size": 8,
    "epochs": 2,
    "learning_rate": 0.001,
    "top_k": 2,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 3}, {"epochs": 3})]

CHOICES: list[dict[str, object]] = [{"preparation": "center"}]


def is_costly(model: Model) -> bool:
    """Whether one picture may take long, as it is large: such models are not asked while their files are fuzzed."""
    return model.height * model.width_ > 1 << 12


def pictures(count: int, seed: int, side: int = 8) -> Images:
    """Noise that is brighter on the left for class 0, and on the right for class 1."""
    random = np.random.default_rng(seed)
    label = np.arange(count) % 2
    pixels = random.integers(0, 128, (count, side, side, 3))
    half = side // 2
    for number, right in enumerate(label):
        pixels[number, :, half * right : half * right + half] += 100
    files = [encode(each) for each in pixels.astype(np.uint8)]
    return Images(encoded=files, label=label.astype(np.float32)[:, None])


def channels() -> dict[str, Images]:
    """A training and a validation channel."""
    return {"train": pictures(24, 0), "validation": pictures(8, 1)}


def others() -> list[tuple[dict[str, object], dict[str, Images]]]:
    """Reduced precision; places enough for convolutions by tiles."""
    return [
        ({**HYPERPARAMETERS, "precision_dtype": "float16", "epochs": 1}, channels()),
        (
            {**HYPERPARAMETERS, "num_training_samples": 8, "image_shape": "3,32,32", "epochs": 1},
            {"train": pictures(8, 0, 32), "validation": pictures(2, 1, 32)},
        ),
    ]
