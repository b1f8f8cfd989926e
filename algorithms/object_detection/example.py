"""The smallest job: pictures of noise with bright and dark rectangles on them."""

import numpy as np

from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.shared.vision.decoding import encode

from .model import Model

HYPERPARAMETERS: dict[str, object] = {
    "num_classes": 2,
    "num_training_samples": 3,
    "base_network": "vgg-16",
    "image_shape": 300,
    "width_multiplier": 0.0625,
    "mini_batch_size": 1,
    "epochs": 1,
    "learning_rate": 0.001,
    "nms_topk": 4,
    "use_pretrained_model": 0,
}
# For fault injection: settings beside these with which the job takes a second or two, on one host and on two.
LONG_JOBS = [({"epochs": 1}, {"epochs": 1})]

CHOICES: list[dict[str, object]] = [
    {"threshold": 0.3},
    {"annotation": 1},
    {"nms_threshold": 0.2, "force_suppress": True},
]


def is_costly(model: Model) -> bool:
    """Whether one picture may take long: networks as narrow as the example's alone are asked while files are fuzzed."""
    return model.image_shape > 320 or model.width_multiplier > 0.0625 or model.num_classes > 100


def pictures(count: int, seed: int) -> Boxes:
    """Noise; every third picture has no object, the others a bright square of class 0 or a dark bar of class 1."""
    random = np.random.default_rng(seed)
    files, objects = [], []
    for number in range(count):
        pixels = random.integers(64, 192, (60, 80, 3)).astype(np.uint8)
        rows = []
        if number % 3 < 2:
            wide, high = (24, 24) if number % 3 == 0 else (40, 15)
            left, top = int(random.integers(0, 80 - wide)), int(random.integers(0, 60 - high))
            pixels[top : top + high, left : left + wide] = 250 if number % 3 == 0 else 5
            rows = [[number % 3, left / 80, top / 60, (left + wide) / 80, (top + high) / 60]]
        files.append(encode(pixels))
        objects.append(np.array(rows, np.float32).reshape(-1, 5))
    return Boxes(encoded=files, objects=objects)


def channels() -> dict[str, Boxes]:
    """A training and a validation channel."""
    return {"train": pictures(3, 0), "validation": pictures(1, 1)}


def requests() -> Boxes:
    """Pictures to ask about."""
    return Boxes(encoded=pictures(3, 2).encoded)


def others() -> list[tuple[dict[str, object], dict[str, Boxes]]]:
    """The residual base, whose normalization has kernels of its own, also for reduced precision."""
    few = {"train": pictures(1, 0), "validation": pictures(1, 1)}
    residual = {**HYPERPARAMETERS, "base_network": "resnet-50", "num_training_samples": 1}
    return [(residual, few), ({**residual, "precision_dtype": "float16"}, few)]
