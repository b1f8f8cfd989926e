"""What image classification leaves: the weights of a network, and what pictures must become before it sees them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification import original, schema
from algoport.algorithms.image_classification.options import CENTER, Options
from algoport.algorithms.image_classification.preparation import Preparation
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.vision import prefetch
from algoport.algorithms.shared.vision.decoding import encode
from algoport.algorithms.shared.vision.residual.design import Design

NAME, ONNX = "image-classification", "model.onnx"
# Weights that an epoch left beside those of the model.
_EPOCH = re.compile(r"epoch(\d{4,})\.(.*)")
_TURNED = "upright, by EXIF"
_PART = 64  # pictures that pass the network at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network: its shape, its weights by the names of its layers, and those of earlier epochs where it holds them."""

    num_layers: int
    num_classes: int
    channels: int
    height: int
    width_: int
    multi_label: bool
    weights: Mapping[str, NDArray[np.float32]]
    epochs: Mapping[int, Mapping[str, NDArray[np.float32]]] = field(default_factory=dict)
    epoch: int = 0  # of the weights, from 1; 0 where none was over
    accuracy: float | None = None  # of the validation pictures in that epoch
    resize: int | None = None  # pixels that the shorter side got before cropping, in training and validation
    upright: bool = True  # whether pictures are turned as their cameras say (EXIF); not those of original images
    hurried: bool = False  # whether a stop leaves no time for what is not needed to predict

    @property
    def width(self) -> None:
        """A picture may have any size."""
        return None

    def sample(self) -> Images:
        """A gray picture, to warm up with."""
        gray = np.full((self.height, self.width_, self.channels), 127, np.uint8)
        return Images(encoded=[encode(gray)])

    def predict(self, records: Images, options: Options | None = None) -> Mapping[str, NDArray[Any]]:
        """The probability of each class: of one among all, or with several labels each for itself. A picture is
        brought to the size of the network, whatever that does to its proportions, or prepared as those of validation
        were where the options say so; `UserError` where it is too small for that."""
        batches = (records[first : first + _PART] for first in range(0, len(records), _PART))
        shape = (self.height, self.width_, self.channels)
        parts = [np.empty((0, self.num_classes), np.float32)]
        how = Preparation(channels=self.channels, height=self.height, width=self.width_, resize=self.resize)
        centered = options is not None and options.preparation == CENTER
        ahead = prefetch.prepare_ahead(
            batches,
            shape,
            lambda number: lambda pixels, at, place: how.validation(pixels, place) if centered else how.request(pixels),
            upright=self.upright,
        )
        for batch in ahead:
            parts.append(self._predictor.probabilities(batch.pixels))
        return {"prediction": np.concatenate(parts)}

    @property
    def design(self) -> Design:
        """The network's layers before its head."""
        return Design(num_layers=self.num_layers, channels=self.channels, height=self.height)

    @functools.cached_property
    def _predictor(self) -> Any:
        from algoport.algorithms.image_classification.inference import Predictor

        return Predictor(self.design, self.width_, self.num_classes, self.multi_label, self.weights)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`; and `model.onnx` for others, unless there is no time for it."""
        arrays = dict(self.weights)
        for epoch, weights in self.epochs.items():
            arrays |= {f"epoch{epoch:04d}.{name}": array for name, array in weights.items()}
        artifact.save(folder, arrays, self.facts())
        (folder / ONNX).unlink(missing_ok=True)  # an earlier model's
        if not self.hurried:
            artifact.put(folder / ONNX, self.onnx())

    def onnx(self) -> bytes:
        """The network as an ONNX file, from pixels to probabilities."""
        from algoport.algorithms.image_classification import onnx_graph

        return onnx_graph.encode(
            self.design, self.width_, self.num_classes, self.multi_label, self.weights, self.facts()
        )

    def facts(self) -> dict[str, Any]:
        """All that is not a weight, as JSON has it."""
        return {
            "algorithm": NAME,
            "num_layers": self.num_layers,
            "num_classes": self.num_classes,
            "image_shape": [self.channels, self.height, self.width_],
            "multi_label": self.multi_label,
            "epoch": self.epoch,
            "validation_accuracy": self.accuracy,
            "preprocessing": {
                "orientation": _TURNED if self.upright else schema.STORED,
                "colors": "gray" if self.channels == 1 else "RGB",
                "resize": "to height and width, proportions not kept",
                "validation": {"shorter_side": self.resize, "crop": "center"},
                "scale": "none: pixels from 0 to 255, normalized by the first layer",
                "layout": "NCHW, float32",
            },
            "outputs": "a sigmoid a class" if self.multi_label else "a softmax over the classes",
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left."""
        folder = artifact.find(folder, original.FILES)
        if artifact.exists(folder) or not original.exists(folder):
            arrays, facts = artifact.load(folder, NAME)
            return cls._read(arrays, facts)
        return cls(**original.load(folder))

    @classmethod
    def _read(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        numbers = schema.numbers(facts, artifact.FACTS)
        own, epochs = _by_epoch(arrays)
        model = cls(
            **numbers,
            multi_label=schema.is_multiple(facts, artifact.FACTS),
            weights=own,
            epochs=epochs,
            upright=schema.is_upright(facts),
            resize=schema.shorter_side(facts, artifact.FACTS),
        )
        for weights in (own, *epochs.values()):
            schema.check_weights(model.design, model.num_classes, weights, artifact.ARRAYS)
        return model


def _by_epoch(arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """The weights of the model, and those of other epochs that it holds."""
    own: dict[str, Any] = {}
    epochs: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        match = _EPOCH.fullmatch(name)
        if match:
            epochs.setdefault(int(match[1]), {})[match[2]] = array
        else:
            own[name] = array
    return own, dict(sorted(epochs.items()))
