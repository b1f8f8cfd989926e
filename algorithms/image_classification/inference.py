"""A network that only predicts.    n pictures   k classes"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from algoport.algorithms.image_classification.network import build
from algoport.algorithms.shared import heap
from algoport.algorithms.shared.vision.packing import pack
from algoport.algorithms.shared.vision.residual.design import Design
from algoport.algorithms.shared.vision.residual.network import fill


class Predictor:
    """The network of a model, ready for pictures of its size."""

    def __init__(
        self,
        design: Design,
        width: int,
        num_classes: int,
        multi_label: bool,
        weights: Mapping[str, NDArray[np.float32]],
    ) -> None:
        heap.keep_answers()
        self._network = build(design, num_classes, lambda sums: None)
        fill(self._network, weights)
        self._network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._multi_label = multi_label
        x = torch.zeros(1, design.channels, design.height, width)
        pack(self._network, x.to(memory_format=torch.channels_last))

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, k) from (n, h, w, c)."""
        with torch.inference_mode():
            scores = self._network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
            values: Any = torch.sigmoid(scores) if self._multi_label else torch.softmax(scores, dim=1)
            return np.asarray(values.numpy(), np.float32)
