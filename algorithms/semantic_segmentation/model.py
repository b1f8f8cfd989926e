"""What semantic segmentation leaves: the weights of a network, and what it is made of."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.semantic_segmentation import layers, schema
from algoport.algorithms.semantic_segmentation.hyperparameters import LAYERS
from algoport.algorithms.semantic_segmentation.options import PROBABILITIES, Options
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.vision.decoding import decode, encode
from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign

NAME, ONNX = "semantic-segmentation", "model.onnx"
MOST = 1 << 24  # pixels of a picture: the network needs half a kilobyte for each
_SIDE = 512  # pixels of the picture to warm up with, at most


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network: its shape, and its weights by the names of torchvision's layers."""

    backbone: str
    decoder: str
    num_classes: int
    crop_size: int  # of training
    width_multiplier: float
    auxiliary: bool  # whether the weights have the auxiliary decoder, which only training needs
    weights: Mapping[str, NDArray[np.float32]]
    epoch: int = 0  # of the weights, from 1; 0 where none was over
    mean_iou: float | None = None  # of the validation pictures in that epoch
    hurried: bool = False  # whether a stop leaves no time for what is not needed to predict

    @property
    def width(self) -> None:
        """A picture may have any size."""
        return None

    def sample(self) -> Masks:
        """A gray picture of the size of training, to warm up with."""
        side = min(self.crop_size, _SIDE)
        return Masks(encoded=[encode(np.full((side, side, 3), 127, np.uint8))])

    def predict(self, records: Masks, options: Options | None = None) -> Mapping[str, list[NDArray[Any]]]:
        """The class of each pixel, (height, width), at the size of the picture; where the answer holds them, the
        probabilities of the classes too, (k, height, width). `UserError` where a picture cannot be decoded."""
        masks, tables = [], []
        wanted = options is not None and options.accept == PROBABILITIES
        for number, data in enumerate(records.encoded):
            pixels = decode(data, 3, records.place(number), MOST)
            mask, probabilities = self._predictor.mask(pixels)
            masks.append(mask)
            if wanted:
                tables.append(probabilities())
        return {"mask": masks, "probabilities": tables} if wanted else {"mask": masks}

    def classes(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Those of the pixels of one picture, (height, width, 3)."""
        mask: NDArray[np.uint8] = self._predictor.mask(pixels)[0]
        return mask

    @property
    def design(self) -> DilatedDesign:
        """The encoder's layers."""
        return DilatedDesign(num_layers=LAYERS[self.backbone], width_multiplier=self.width_multiplier)

    @functools.cached_property
    def _predictor(self) -> Any:
        from algoport.algorithms.semantic_segmentation.inference import Predictor

        return Predictor(self.design, self.decoder, self.weights)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`; and `model.onnx` for others, unless there is no time for it."""
        artifact.save(folder, self.weights, self.facts())
        (folder / ONNX).unlink(missing_ok=True)  # an earlier model's
        if not self.hurried:
            artifact.put(folder / ONNX, self.onnx())

    def onnx(self) -> bytes:
        """The network as an ONNX file, from pixels to probabilities."""
        from algoport.algorithms.semantic_segmentation import onnx_graph

        return onnx_graph.encode(
            self.design, self.decoder, self.num_classes, self.crop_size, self.weights, self.facts()
        )

    def facts(self) -> dict[str, Any]:
        """All that is not a weight, as JSON has it."""
        return {
            "algorithm": NAME,
            "backbone": self.backbone,
            "decoder": self.decoder,
            "num_classes": self.num_classes,
            "crop_size": self.crop_size,
            "width_multiplier": self.width_multiplier,
            "auxiliary": self.auxiliary,
            "epoch": self.epoch,
            "validation_mean_iou": self.mean_iou,
            "preprocessing": {
                "orientation": "upright, by EXIF",
                "colors": "RGB",
                "mean": [255 * each for each in layers.MEAN],
                "deviation": [255 * each for each in layers.DEVIATION],
                "layout": "NCHW, float32; any height and width",
            },
            "outputs": "scores at an eighth of the size, enlarged bilinearly (align_corners=False), then a softmax",
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        arrays, facts = artifact.load(artifact.find(folder), NAME)
        model = cls(**schema.fields(facts, artifact.FACTS), weights=arrays)
        schema.check_weights(model.design, model.decoder, model.num_classes, model.auxiliary, arrays, artifact.ARRAYS)
        return model
