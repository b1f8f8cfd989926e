"""What training leaves: the weight of each pair of cells.    b cells"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Table
from algoport.algorithms.shared import artifact


def cells(texts: Ragged, count: int) -> Any:
    """(n,) the cell of each text."""
    return np.array([zlib.crc32(text) % count for text in texts.encoded()], np.int64)


@dataclass(frozen=True, eq=False)
class Model:
    weights: Any  # (b, b) float64
    width: None = None

    def predict(self, records: Table, options: Any = None) -> dict[str, Any]:
        count = len(self.weights)
        entity, address = (cells(records.texts(number), count) for number in range(2))
        return {
            "score": np.log1p(self.weights[entity, address]).astype(np.float32),
            "known": (self.weights[entity].sum(axis=1) > 0).astype(np.int64),
        }

    def sample(self) -> Table:
        texts = [Ragged.texts(["nobody"])] * 2
        return Table(columns=(*texts, np.ones(1, np.float32)))

    def save(self, folder: Path) -> None:
        artifact.save(folder, {"weights": self.weights}, {"algorithm": "pair-weights"})

    @classmethod
    def load(cls, folder: Path) -> "Model":
        arrays, facts = artifact.load(folder)
        weights = arrays.get("weights")
        if facts.get("algorithm") != "pair-weights" or weights is None or weights.ndim != 2:
            raise UserError(f"{artifact.FACTS}: is no model of 'pair-weights'.")
        if weights.shape[0] != weights.shape[1] or not np.isfinite(weights).all() or (weights < 0).any():
            raise UserError(f"{artifact.ARRAYS}: 'weights' must be square, finite and not negative.")
        return cls(weights.copy())
