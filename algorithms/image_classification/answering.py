"""A network that only answers.    n pictures   k classes"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from algorithms.image_classification.model import Model, design
from algorithms.image_classification.network import built, fill


class Answering:
    """The network of a model, ready to be asked."""

    def __init__(self, model: Model) -> None:
        self._network = built(design(model), lambda sums: None)
        fill(self._network, model.weights)
        self._network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._multiple = model.multi_label

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, k) from (n, h, w, c)."""
        with torch.inference_mode():
            scores = self._network(torch.from_numpy(pixels).permute(0, 3, 1, 2).float())
            found: Any = torch.sigmoid(scores) if self._multiple else torch.softmax(scores, dim=1)
            return np.asarray(found.numpy(), np.float32)
