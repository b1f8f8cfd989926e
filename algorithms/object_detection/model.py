"""What object detection leaves: the weights of a network, and how its detections are selected.    d detections"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.boxes import Boxes
from algoport.algorithms.object_detection import original, schema
from algoport.algorithms.object_detection.layers import Layers
from algoport.algorithms.object_detection.options import Options
from algoport.algorithms.object_detection.preparation import Preparation
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.vision import prefetch
from algoport.algorithms.shared.vision.boxes import Selection, detections
from algoport.algorithms.shared.vision.decoding import encode
from algoport.algorithms.shared.vision.orientation import upright_size

NAME, ONNX = "object-detection", "model.onnx"
_PART = 8  # pictures that pass the network at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network: its shape, its weights by the names of its layers, and how its detections are selected."""

    base_network: str
    num_classes: int
    image_shape: int
    width_multiplier: float = 1.0
    weights: Mapping[str, NDArray[np.float32]]
    nms_threshold: float = 0.45
    nms_topk: int = 400
    epoch: int = 0  # of the weights, from 1; 0 where none was over
    mean_average_precision: float | None = None  # of the validation pictures in that epoch
    hurried: bool = False  # whether a stop leaves no time for what is not needed to predict

    @property
    def width(self) -> None:
        """A picture may have any size."""
        return None

    @property
    def layers(self) -> Layers:
        """Which layers the network has."""
        return Layers(
            base=self.base_network, side=self.image_shape, num_classes=self.num_classes, share=self.width_multiplier
        )

    @functools.cached_property
    def anchors(self) -> NDArray[np.float32]:
        """Corners of all anchors (a, 4)."""
        return self.layers.anchors()

    def sample(self) -> Boxes:
        """A gray picture, to warm up with."""
        return Boxes(encoded=[encode(np.full((self.image_shape, self.image_shape, 3), 127, np.uint8))])

    def selection(self, options: Options | None = None) -> Selection:
        """Which detections are answered."""
        how = Selection(most=self.nms_topk, overlap=self.nms_threshold)
        if options is None:
            return how
        return replace(
            how,
            least=options.threshold,
            overlap=options.nms_threshold or self.nms_threshold,
            across=options.force_suppress,
        )

    def predict(self, records: Boxes, options: Options | None = None) -> Mapping[str, Any]:
        """The detections of each picture: rows of class, score and corners, or in pixels where the options say so."""
        rows = self.detect(records, self.selection(options))
        if options is None or not options.annotation:
            return {"prediction": rows}
        sizes = [_size(records, number) for number in range(len(records))]
        return {
            "image_size": [[{"width": width, "height": height, "depth": 3}] for height, width in sizes],
            "annotations": [[_in_pixels(row, *size) for row in own] for own, size in zip(rows, sizes, strict=True)],
        }

    def detect(self, records: Boxes, how: Selection) -> list[NDArray[np.float32]]:
        """Of each picture (d, 6): class, score and corners."""
        preparation = Preparation(self.image_shape)
        ahead = prefetch.prepare_ahead(
            (records[first : first + _PART] for first in range(0, len(records), _PART)),
            (self.image_shape, self.image_shape, 3),
            lambda number: lambda pixels, at, place: preparation.plain(pixels),
        )
        rows: list[NDArray[np.float32]] = []
        for batch in ahead:
            scores, offsets = self._predictor.scores(batch.pixels)
            rows += detections(self.anchors, scores, offsets, how)
        return rows

    @functools.cached_property
    def _predictor(self) -> Any:
        from algoport.algorithms.object_detection.inference import Predictor

        return Predictor(self.layers, self.weights)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`; and `model.onnx` for others, unless there is no time for it."""
        artifact.save(folder, dict(self.weights), self.facts())
        (folder / ONNX).unlink(missing_ok=True)  # an earlier model's
        if not self.hurried:
            artifact.put(folder / ONNX, self.onnx())

    def onnx(self) -> bytes:
        """The network as an ONNX file, from pixels to probabilities and boxes."""
        from algoport.algorithms.object_detection import onnx_graph

        return onnx_graph.encode(self.layers, self.weights, self.facts())

    def facts(self) -> dict[str, Any]:
        """All that is not a weight, as JSON has it."""
        return {
            "algorithm": NAME,
            "base_network": self.base_network,
            "num_classes": self.num_classes,
            "image_shape": self.image_shape,
            "width_multiplier": self.width_multiplier,
            "nms_threshold": self.nms_threshold,
            "nms_topk": self.nms_topk,
            "epoch": self.epoch,
            "validation_mAP": self.mean_average_precision,
            "preprocessing": {
                "orientation": "upright, by EXIF",
                "colors": "RGB",
                "resize": "to image_shape, proportions not kept",
                "scale": "none: pixels from 0 to 255",
                "layout": "NCHW, float32",
            },
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or else what an original image left."""
        folder = artifact.find(folder, original.WEIGHTS)
        if artifact.exists(folder) or not original.exists(folder):
            arrays, facts = artifact.load(folder, NAME)
            model = cls(**schema.fields(facts, artifact.FACTS), weights=arrays)
            schema.check_weights(model.layers, model.weights, artifact.ARRAYS)
            return model
        return cls(**original.load(folder))


def _size(records: Boxes, number: int) -> tuple[int, int]:
    """Height and width of a picture as it was decoded."""
    size = upright_size(records.encoded[number])
    if size is None:
        raise UserError(f"{records.place(number)}: its size cannot be read; the file is damaged.")
    return size


def _in_pixels(row: NDArray[np.float32], height: int, width: int) -> dict[str, Any]:
    left, top, right, bottom = np.rint(row[2:6] * np.array([width, height, width, height])).astype(int).tolist()
    place = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"class_id": int(row[0]), "score": float(row[1]), **place}
