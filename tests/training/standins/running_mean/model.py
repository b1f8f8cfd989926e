"""The mean."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import artifact


@dataclass(frozen=True)
class Model:
    mean: np.ndarray
    count: float
    trace: np.ndarray

    @property
    def width(self):
        return len(self.mean)

    def predict(self, records, options):
        return {"mean": np.tile(self.mean, (len(records), 1))}

    def save(self, folder: Path):
        artifact.save(folder, {"mean": self.mean, "trace": self.trace}, {"count": self.count})

    @classmethod
    def load(cls, folder: Path):
        arrays, facts = artifact.load(folder)
        if "count" not in facts:
            raise UserError("model.json: is of another algorithm.")
        return cls(arrays["mean"], facts["count"], arrays["trace"])
