"""Small jobs, and pictures to train on."""

from __future__ import annotations

from typing import Any

import numpy as np

from algoport.algorithms.contract import Auxiliary, Job, Memory, Reporter
from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.semantic_segmentation import example, train
from algoport.algorithms.semantic_segmentation.hyperparameters import Hyperparameters
from algoport.algorithms.semantic_segmentation.model import Model
from algoport.algorithms.shared.vision.decoding import encode
from algoport.algorithms.shared.vision.masks import encode_mask

SMALL: dict[str, object] = {**example.HYPERPARAMETERS}


def job(
    channels: dict[str, Masks] | None = None,
    *,
    more: dict[str, Any] | None = None,
    maps: dict[str, bytes] | None = None,
    **settings: object,
) -> Any:
    """The smallest job with other settings; `more`: what else a job has; `maps`: files of the label map."""
    given = {name: value for name, value in {**SMALL, **settings}.items() if value is not None}
    sources = {name: Memory(pictures) for name, pictures in (channels or example.channels()).items()}
    files = {"label_map": Auxiliary.of("label_map", maps)} if maps is not None else {}
    return Job(hyperparameters=Hyperparameters.read(given), channels=sources, files=files, **(more or {}))


def fit(channels: dict[str, Masks] | None = None, **how: Any) -> Model:
    """Its model."""
    return train.fit(job(channels, **how))


def packed(pixels: Any, masks: Any, channel: str = "train") -> Masks:
    """Pictures (h, w, 3) and masks (h, w) as PNG files."""
    return Masks(
        encoded=[encode(np.ascontiguousarray(each, np.uint8)) for each in pixels],
        masks=[encode_mask(each) for each in masks],
        places=[f"{channel}/{number}.png" for number in range(len(pixels))],
    )


def blobs(count: int, seed: int, size: int = 40, channel: str = "train") -> Masks:
    """Reddish rectangles, class 1, and bluish disks, class 2, before noise, class 0."""
    random = np.random.default_rng(seed)
    pictures, masks = [], []
    rows, columns = np.mgrid[:size, :size]
    for _ in range(count):
        pixels, mask = random.integers(60, 120, (size, size, 3)), np.zeros((size, size), np.uint8)
        top, left = random.integers(0, size // 2, 2)
        mask[top : top + size // 3, left : left + size // 3] = 1
        y, x = random.integers(size // 4, size, 2)
        mask[(rows - y) ** 2 + (columns - x) ** 2 < (size // 5) ** 2] = 2
        pixels[mask == 1] += [90, 0, 0]
        pixels[mask == 2] += [0, 0, 90]
        pictures.append(pixels)
        masks.append(mask)
    return packed(pictures, masks, channel)


class Recorder:
    """What a job reports and notes."""

    def __init__(self) -> None:
        self.values: list[tuple[str, float, int | None]] = []
        self.notes: list[str] = []
        self.files: dict[str, Any] = {}

    def report(self, values: dict[str, float], *, epoch: int | None = None, **_: object) -> None:
        self.values += [(name, value, epoch) for name, value in values.items()]

    def keep(self, name: str, what: Any) -> None:
        self.files[name] = what

    @property
    def more(self) -> dict[str, Any]:
        return {"reporter": Reporter(report=self.report, note=self.notes.append, keep=self.keep)}

    def of(self, name: str) -> list[float]:
        return [value for own, value, _ in self.values if own == name]
