"""A network that only predicts.    n pictures   s side   a anchors   k classes, the background not counted"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from algoport.algorithms.object_detection.layers import Layers
from algoport.algorithms.object_detection.network import build, fill
from algoport.algorithms.shared import heap
from algoport.algorithms.shared.vision.packing import pack


class Predictor:
    """The network of a model, ready for pictures of its size."""

    def __init__(self, layers: Layers, weights: Mapping[str, NDArray[np.float32]]) -> None:
        heap.keep_answers()
        network = build(layers, lambda sums: None)
        fill(network, weights)
        network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        pack(network, torch.zeros(1, 3, layers.side, layers.side).to(memory_format=torch.channels_last))
        self._network = network

    def scores(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (n, a, k + 1) and offsets (n, a, 4) from (n, s, s, 3)."""
        with torch.inference_mode():
            out: Any = self._network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
        return out[0].numpy(), out[1].numpy()
