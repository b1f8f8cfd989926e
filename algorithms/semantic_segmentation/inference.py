"""A network that only predicts: normalization is joined to convolutions, and rectifiers and sums to these.

k classes   h, w an eighth of height and width
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from algoport.algorithms.semantic_segmentation import layers
from algoport.algorithms.shared import heap
from algoport.algorithms.shared.vision import upsampling
from algoport.algorithms.shared.vision.decoding import Pixels
from algoport.algorithms.shared.vision.packing import PackedConvolution
from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign


class Predictor:
    """The network of a model, ready for pictures of any size."""

    def __init__(self, design: DilatedDesign, decoder: str, weights: layers.Weights) -> None:
        heap.keep_answers()
        self._design, self._decoder, self._weights = design, decoder, weights
        self._operations = TorchOperations()

    def scores(self, pixels: Pixels) -> Tensor:
        """The scores (1, k, h, w) of one picture."""
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(pixels))[None].permute(0, 3, 1, 2)
            x = x.to(torch.float32, memory_format=torch.channels_last)
            return layers.scores(self._operations, self._design, self._decoder, self._weights, x)

    def mask(self, pixels: Pixels) -> tuple[NDArray[np.uint8], Callable[[], NDArray[np.float32]]]:
        """The class of each pixel, and what gives the probabilities of all classes (k, height, width)."""
        scores, (height, width) = self.scores(pixels), pixels.shape[:2]
        classes = upsampling.classes(scores, height, width)[0]
        return classes, lambda: upsampling.probabilities(scores, height, width)


class TorchOperations:
    """By torch, on a processor. Folded weights are kept, as the processor's library wants them."""

    def __init__(self) -> None:
        self._convolutions: dict[str, PackedConvolution] = {}

    def normalized(self, pixels: Tensor) -> Tensor:
        """Pixels as the network takes them."""
        slope, level = (torch.tensor(each).view(1, 3, 1, 1) for each in (layers.SLOPE, layers.LEVEL))
        return torch.addcmul(level, pixels, slope)

    def convolved(
        self,
        x: Tensor,
        name: str,
        arrays: layers.Arrays,
        *,
        stride: int = 1,
        dilation: int = 1,
        plus: Tensor | None = None,
        rectified: bool = True,
    ) -> Tensor:
        """The convolution with all that follows it in one pass, where the library has that."""
        if name not in self._convolutions:  # in the order of the first picture's size, which serves others
            weight, bias = arrays()
            self._convolutions[name] = PackedConvolution(
                torch.from_numpy(weight),
                torch.from_numpy(bias),
                x.shape,
                stride=stride,
                padding=weight.shape[2] // 2 * dilation,
                dilation=dilation,
                rectified=rectified,
            )
        out: Tensor = self._convolutions[name](x, plus)
        return out

    def pooled(self, x: Tensor) -> Tensor:
        """The largest of 3 x 3 places."""
        return functional.max_pool2d(x, 3, 2, 1)

    def means(self, x: Tensor, bins: int) -> Tensor:
        """Means over parts."""
        return functional.adaptive_avg_pool2d(x, bins)

    def enlarged(self, x: Tensor, like: Tensor) -> Tensor:
        """Interpolated."""
        return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)

    def beside(self, parts: Sequence[Tensor]) -> Tensor:
        """All channels."""
        return torch.cat(list(parts), 1)
