"""The files that an original image leaves, made of a model of ours."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from algoport.algorithms.object_detection.model import Model
from algoport.algorithms.object_detection.original import WEIGHTS

SETTINGS = "hyperparams.json"


def written_by_mxnet(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A file as `mx.nd.save` writes it: a list of arrays, and their names."""
    out = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        out += struct.pack("<IiI", 0xF993FAC9, 0, array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape)
        out += struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()
    out += struct.pack("<Q", len(arrays))
    return out + b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)


def settings(model: Model, **more: object) -> bytes:
    """The settings, of which every value is a text."""
    names = ("base_network", "num_classes", "image_shape", "nms_threshold", "nms_topk")
    return json.dumps({**{name: str(getattr(model, name)) for name in names}, "epochs": "30", **more}).encode()


def leave(folder: Path, model: Model) -> None:
    """Both files."""
    names = {name: "aux" if "moving" in name else "arg" for name in model.weights}
    arrays = {f"{names[name]}:{name}": array for name, array in model.weights.items()}
    (folder / WEIGHTS).write_bytes(written_by_mxnet(arrays))
    (folder / SETTINGS).write_bytes(settings(model))
