"""From margins, the sums of trees, to what a model answers, and back.    n rows   k margins of a row

What the library calls PredTransform, EvalTransform and ProbToMargin, in float32 as it computes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

OLD_NAMES = {"reg:linear": "reg:squarederror"}
LOGISTIC = ("reg:logistic", "binary:logistic")
LOG = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
SOFTMAX = ("multi:softmax", "multi:softprob")
# Beyond this exp() overflows float32; and how near to 0 and 1 the base score of a logistic loss may come.
_MOST, _NEAR = np.float32(88.7), np.float32(1e-6)


def transform(objective: str, margins: Floats) -> Floats:
    """What the library's `predict` answers: (n,), or (n, k) where a row has several answers.

    A probability for binary:logistic, the margin for binary:logitraw, the class as a number for binary:hinge and
    multi:softmax, a probability a class for multi:softprob.
    """
    if objective == "multi:softmax":
        return np.asarray(np.argmax(margins, axis=1), np.float32)
    if objective == "binary:hinge":
        return np.asarray(margins[:, 0] > 0, np.float32)
    values = _smooth(objective, margins)
    return values[:, 0] if values.shape[1] == 1 and objective != "multi:softprob" else values


def evaluation_scores(objective: str, margins: Floats) -> Floats:
    """(n, k) what evaluation metrics are computed from: as answered, but probabilities for multi:softmax, and the
    margin for survival:aft."""
    if objective == "survival:aft":
        return margins
    if objective == "binary:hinge":
        return (margins > 0).astype(np.float32)
    return _smooth(objective, margins)


def margin(objective: str, scores: Floats) -> Floats:
    """The margins of base scores that are given as answers: the inverse of `transform` where there is one."""
    scores = np.asarray(scores, np.float32)
    if objective in LOGISTIC:
        inside = np.minimum(np.maximum(scores, _NEAR), np.float32(1) - _NEAR)
        return np.asarray(-np.log(np.float32(1) / inside - np.float32(1)), np.float32)
    if objective in LOG:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(scores), np.float32)
    return scores


def sigmoid(margins: Floats) -> Floats:
    """The probability whose logit is the margin."""
    return np.asarray(np.float32(1) / (np.exp(np.minimum(-margins, _MOST)) + np.float32(1)), np.float32)


def softmax(margins: Floats) -> Floats:
    """(n, k) probabilities of classes."""
    powers = np.exp(margins - margins.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True, dtype=np.float64).astype(np.float32), np.float32)


def _smooth(objective: str, margins: Floats) -> Floats:
    if objective in LOGISTIC:
        return sigmoid(margins)
    if objective in LOG:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(margins), np.float32)
    if objective in SOFTMAX:
        return softmax(margins)
    return margins
