"""What k-means leaves: its centers.    n rows   d features   k centers   s streaming centers"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.kmeans import kernels
from algoport.algorithms.shared import artifact, mxnet
from algoport.algorithms.shared.arrays import single

# How the original images name their file: an MXNet list of one array, the centers.
ORIGINAL = "model_algo-1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The centers, and the streaming centers that incremental training starts from, where there are some."""

    centers: NDArray[np.float32]  # (k, d)
    streaming: NDArray[np.float32] | None = None  # (s, d)
    weights: NDArray[np.float64] | None = None  # (s,) how many rows each streaming center stands for

    @property
    def width(self) -> int:
        """How many features a row must have."""
        return int(self.centers.shape[1])

    def predict(self, records: Rows, options: object = None) -> Mapping[str, NDArray[Any]]:
        """Number of the nearest center and the Euclidean distance to it; ties go to the lower number."""
        nearest, distance = kernels.nearest(records.dense(), self.centers)
        return {"closest_cluster": nearest, "distance_to_cluster": distance}

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        arrays: dict[str, NDArray[Any]] = {"centers": self.centers}
        if self.streaming is not None and self.weights is not None:
            arrays |= {"streaming": self.streaming, "weights": self.weights}
        k, d = self.centers.shape
        artifact.save(folder, arrays, {"algorithm": "kmeans", "k": k, "feature_dim": d})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left."""
        folder = artifact.find(folder, ORIGINAL)
        if artifact.exists(folder) or not (folder / ORIGINAL).exists():
            arrays, facts = artifact.load(folder, "kmeans")
            model = cls(
                centers=_centers(arrays, "centers"),
                streaming=_centers(arrays, "streaming") if "streaming" in arrays else None,
                weights=arrays.get("weights"),
            )
            model._check_streaming()
            artifact.check_sizes(facts, k=len(model.centers), feature_dim=model.width)
            return model
        original = mxnet.load(folder / ORIGINAL)
        unnamed = list(original.values()) if isinstance(original, dict) else original
        if len(unnamed) != 1:
            raise UserError(f"{ORIGINAL}: holds {len(unnamed)} arrays, where a k-means model has one, the centers.")
        return cls(centers=_centers({"centers": unnamed[0]}, "centers", ORIGINAL))

    def _check_streaming(self) -> None:
        """`UserError` where the streaming centers do not fit the centers or each other."""
        streaming, weights = self.streaming, self.weights
        if (streaming is None) != (weights is None):
            raise UserError(f"{artifact.ARRAYS}: has only one of 'streaming' and 'weights'.")
        if streaming is None or weights is None:
            return
        if streaming.shape[1] != self.width or weights.shape != (len(streaming),):
            raise UserError(f"{artifact.ARRAYS}: the shapes of 'centers', 'streaming' and 'weights' do not fit.")
        if weights.dtype.kind != "f" or not np.isfinite(weights).all() or (weights < 0).any():
            raise UserError(f"{artifact.ARRAYS}: 'weights' must be finite numbers, and not negative.")


def _centers(arrays: Mapping[str, NDArray[Any]], name: str, file: str = artifact.ARRAYS) -> NDArray[np.float32]:
    return single(arrays, name, 2, "a matrix of finite numbers", file=file)
