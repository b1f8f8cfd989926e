"""What training leaves: the index, the labels of its rows, and how a query is answered.

n rows   d features   q queries   k neighbors
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.knn import files, kernels
from algoport.algorithms.knn.index import Index
from algoport.algorithms.knn.options import Options
from algoport.algorithms.knn.preparation import Preparation
from algoport.algorithms.shared import artifact


@dataclass(frozen=True, eq=False)
class Sampled:
    """Which rows of the stream the sample holds; what further training resumes from."""

    numbers: NDArray[np.int64]  # (n,) of the rows in the stream, from 0
    seen: int
    seed: int
    size: int  # rows that were asked for


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The index and its labels."""

    index: Index
    labels: NDArray[np.float32]  # (n,)
    preparation: Preparation
    k: int
    predictor: str  # classifier or regressor
    feature_dim: int
    sampled: Sampled

    @property
    def width(self) -> int:
        """How many features a row must have."""
        return self.feature_dim

    def predict(self, records: Rows, options: Options | None = None) -> Mapping[str, NDArray[Any]]:
        """The label of each record; and the neighbors, where they are asked for."""
        distances, numbers = self.neighbors(records.dense(), "A record")
        labels = self._labels(numbers)
        columns: dict[str, NDArray[Any]] = {"predicted_label": self._decided(labels)}
        if options is not None and options.verbose:
            sign = 1 if self.index.metric == kernels.SQUARES else -1
            rows = np.where(numbers == kernels.FAR, 0, numbers)
            stream = np.where(numbers == kernels.FAR, -1, np.asarray(self.sampled.numbers)[rows])
            columns |= {"distances": (sign * distances).astype(np.float32), "labels": labels, "neighbors": stream}
        return columns

    def labels_of(self, rows: NDArray[np.float32], where: str) -> NDArray[np.float32]:
        """The predicted label (q,) of each row."""
        return self._decided(self._labels(self.neighbors(rows, where)[1]))

    def neighbors(self, rows: NDArray[np.float32], where: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and numbers (q, k) in the index of the nearest of its rows."""
        return self.index.search(self.preparation(rows, where), self.k)

    def _labels(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """(q, k); NaN where there is no neighbor."""
        absent = numbers == kernels.FAR
        if not absent.any():
            return np.asarray(self.labels[numbers], np.float32)
        labels = np.asarray(self.labels[np.where(absent, 0, numbers)], np.float32)
        labels[absent] = np.nan
        return labels

    def _decided(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The most frequent label, the lowest of several, or the mean."""
        if self.predictor == "classifier":
            return kernels.votes(labels)
        there = np.isfinite(labels)
        sums = np.where(there, labels, 0).astype(np.float64).sum(axis=1)
        return np.asarray(sums / np.maximum(there.sum(axis=1), 1), np.float32)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`, and what the original writes: a FAISS index, labels, metadata."""
        arrays, facts = files.described(self.index, self.preparation)
        arrays |= {"labels": self.labels, "numbers": np.asarray(self.sampled.numbers)}
        artifact.save(folder, arrays, {
            "algorithm": "knn",
            **facts,
            "k": self.k,
            "predictor_type": self.predictor,
            "feature_dim": self.feature_dim,
            "seen": self.sampled.seen,
            "seed": self.sampled.seed,
            "sample_size": self.sampled.size,
        })  # fmt: skip
        files.write_original(folder, self.index, self.labels, self.k, self.predictor, self.preparation,
                             self.feature_dim)  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left; k and predictor_type are those of the
        original's metadata, which may be edited. `UserError` where there is no model that can be searched."""
        parts = files.load(folder)
        return cls(
            index=parts.index,
            labels=parts.labels,
            preparation=parts.preparation,
            k=parts.k,
            predictor=parts.predictor,
            feature_dim=parts.feature_dim,
            sampled=Sampled(parts.numbers, parts.seen, parts.seed, parts.sample_size),
        )
