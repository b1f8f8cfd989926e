"""What the numbers and arrays of a model must be, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.image_classification.hyperparameters import MOST_CLASSES, MOST_SIDE
from algoport.algorithms.shared.vision.residual.design import LARGE, SMALL, Design

STORED = "as stored"  # what a model says of pictures that are not turned as their cameras say


def numbers(facts: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The numbers of a model, by its fields; `UserError` where one is not what a network can have."""
    shape = facts.get("image_shape")
    if not isinstance(shape, list) or len(shape) != 3:
        raise UserError(f"{place}: image_shape must be three numbers; it is {str(shape)[:60]}.")
    accuracy = facts.get("validation_accuracy")
    if accuracy is not None and not isinstance(accuracy, int | float):
        raise UserError(f"{place}: validation_accuracy must be a number; it is {str(accuracy)[:60]}.")
    sizes = {
        "num_layers": facts.get("num_layers"),
        "num_classes": facts.get("num_classes"),
        "channels": shape[0],
        "height": shape[1],
        "width": shape[2],
        "epoch": facts.get("epoch", 0),
    }
    _check_numbers(sizes, place)
    sizes["width_"] = sizes.pop("width")
    return {**sizes, "accuracy": accuracy}


def is_upright(facts: Mapping[str, Any]) -> bool:
    """Whether pictures are turned as their cameras say before the network sees them; they are where nothing is said."""
    preprocessing = facts.get("preprocessing")
    return not (isinstance(preprocessing, dict) and preprocessing.get("orientation") == STORED)


def shorter_side(facts: Mapping[str, Any], place: str) -> int | None:
    """Pixels that the shorter side of a validation picture got; None where it stayed as it was, or nothing is said."""
    preprocessing = facts.get("preprocessing")
    validation = preprocessing.get("validation") if isinstance(preprocessing, dict) else None
    side = validation.get("shorter_side") if isinstance(validation, dict) else None
    if side is not None and (type(side) is not int or side < 1):
        raise UserError(
            f"{place}: shorter_side of preprocessing must be a whole number at least 1, or null; it is "
            f"{str(side)[:60]}."
        )
    return side


def is_multiple(facts: Mapping[str, Any], place: str) -> bool:
    """Whether a picture may be of several classes; `UserError` where that is neither true nor false."""
    several = facts.get("multi_label", False)
    if type(several) is not bool:
        raise UserError(f"{place}: multi_label must be true or false; it is {str(several)[:60]}.")
    return several


def _check_numbers(given: Mapping[str, Any], place: str) -> None:
    """`UserError` where a number is not one that a network can have."""
    limits = {
        "num_classes": (1, MOST_CLASSES),
        "height": (1, MOST_SIDE),
        "width": (1, MOST_SIDE),
        "epoch": (0, 1 << 40),
    }
    for name, (low, high) in limits.items():
        if type(given[name]) is not int or not low <= given[name] <= high:
            raise UserError(
                f"{place}: {name} must be a whole number from {low} to {high}; it is {str(given[name])[:60]}."
            )
    for name, values in (("num_layers", (*LARGE, *SMALL)), ("channels", (1, 3))):
        if type(given[name]) is not int or given[name] not in values:
            known = ", ".join(map(str, values))
            raise UserError(f"{place}: {name} must be one of {known}; it is {str(given[name])[:60]}.")


def check_weights(design: Design, num_classes: int, weights: Mapping[str, NDArray[Any]], place: str) -> None:
    """`UserError` where weights are missing, too many, of another shape, or not finite."""
    from algoport.algorithms.image_classification.network import shapes

    wanted = shapes(design, num_classes)
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
