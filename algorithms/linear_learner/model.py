"""What the linear learner leaves: a linear map and how its answers are read.    n rows   d features   k outputs"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.linear_learner import original
from algoport.algorithms.linear_learner.batch import scores
from algoport.algorithms.linear_learner.hyperparameters import LOSSES
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import single

Singles = NDArray[np.float32]
NAME = "linear-learner"


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """y = (x - shift) @ weights + bias, in the units of the data.

    The shift is not folded into the bias, as float32 would lose digits where means dwarf spreads; who wants one bias
    takes bias - shift @ weights.
    """

    weights: Singles  # (d, k)
    bias: Singles  # (k,) at the shift
    shift: Singles  # (d,)
    predictor_type: str
    loss: str
    threshold: float = 0.0  # of y, from which on a row is positive
    scale: Singles | None = None  # (d,) what features were multiplied by in training, as in incremental training
    label_shift: float = 0.0
    label_scale: float = 1.0

    @property
    def width(self) -> int:
        """How many features a row must have."""
        return int(self.weights.shape[0])

    @property
    def outputs(self) -> int:
        """How many numbers it computes of a row."""
        return int(self.weights.shape[1])

    def margins(self, records: Rows) -> Singles:
        """y (n, k)."""
        return scores(records, self.shift, np.ones(self.width, np.float32), self.weights, self.bias)

    def predict(self, records: Rows, options: object = None) -> Mapping[str, NDArray[Any]]:
        """The score, and of a classifier the label.

        A score is a probability where the loss is logistic or softmax_loss, a vector of one for each class of several.
        The label of two classes is 1 from the threshold on; of several it is the one of the highest score, and the
        lower of equals.
        """
        margins = self.margins(records)
        if self.predictor_type == "regressor":
            return {"score": margins[:, 0]}
        if self.predictor_type == "multiclass_classifier":
            return {"score": shares(margins), "predicted_label": margins.argmax(axis=1).astype(np.int64)}
        margin = margins[:, 0]
        score = probabilities(margin) if self.loss == "logistic" else margin
        return {"score": score, "predicted_label": (margin >= self.threshold).astype(np.int64)}

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        arrays = {"weights": self.weights, "bias": self.bias, "shift": self.shift}
        if self.scale is not None:
            arrays["scale"] = self.scale
        facts: dict[str, Any] = {
            "algorithm": NAME,
            "predictor_type": self.predictor_type,
            "loss": self.loss,
            "feature_dim": self.width,
            "num_classes": self.outputs if self.outputs > 1 else None,
            "label_shift": self.label_shift,
            "label_scale": self.label_scale,
        }
        if self.predictor_type == "binary_classifier":
            facts["margin_threshold"] = self.threshold
            facts["threshold"] = sigmoid(self.threshold) if self.loss == "logistic" else self.threshold
        artifact.save(folder, arrays, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left."""
        folder = artifact.find(folder, original.FILE)
        if artifact.exists(folder) or not (folder / original.FILE).exists():
            arrays, facts = artifact.load(folder, NAME)
            return cls._of(arrays, facts)
        network = original.load(folder / original.FILE)
        threshold = network.threshold
        if network.loss == "logistic":
            threshold = logit(threshold)
        return cls(
            weights=network.weights,
            bias=network.bias,
            shift=np.zeros(len(network.weights), np.float32),
            predictor_type=network.predictor_type,
            loss=network.loss,
            threshold=threshold,
        )

    @classmethod
    def _of(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        predictor_type, loss = facts.get("predictor_type"), facts.get("loss")
        if predictor_type not in LOSSES or loss not in LOSSES[predictor_type]:
            raise UserError(f"{artifact.FACTS}: predictor_type and loss do not fit: {predictor_type!r} and {loss!r}.")
        weights = _array(arrays, "weights", 2)
        d, k = weights.shape
        shapes = {"bias": (k,), "shift": (d,), **({"scale": (d,)} if "scale" in arrays else {})}
        vectors = {name: _array(arrays, name, 1) for name in shapes}
        if any(vectors[name].shape != shape for name, shape in shapes.items()):
            raise UserError(f"{artifact.ARRAYS}: the shapes of {', '.join(shapes)} do not fit those of 'weights'.")
        if (k > 2) is not (predictor_type == "multiclass_classifier") or k == 2:
            raise UserError(f"{artifact.ARRAYS}: 'weights' has {k} columns, which no {predictor_type} has.")
        artifact.check_sizes(facts, feature_dim=d, num_classes=k)
        label_scale = _number(facts, "label_scale", 1.0)
        if label_scale <= 0 or (vectors.get("scale", np.ones(1)) <= 0).any():
            raise UserError(f"{artifact.ARRAYS}: scales must be above 0.")
        return cls(
            weights=weights,
            bias=vectors["bias"],
            shift=vectors["shift"],
            scale=vectors.get("scale"),
            predictor_type=predictor_type,
            loss=loss,
            threshold=_number(facts, "margin_threshold", 0.0),
            label_shift=_number(facts, "label_shift", 0.0),
            label_scale=label_scale,
        )


def probabilities(margins: Singles) -> Singles:
    """1 / (1 + exp(-y)), without overflow."""
    small = np.exp(-np.abs(margins.astype(np.float64)))
    return np.where(margins >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def shares(margins: Singles) -> Singles:
    """exp(y) of each class (n, k), divided by their sum."""
    powers = np.exp(margins.astype(np.float64) - margins.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def sigmoid(margin: float) -> float:
    """The probability of a margin."""
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else math.exp(margin) / (1 + math.exp(margin))


def logit(probability: float) -> float:
    """The margin of a probability; finite, so that it can be written, and beyond any score for 0 and 1."""
    if probability <= 0 or probability >= 1:
        return math.copysign(1e30, probability - 0.5)
    return math.log(probability / (1 - probability))


def _array(arrays: Mapping[str, NDArray[Any]], name: str, dimensions: int) -> Singles:
    return single(arrays, name, dimensions, f"finite numbers in {dimensions} dimensions", file=artifact.ARRAYS)


def _number(facts: Mapping[str, Any], name: str, default: float) -> float:
    value = facts.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{artifact.FACTS}: {name} must be a finite number; it is {value!r}.")
    return float(value)
