"""What training leaves: count, mean and squares of the rows.    n rows   d features"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport import Rows, UserError, artifact

from . import kernels

NAME = "TEMPLATE-NAME"


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A Gaussian with independent features, kept as the sums from which training can go on."""

    count: float
    mean: NDArray[np.float64]  # (d,)
    squares: NDArray[np.float64]  # (d,) sum of the squared differences to the mean
    least_variance: float

    @property
    def width(self) -> int:
        """How many features a row must have."""
        return len(self.mean)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Of each feature (d,)."""
        return np.asarray(np.maximum(self.squares / max(self.count, 1.0), self.least_variance))

    def predict(self, records: Rows, options: object = None) -> Mapping[str, NDArray[Any]]:
        """How many standard deviations a row is from the mean: the root mean square of its features."""
        squared = kernels.squared_distances(records.dense(), self.mean, self.variance)
        return {"distance": np.sqrt(squared).astype(np.float32)}

    def log_likelihood(self, rows: NDArray[np.float32]) -> float:
        """Sum over the rows, in nats."""
        squared = kernels.squared_distances(rows, self.mean, self.variance)
        constant = np.log(2 * np.pi * self.variance).sum()
        return float(-0.5 * (squared.sum() * self.width + len(rows) * constant))

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        arrays = {"mean": self.mean, "squares": self.squares, "count": np.array([self.count])}
        artifact.save(folder, arrays, {"algorithm": NAME, "least_variance": self.least_variance})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        arrays, facts = artifact.load(folder, NAME)
        try:
            mean, squares, count = (np.array(arrays[name], np.float64) for name in ("mean", "squares", "count"))
            least_variance = float(facts["least_variance"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{artifact.ARRAYS}: is not a model of '{NAME}': {error} is missing or wrong.") from None
        if mean.ndim != 1 or not len(mean) or mean.shape != squares.shape or count.shape != (1,):
            raise UserError(f"{artifact.ARRAYS}: the shapes of 'mean', 'squares' and 'count' do not fit.")
        whole = np.concatenate([mean, squares, count])
        if not np.isfinite(whole).all() or (whole[len(mean) :] < 0).any() or not least_variance > 0:
            raise UserError(f"{artifact.ARRAYS}: its numbers must be finite, and variances not negative.")
        return cls(count=float(count[0]), mean=mean, squares=squares, least_variance=least_variance)
