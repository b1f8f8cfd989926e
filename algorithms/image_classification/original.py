"""Reads what an original image left: weights as MXNet writes them, and a graph that gives the depth of the network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.image_classification.schema import check_weights
from algoport.algorithms.shared import mxnet
from algoport.algorithms.shared.model_folder import read_file
from algoport.algorithms.shared.vision.residual.design import Design

PREFIX = "image-classification"
FILES = f"{PREFIX}-[0-9][0-9][0-9][0-9].params"  # the pattern of the names of the weights
_GRAPH, _SHAPES = f"{PREFIX}-symbol.json", "model-shapes.json"
_MOST = 1 << 26  # bytes of a graph


def exists(folder: Path) -> bool:
    """True where there are weights of an original image."""
    return bool(_files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(FILES))


def load(folder: Path) -> dict[str, Any]:
    """The fields of a model, from the weights of the last epoch that there are; `UserError` where they do not fit."""
    path = _files(folder)[-1]
    listed = mxnet.load(path)
    if not isinstance(listed, dict):
        raise UserError(f"{path.name}: must name its arrays; it does not.")
    if any(array.dtype.kind != "f" for array in listed.values()):
        raise UserError(f"{path.name}: must hold real numbers only.")
    arrays = {name.partition(":")[2] or name: np.asarray(array, np.float32) for name, array in listed.items()}
    if "bn_data_gamma" in arrays:
        arrays["bn_data_gamma"] = np.ones_like(arrays["bn_data_gamma"])  # fixed there, whatever the file says
    channels, height, width = _shape(folder)
    num_layers, num_classes = _depth(arrays, path.name), _classes(arrays, path.name)
    check_weights(Design(num_layers=num_layers, channels=channels, height=height), num_classes, arrays, path.name)
    return {
        "num_layers": num_layers,
        "num_classes": num_classes,
        "channels": channels,
        "height": height,
        "width_": width,
        "multi_label": _is_multiple(folder),
        "weights": arrays,
        "upright": False,  # it was trained on pictures as they are stored
        "epoch": int(path.stem[-4:]),
    }


def _shape(folder: Path) -> tuple[int, int, int]:
    """Of `data` in model-shapes.json."""
    try:
        entries = json.loads(read_file(folder / _SHAPES, _MOST))
        shape = next(entry["shape"] for entry in entries if entry["name"] == "data")
        channels, height, width = (int(number) for number in shape[-3:])
    except FileNotFoundError:
        raise UserError(f"{_SHAPES}: is missing beside the weights.") from None
    except (ValueError, TypeError, KeyError, StopIteration, RecursionError):
        raise UserError(f"{_SHAPES}: must give the shape of 'data'; it does not.") from None
    if channels not in (1, 3) or not (1 <= height <= 4096 and 1 <= width <= 4096):
        raise UserError(f"{_SHAPES}: must give a shape of pictures; it is {channels}, {height}, {width}.")
    return channels, height, width


def _is_multiple(folder: Path) -> bool:
    """Whether the graph ends in a logistic function for each class and not in a softmax."""
    path = folder / _GRAPH
    if not path.is_file():
        return False
    text = read_file(path, _MOST)
    return b"Logistic" in text or (b"sigmoid" in text and b"Softmax" not in text)


def _depth(arrays: dict[str, NDArray[Any]], place: str) -> int:
    """How many layers, from how many units each stage has and how many convolutions a unit has."""
    counts: dict[int, int] = {}
    for name in arrays:
        match = re.fullmatch(r"stage([1-4])_unit(\d{1,3})_conv1_weight", name)
        if match:
            counts[int(match[1])] = max(counts.get(int(match[1]), 0), int(match[2]))
    convolutions = 3 if "stage1_unit1_conv3_weight" in arrays else 2
    layers = convolutions * sum(counts.values()) + 2
    if not counts:
        raise UserError(f"{place}: has no layers of a residual network.")
    return layers


def _classes(arrays: dict[str, NDArray[Any]], place: str) -> int:
    bias = arrays.get("fc1_bias")
    if bias is None or bias.ndim != 1 or not len(bias):
        raise UserError(f"{place}: has no array 'fc1_bias', one number a class.")
    return len(bias)
