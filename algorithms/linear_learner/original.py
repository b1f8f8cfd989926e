"""Reads the artifact of the original images: a zip of an MXNet network and its weights.    d features   k outputs

What lies in it is public (`additional-params.json`, `manifest.json`, `mx-mod-symbol.json`, `mx-mod-0000.params`), and
that `fc0_weight` (k, d) and `fc0_bias` (k,) are those of the raw features. What `additional-params.json` says is not:
predictor type, loss and threshold are taken where they stand under a plausible name, else from the network, else as
0.5. The file may come from anywhere: every length is bounded before anything is allocated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.linear_learner.hyperparameters import LOSSES
from algoport.algorithms.shared import mxnet
from algoport.algorithms.shared.packed import facts_in, unpacked

FILE = "model_algo-1"
_PARAMS, _SYMBOL, _FACTS = "mx-mod-0000.params", "mx-mod-symbol.json", "additional-params.json"
_THRESHOLDS = ("threshold", "binary_classifier_threshold", "decision_threshold", "classification_threshold")


@dataclass(frozen=True, eq=False)
class Contents:
    """What the file says."""

    weights: NDArray[np.float32]  # (d, k)
    bias: NDArray[np.float32]  # (k,)
    predictor_type: str
    loss: str
    threshold: float  # of the score


def load(path: Path) -> Contents:
    """The model of a file; `UserError` where it is none."""
    params, texts = unpacked(path, _PARAMS, [_FACTS, _SYMBOL])
    weights, bias = _arrays(params)
    facts = dict(facts_in(texts[_FACTS]))
    predictor_type, loss = _kind(facts, json.dumps(texts[_SYMBOL]), weights.shape[1])
    return Contents(weights, bias, predictor_type, loss, _threshold(facts))


def _arrays(params: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    content = mxnet.parsed(params, _PARAMS)
    named = {name.rpartition(":")[2]: array for name, array in content.items()} if isinstance(content, dict) else {}
    weights, bias = named.get("fc0_weight"), named.get("fc0_bias")
    if weights is None or weights.ndim != 2 or 0 in weights.shape or weights.shape[0] == 2:
        raise UserError(f"{FILE}: '{_PARAMS}' must have an array fc0_weight with a row for each output.")
    if bias is None:
        bias = np.zeros(len(weights), np.float32)
    if {weights.dtype.kind, bias.dtype.kind} != {"f"}:
        raise UserError(f"{FILE}: fc0_weight and fc0_bias must be real numbers.")
    if bias.shape != (len(weights),) or not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise UserError(f"{FILE}: fc0_weight and fc0_bias must fit each other and be finite.")
    return np.ascontiguousarray(weights.T, np.float32), np.ascontiguousarray(bias, np.float32)


def _kind(facts: dict[str, Any], symbol: str, outputs: int) -> tuple[str, str]:
    """Predictor type and loss: as recorded, else as the network looks."""
    loss = facts.get("loss")
    predictor = facts.get("predictor_type")
    if outputs > 1:
        return "multiclass_classifier", "softmax_loss"
    if predictor not in LOSSES:
        fitting = [kind for kind, losses in LOSSES.items() if loss in losses]
        squashed = any(word in symbol for word in ("sigmoid", "LogisticRegressionOutput"))
        predictor = fitting[0] if fitting else "binary_classifier" if squashed else "regressor"
    return str(predictor), str(loss) if loss in LOSSES[predictor] else LOSSES[predictor][0]


def _threshold(facts: dict[str, Any]) -> float:
    for name in _THRESHOLDS:
        try:
            value = float(facts[name])
        except (KeyError, TypeError, ValueError):
            continue
        if np.isfinite(value):
            return value
    return 0.5
