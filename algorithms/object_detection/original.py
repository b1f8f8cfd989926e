"""Reads what an original image left: weights as MXNet writes them, and the settings beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.object_detection import schema
from algoport.algorithms.object_detection.layers import Layers
from algoport.algorithms.shared import mxnet
from algoport.algorithms.shared.model_folder import read_file

WEIGHTS = "model_algo_1-0000.params"
_SETTINGS = "hyperparams.json"
_MOST = 1 << 24  # bytes of the settings


def exists(folder: Path) -> bool:
    """True where there are weights of an original image."""
    return (folder / WEIGHTS).is_file()


def load(folder: Path) -> dict[str, Any]:
    """The fields of a model; `UserError` where weights and settings do not fit."""
    listed = mxnet.load(folder / WEIGHTS)
    if not isinstance(listed, dict):
        raise UserError(f"{WEIGHTS}: must name its arrays; it does not.")
    if any(array.dtype.kind != "f" for array in listed.values()):
        raise UserError(f"{WEIGHTS}: must hold real numbers only.")
    weights = {name.partition(":")[2] or name: np.asarray(array, np.float32) for name, array in listed.items()}
    if "bn_data_gamma" in weights:
        weights["bn_data_gamma"] = np.ones_like(weights["bn_data_gamma"])  # fixed there, whatever the file says
    fields = schema.fields(_settings(folder), _SETTINGS)
    layers = Layers(base=fields["base_network"], side=fields["image_shape"], num_classes=fields["num_classes"])
    schema.check_weights(layers, weights, WEIGHTS)
    return {**fields, "weights": weights}


def _settings(folder: Path) -> dict[str, Any]:
    """The settings of the job, which are texts there."""
    try:
        given = json.loads(read_file(folder / _SETTINGS, _MOST))
    except FileNotFoundError:
        raise UserError(f"{_SETTINGS}: is missing beside the weights.") from None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise UserError(f"{_SETTINGS}: must be a JSON object of the job's settings.")
    settings: dict[str, Any] = {"base_network": given.get("base_network", "vgg-16")}
    for name, read in (("num_classes", int), ("image_shape", int), ("nms_topk", int), ("nms_threshold", float)):
        if name in given:
            try:
                settings[name] = read(given[name])
            except (ValueError, TypeError, OverflowError):
                settings[name] = given[name]
    return {"image_shape": 300, **settings}
