"""What training leaves: how many pixels of each class there were, and the sums of their colors.    k classes"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.images import png
from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.vision.decoding import decode


def pixels(data: bytes, place: str) -> Any:
    """(h, w, 3)."""
    return decode(data, 3, place)


@dataclass(frozen=True, eq=False)
class Model:
    sums: Any  # (k, 4) float64
    width: None = None

    def probabilities(self, colors: Any) -> Any:
        """(k, h, w) of (h, w, 3): the nearer the color, the more probable."""
        means = self.sums[:, 1:] / np.maximum(self.sums[:, :1], 1)
        squares = ((colors[None].astype(np.float64) - means[:, None, None]) ** 2).sum(axis=3) / 1000
        weights = np.where(self.sums[:, 0] > 0, 1.0, 0.0)[:, None, None] * np.exp(squares.min(axis=0) - squares)
        return np.asarray(weights / np.maximum(weights.sum(axis=0), 1e-300), np.float32)

    def predict(self, records: Any, options: Any = None) -> dict[str, Any]:
        probabilities = [
            self.probabilities(pixels(data, records.place(number))) for number, data in enumerate(records.encoded)
        ]
        frequency = (self.sums[:, 0] / self.sums[:, 0].sum()).astype(np.float32)
        columns: dict[str, Any] = {"mask": [each.argmax(axis=0).astype(np.uint8) for each in probabilities]}
        columns["frequency"] = np.tile(frequency, (len(records), 1))
        if options is not None and options.accept == "application/x-recordio-protobuf":
            columns["probabilities"] = probabilities
        return columns

    def sample(self) -> Masks:
        return Masks(encoded=[png(2, 3)])

    def save(self, folder: Path) -> None:
        artifact.save(folder, {"sums": self.sums}, {"algorithm": "mask-colors"})

    @classmethod
    def load(cls, folder: Path) -> "Model":
        arrays, facts = artifact.load(folder)
        sums = arrays.get("sums")
        if facts.get("algorithm") != "mask-colors" or sums is None or sums.ndim != 2 or sums.shape[1] != 4:
            raise UserError(f"{artifact.FACTS}: is no model of 'mask-colors'.")
        if not np.isfinite(sums).all():
            raise UserError(f"{artifact.ARRAYS}: 'sums' must be finite.")
        return cls(sums.copy())
