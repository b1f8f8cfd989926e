"""What factorization machines leave: a bias, and of each feature seen a weight and factors.

n rows   d features   c features seen   k factors
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.factorization_machines import interchange, original
from algoport.algorithms.factorization_machines.batch import INDEX, entries
from algoport.algorithms.factorization_machines.hyperparameters import MOST_FEATURES
from algoport.algorithms.factorization_machines.kernels import HEAD, index, lookup, passes
from algoport.algorithms.factorization_machines.table import NARROW
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import const, single
from algoport.algorithms.shared.threads import team

Singles = NDArray[np.float32]
NAME, TEXT = "factorization-machines", "model.libfm.txt"
PREDICTORS = ("binary_classifier", "regressor")
SMALL = 1 << 18  # numbers of a model up to which its text is written beside it


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """y = bias + x @ w + sum_{i<j} <v_i, v_j> x_i x_j. A feature that training never saw counts for nothing."""

    width: int  # d
    predictor_type: str
    bias: float
    features: NDArray[np.int32]  # (c,) ascending
    weights: Singles  # (c,)
    factors: Singles  # (c, k)

    def margins(self, records: Rows) -> NDArray[np.float64]:
        """y (n,)."""
        bounds, features, values = entries(records)
        numbers = np.empty(len(features), np.int32)
        places, direct = self._index
        lookup.look_up(const(features, INDEX), places, direct, numbers)
        n, k = len(records), self.factors.shape[1]
        sums, scores = np.empty((n, k), np.float32), np.empty(n)
        crew = team(len(features) * k)
        passes.forward(
            crew, np.arange(n), const(bounds, INDEX), const(values), numbers, self._order, self._table, k, sums, scores
        )
        return scores + self.bias

    def predict(self, records: Rows, options: object = None) -> Mapping[str, NDArray[Any]]:
        """The score; of a classifier the probability of the label 1, and the label that is the likelier one."""
        margins = self.margins(records)
        if self.predictor_type == "regressor":
            return {"score": margins.astype(np.float32)}
        small = np.exp(-np.abs(margins))
        score = np.where(margins >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)
        return {"score": score, "predicted_label": (score >= 0.5).astype(np.int64)}

    def sample(self) -> Rows:
        """A sparse row of zeros, which a server warms up with."""
        return Rows(features=sparse.csr_array((1, self.width), dtype=np.float32))

    def onnx(self) -> bytes:
        """The model as an ONNX file of dense rows."""
        return interchange.onnx(self)

    @cached_property
    def _index(self) -> tuple[NDArray[np.int32], bool]:
        """Where each feature's record is, for `lookup`."""
        direct = self.width <= NARROW
        places = self.width if direct else 1 << max(4, math.ceil(math.log2(max(len(self.features), 1) / index.LOAD)))
        array = np.zeros((places, 4), np.int32)
        array[:, 0] = index.EMPTY
        index.fill(const(self.features, INDEX), array, direct)
        return array, direct

    @cached_property
    def _table(self) -> Singles:
        """Records as the kernels take them, without what Adam remembers."""
        c, k = self.factors.shape
        table = np.zeros((max(c, 1), HEAD + k), np.float32)
        table[:c, 0], table[:c, HEAD:] = self.weights, self.factors
        return table

    @cached_property
    def _order(self) -> NDArray[np.int32]:
        return np.arange(max(len(self.features), 1), dtype=np.int32)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, named as in the original, and `model.json`; of a small model also its text."""
        arrays: dict[str, NDArray[Any]] = {
            "w0_weight": np.array([self.bias], np.float32),
            "w1_weight": self.weights[:, None],
            "v": self.factors,
        }
        if len(self.features) < self.width:
            arrays["features"] = self.features
        facts = {
            "algorithm": NAME,
            "predictor_type": self.predictor_type,
            "feature_dim": self.width,
            "num_factors": self.factors.shape[1],
        }
        artifact.save(folder, arrays, facts)
        if self.width * (self.factors.shape[1] + 1) <= SMALL:
            artifact.put(folder / TEXT, "".join(interchange.libfm(self)).encode())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left."""
        folder = artifact.find(folder, original.FILE)
        if artifact.exists(folder) or not (folder / original.FILE).exists():
            return cls._of(*artifact.load(folder, NAME))
        arrays, predictor_type = original.load(folder / original.FILE)
        return cls._checked(arrays, predictor_type, len(arrays["v"]), original.FILE)

    @classmethod
    def _of(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        predictor_type, width = facts.get("predictor_type"), facts.get("feature_dim")
        if predictor_type not in PREDICTORS:
            raise UserError(f"{artifact.FACTS}: predictor_type must be one of {', '.join(PREDICTORS)}.")
        if type(width) is not int or not 1 <= width <= MOST_FEATURES:
            raise UserError(f"{artifact.FACTS}: feature_dim must be a whole number from 1 to {MOST_FEATURES}.")
        model = cls._checked(arrays, predictor_type, width, artifact.ARRAYS)
        artifact.check_sizes(facts, num_factors=model.factors.shape[1])
        return model

    @classmethod
    def _checked(cls, arrays: Mapping[str, NDArray[Any]], predictor_type: str, width: int, file: str) -> Self:
        v, w = arrays.get("v"), arrays.get("w1_weight")
        if v is None or v.ndim != 2 or v.shape[1] == 0:
            raise UserError(f"{file}: must have an array 'v' with the factors of each feature.")
        c, k = v.shape
        factors = single(arrays, "v", (c, k), "finite numbers, a row a feature", file=file)
        weights = (
            single(arrays, "w1_weight", (c, 1), f"{c} finite numbers in a column", file=file) if w is not None else None
        )
        bias = single(arrays, "w0_weight", (1,), "one finite number", file=file)
        features = arrays.get("features")
        if features is None:
            features = np.arange(c, dtype=np.int32)
        whole = features.dtype == np.int32 and features.shape == (c,) and c <= width
        if not whole or (c and (features[0] < 0 or features[-1] >= width)) or (np.diff(features) <= 0).any():
            raise UserError(f"{file}: 'features' must be {c} ascending whole numbers below feature_dim, {width}.")
        if "features" not in arrays and c != width:
            raise UserError(f"{file}: 'v' must have a row for each of {width} features; it has {c}.")
        return cls(
            width=width,
            predictor_type=predictor_type,
            bias=float(bias[0]),
            features=np.ascontiguousarray(features),
            weights=np.zeros(c, np.float32) if weights is None else weights[:, 0].copy(),
            factors=factors,
        )
