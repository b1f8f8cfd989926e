"""What image classification leaves: the weights of a network, and what pictures must become before it sees them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images
from algoport.algorithms.image_classification.hyperparameters import LARGE, MOST_SIDE, SMALL
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.vision import decoding as pictures
from algoport.algorithms.shared.vision import prefetch as pictures_ahead
from algoport.algorithms.shared.vision.transforms import Preparation

NAME, ONNX = "image-classification", "model.onnx"
# Weights that an epoch left beside those of the model.
_EPOCH = re.compile(r"epoch(\d{4,})\.(.*)")
_PART = 64  # pictures that pass the network at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network: its shape, its weights by the names of its layers, and those of earlier epochs where they are kept."""

    num_layers: int
    num_classes: int
    channels: int
    height: int
    width_: int
    multi_label: bool
    weights: Mapping[str, NDArray[np.float32]]
    epochs: Mapping[int, Mapping[str, NDArray[np.float32]]] = field(default_factory=dict)
    epoch: int = 0  # of the weights, from 1; 0 where none was through
    accuracy: float | None = None  # of the validation pictures in that epoch
    pressed: bool = False  # whether a stop leaves no time for what is not needed to answer

    @property
    def width(self) -> None:
        """A picture may have any size."""
        return None

    def sample(self) -> Images:
        """A gray picture, to warm up with."""
        gray = np.full((self.height, self.width_, self.channels), 127, np.uint8)
        return Images(encoded=[pictures.encoded(gray)])

    def predict(self, records: Images, options: object = None) -> Mapping[str, NDArray[Any]]:
        """The probability of each class: of one among all, or with several labels each for itself. A picture is
        brought to the size of the network, whatever that does to its proportions."""
        batches = (records[first : first + _PART] for first in range(0, len(records), _PART))
        shape = (self.height, self.width_, self.channels)
        found = [np.empty((0, self.num_classes), np.float32)]
        prepare = Preparation(channels=self.channels, height=self.height, width=self.width_).asked
        for batch in pictures_ahead.prepared(batches, shape, lambda number: lambda pixels, at, place: prepare(pixels)):
            found.append(self._answering.probabilities(batch.pixels))
        return {"prediction": np.concatenate(found)}

    @functools.cached_property
    def _answering(self) -> Any:
        from algoport.algorithms.image_classification.answering import Answering

        return Answering(self)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`; and `model.onnx` for others, unless there is no time for it."""
        arrays = dict(self.weights)
        for epoch, weights in self.epochs.items():
            arrays |= {f"epoch{epoch:04d}.{name}": array for name, array in weights.items()}
        artifact.save(folder, arrays, self.facts())
        (folder / ONNX).unlink(missing_ok=True)  # an earlier model's
        if not self.pressed:
            artifact.put(folder / ONNX, self.onnx())

    def onnx(self) -> bytes:
        """The network as an ONNX file, from pixels to probabilities."""
        from algoport.algorithms.image_classification.exporting import exported

        return exported(self)

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
                "colors": "gray" if self.channels == 1 else "RGB",
                "resize": "to height and width, proportions not kept",
                "scale": "none: pixels from 0 to 255, normalized by the first layer",
                "layout": "NCHW, float32",
            },
            "outputs": "a sigmoid a class" if self.multi_label else "a softmax over the classes",
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left."""
        from algoport.algorithms.image_classification import original

        if artifact.exists(folder) or not original.exists(folder):
            arrays, facts = artifact.load(folder, NAME)
            return cls._checked(arrays, facts)
        return cls(**original.load(folder))

    @classmethod
    def _checked(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        shape = facts.get("image_shape")
        if not isinstance(shape, list) or len(shape) != 3:
            raise UserError(f"{artifact.FACTS}: image_shape must be three numbers; it is {str(shape)[:60]}.")
        accuracy = facts.get("validation_accuracy")
        if accuracy is not None and not isinstance(accuracy, int | float):
            raise UserError(f"{artifact.FACTS}: validation_accuracy must be a number; it is {str(accuracy)[:60]}.")
        given = {
            "num_layers": facts.get("num_layers"),
            "num_classes": facts.get("num_classes"),
            "channels": shape[0],
            "height": shape[1],
            "width": shape[2],
            "epoch": facts.get("epoch", 0),
        }
        checked_design(given, artifact.FACTS)
        own, epochs = _by_epoch(arrays)
        sizes: dict[str, Any] = {name.replace("width", "width_"): int(number) for name, number in given.items()}
        model = cls(
            **sizes, multi_label=facts.get("multi_label") is True, weights=own, epochs=epochs, accuracy=accuracy
        )
        for weights in (own, *epochs.values()):
            checked_weights(model, weights, artifact.ARRAYS)
        return model


def _by_epoch(arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """The weights of the model, and those of each epoch that were kept."""
    own: dict[str, Any] = {}
    epochs: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        found = _EPOCH.fullmatch(name)
        if found:
            epochs.setdefault(int(found[1]), {})[found[2]] = array
        else:
            own[name] = array
    return own, dict(sorted(epochs.items()))


def checked_design(given: Mapping[str, Any], place: str) -> None:
    """`UserError` where a number is not one that a network can have."""
    limits = {"num_classes": (1, 1 << 20), "height": (1, MOST_SIDE), "width": (1, MOST_SIDE), "epoch": (0, 1 << 40)}
    for name, (low, high) in limits.items():
        if type(given[name]) is not int or not low <= given[name] <= high:
            raise UserError(
                f"{place}: {name} must be a whole number from {low} to {high}; it is {str(given[name])[:60]}."
            )
    for name, values in (("num_layers", (*LARGE, *SMALL)), ("channels", (1, 3))):
        if type(given[name]) is not int or given[name] not in values:
            known = ", ".join(map(str, values))
            raise UserError(f"{place}: {name} must be one of {known}; it is {str(given[name])[:60]}.")


def checked_weights(model: Model, weights: Mapping[str, NDArray[Any]], place: str) -> None:
    """`UserError` where weights are missing, too many, of another shape, or not finite."""
    from algoport.algorithms.shared.vision.residual import shapes

    wanted = shapes(design(model))
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


def design(model: Model) -> Any:
    """The shape of the network."""
    from algoport.algorithms.shared.vision.residual import Design

    return Design(
        **{each.name: getattr(model, {"width": "width_"}.get(each.name, each.name)) for each in fields(Design)}
    )
