"""What the numbers and arrays of a model must be, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.object_detection.hyperparameters import MOST_CLASSES, MOST_DETECTIONS, MOST_SIDE
from algoport.algorithms.object_detection.layers import BASES, Layers

_SHARES = ("nms_threshold", "width_multiplier")
_WHOLE = {
    "num_classes": (1, MOST_CLASSES),
    "image_shape": (300, MOST_SIDE),
    "nms_topk": (1, MOST_DETECTIONS),
    "epoch": (0, 1 << 40),
}


def fields(facts: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The fields of a model; `UserError` where one is not what a network can have."""
    given = {"nms_topk": 400, "epoch": 0, "nms_threshold": 0.45, "width_multiplier": 1.0, **facts}
    for name, (low, high) in _WHOLE.items():
        value = given.get(name)
        if type(value) is not int or not low <= value <= high:
            raise UserError(f"{place}: {name} must be a whole number from {low} to {high}; it is {str(value)[:60]}.")
    if given.get("base_network") not in BASES:
        raise UserError(
            f"{place}: base_network must be one of {', '.join(BASES)}; it is {str(given.get('base_network'))[:60]}."
        )
    for name in _SHARES:
        value = given[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
            raise UserError(f"{place}: {name} must be above 0 and at most 1; it is {str(value)[:60]}.")
    score = given.get("validation_mAP")
    if score is not None and not isinstance(score, int | float):
        raise UserError(f"{place}: validation_mAP must be a number; it is {str(score)[:60]}.")
    names = ("base_network", *_SHARES, *_WHOLE)
    return {**{name: given[name] for name in names}, "mean_average_precision": score}


def check_weights(layers: Layers, weights: Mapping[str, NDArray[Any]], place: str) -> None:
    """`UserError` where weights are missing, too many, of another shape, or not finite."""
    from algoport.algorithms.object_detection.network import shapes

    wanted = shapes(layers)
    for name, shape in wanted.items():
        array = weights.get(name)
        if array is None:
            raise UserError(f"{place}: has no array '{name}'.")
        if array.shape != shape or array.dtype != np.float32:
            raise UserError(
                f"{place}: '{name}' must be float32 of shape {shape}; it is {array.dtype} of {array.shape}."
            )
        if not np.isfinite(array).all() or (name.endswith("_moving_var") and (array < 0).any()):
            raise UserError(f"{place}: '{name}' must be finite numbers, and variances not negative.")
    extra = sorted(set(weights) - set(wanted))
    if extra:
        raise UserError(f"{place}: has an array '{extra[0]}' that no layer of the network is called by.")
