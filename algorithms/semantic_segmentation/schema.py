"""What the facts and arrays of a model must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.semantic_segmentation.hyperparameters import DECODERS, LAYERS, MOST_CLASSES, MOST_SIDE, STRIDE
from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign


def fields(facts: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The fields of a model; `UserError` where one is not what a network can have."""
    for name, known in (("backbone", tuple(LAYERS)), ("decoder", DECODERS)):
        if facts.get(name) not in known:
            raise UserError(f"{place}: {name} must be one of {', '.join(known)}; it is {str(facts.get(name))[:60]}.")
    limits = {"num_classes": (2, MOST_CLASSES), "crop_size": (STRIDE, MOST_SIDE), "epoch": (0, 1 << 40)}
    for name, (low, high) in limits.items():
        value = facts.get(name)
        if type(value) is not int or not low <= value <= high:
            raise UserError(f"{place}: {name} must be a whole number from {low} to {high}; it is {str(value)[:60]}.")
    if facts["crop_size"] % STRIDE:
        raise UserError(f"{place}: crop_size must be a multiple of {STRIDE}; it is {facts['crop_size']}.")
    width, mean = facts.get("width_multiplier"), facts.get("validation_mean_iou")
    if isinstance(width, bool) or not isinstance(width, int | float) or not 1 / 128 < width <= 1:
        raise UserError(f"{place}: width_multiplier must be a number above 0, at most 1; it is {str(width)[:60]}.")
    if mean is not None and (isinstance(mean, bool) or not isinstance(mean, int | float)):
        raise UserError(f"{place}: validation_mean_iou must be a number; it is {str(mean)[:60]}.")
    if type(facts.get("auxiliary")) is not bool:
        raise UserError(f"{place}: auxiliary must be true or false; it is {str(facts.get('auxiliary'))[:60]}.")
    own = ("backbone", "decoder", "num_classes", "crop_size", "epoch", "auxiliary")
    return {**{name: facts[name] for name in own}, "width_multiplier": float(width), "mean_iou": mean}


def check_weights(
    design: DilatedDesign, decoder: str, k: int, auxiliary: bool, weights: Mapping[str, NDArray[Any]], place: str
) -> None:
    """`UserError` where weights are missing, too many, of another shape, or not finite."""
    from algoport.algorithms.semantic_segmentation.network import shapes

    wanted = shapes(design, decoder, k, auxiliary)
    for name, shape in wanted.items():
        array = weights.get(name)
        if array is None:
            raise UserError(f"{place}: has no array '{name}'.")
        if array.shape != shape or array.dtype != np.float32:
            raise UserError(
                f"{place}: '{name}' must be float32 of shape {shape}; it is {array.dtype} of {array.shape}."
            )
        if not np.isfinite(array).all() or (name.endswith(".running_var") and (array < 0).any()):
            raise UserError(f"{place}: '{name}' must be finite numbers, and variances not negative.")
    extra = sorted(set(weights) - set(wanted))
    if extra:
        raise UserError(f"{place}: has an array '{extra[0]}' that no layer of the network is called by.")
