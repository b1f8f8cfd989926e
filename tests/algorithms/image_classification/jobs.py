"""Small jobs, and pictures to train on."""

from __future__ import annotations

from typing import Any

import numpy as np

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import example, train
from algoport.algorithms.image_classification.hyperparameters import Hyperparameters
from algoport.algorithms.image_classification.model import Model
from algoport.algorithms.shared.vision.decoding import encode
from tests import data

SMALL: dict[str, object] = {**example.HYPERPARAMETERS}


def job(channels: dict[str, Images] | None = None, *, more: dict[str, Any] | None = None, **settings: object) -> Any:
    """The smallest job with other settings; `more`: what else a job has."""
    given = {name: value for name, value in {**SMALL, **settings}.items() if value is not None}
    rows = channels or example.channels()
    sources = {name: Memory(pictures) for name, pictures in rows.items()}
    return Job(hyperparameters=Hyperparameters.read(given), channels=sources, **(more or {}))


def fit(channels: dict[str, Images] | None = None, *, more: dict[str, Any] | None = None, **settings: object) -> Model:
    """Its model."""
    return train.fit(job(channels, more=more, **settings))


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


def packed(pixels: np.ndarray, label: np.ndarray) -> Images:
    """Pictures (n, h, w, c) as PNG files with labels."""
    label = np.asarray(label, np.float32)
    return Images(
        encoded=[encode(np.ascontiguousarray(each)) for each in pixels.astype(np.uint8)],
        label=label[:, None] if label.ndim == 1 else label,
    )


def clothes(part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pictures of Fashion-MNIST, at half their size, (n, 14, 14, 1), and what each shows."""
    pixels, label = data.fashion(part)
    return pixels[:count].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))[..., None], label[:count]
