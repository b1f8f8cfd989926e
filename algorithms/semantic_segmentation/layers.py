"""The layers of a trained network in their order, for whoever computes or writes them: normalization is joined to the
convolution in front of it.    c channels   k classes   h, w an eighth of height and width
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.residual.dilation import EPS, DilatedDesign, UnitShape

BINS = (1, 2, 3, 6)  # of the pyramid, a side
RATES = (12, 24, 36)  # dilations of the atrous branches
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue from 0 to 1
SLOPE = tuple(1 / (255 * deviation) for deviation in DEVIATION)
LEVEL = tuple(-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True))

V = TypeVar("V")
Weights = Mapping[str, NDArray[np.float32]]
Arrays = Callable[[], tuple[NDArray[np.float32], NDArray[np.float32]]]  # gives weight and bias of a convolution


class Operations(Protocol[V]):
    """What networks are made of; values are of whatever kind who computes them has."""

    def normalized(self, pixels: V) -> V:
        """Pixels from 0 to 255 as the network takes them."""

    def convolved(
        self,
        x: V,
        name: str,
        arrays: Arrays,
        *,
        stride: int = 1,
        dilation: int = 1,
        plus: V | None = None,
        rectified: bool = True,
    ) -> V:
        """A convolution that keeps the size but for its stride; with another value added, and rectified after that."""

    def pooled(self, x: V) -> V:
        """The largest of 3 x 3 places, at every second one."""

    def means(self, x: V, bins: int) -> V:
        """Means over so many parts a side."""

    def enlarged(self, x: V, like: V) -> V:
        """Interpolated to the size of another."""

    def beside(self, parts: Sequence[V]) -> V:
        """The channels of all of them."""


def scores(operations: Operations[V], design: DilatedDesign, decoder: str, weights: Weights, pixels: V) -> V:
    """The scores of the classes, (n, k, h, w), as `Segmenter` has them in evaluation."""
    walk, x = _Walk(operations, weights), pixels
    x = operations.pooled(walk.layer(operations.normalized(x), "backbone.conv1", "backbone.bn1", stride=2))
    for _, shape in design.units():
        x = walk.unit(x, shape)
    if decoder == "fcn":
        x = walk.head(x, (0, 1, 4))
    elif decoder == "psp":
        x = walk.head(walk.pyramid(x), (1, 2, 5))
    else:
        x = walk.head(walk.atrous(x), (1, 2, 4))
    return x


class _Walk:
    def __init__(self, operations: Any, weights: Weights) -> None:
        self._operations, self._weights = operations, weights

    def layer(self, x: Any, name: str, normalization: str, **how: Any) -> Any:
        """A convolution and the normalization behind it."""
        return self._operations.convolved(x, name, lambda: folded(self._weights, name, normalization), **how)

    def unit(self, x: Any, shape: UnitShape) -> Any:
        """One of the encoder's."""
        name = f"backbone.{shape.name}"
        y = self.layer(x, f"{name}.conv1", f"{name}.bn1")
        y = self.layer(y, f"{name}.conv2", f"{name}.bn2", stride=shape.stride, dilation=shape.dilation)
        if shape.projects:
            short = f"{name}.downsample"
            x = self.layer(x, f"{short}.0", f"{short}.1", stride=shape.stride, rectified=False)
        return self.layer(y, f"{name}.conv3", f"{name}.bn3", plus=x)

    def head(self, x: Any, places: tuple[int, int, int]) -> Any:
        """A 3 x 3 convolution and the scores."""
        first, normalization, last = (f"classifier.{place}" for place in places)
        x = self.layer(x, first, normalization)
        arrays = self._weights[f"{last}.weight"], self._weights[f"{last}.bias"]
        return self._operations.convolved(x, last, lambda: arrays, rectified=False)

    def pyramid(self, x: Any) -> Any:
        """Features beside their means over parts of the picture."""
        parts = [x]
        for number, bins in enumerate(BINS):
            name = f"classifier.0.levels.{number}"
            pooled = self.layer(self._operations.means(x, bins), f"{name}.0", f"{name}.1")
            parts.append(self._operations.enlarged(pooled, x))
        return self._operations.beside(parts)

    def atrous(self, x: Any) -> Any:
        """Convolutions of several dilations side by side, and the mean of the picture."""
        name = "classifier.0.convs"
        parts = [self.layer(x, f"{name}.0.0", f"{name}.0.1")]
        for number, rate in enumerate(RATES, 1):
            parts.append(self.layer(x, f"{name}.{number}.0", f"{name}.{number}.1", dilation=rate))
        mean = self.layer(self._operations.means(x, 1), f"{name}.4.1", f"{name}.4.2")
        parts.append(self._operations.enlarged(mean, x))
        return self.layer(self._operations.beside(parts), "classifier.0.project.0", "classifier.0.project.1")


def folded(weights: Weights, name: str, normalization: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight and bias of a convolution that does what it and a normalization behind it do."""
    scale, shift, mean, variance = (
        weights[f"{normalization}.{kind}"].astype(np.float64)
        for kind in ("weight", "bias", "running_mean", "running_var")
    )
    slope = scale / np.sqrt(variance + EPS)
    weight = weights[f"{name}.weight"] * slope[:, None, None, None]
    return weight.astype(np.float32), (shift - mean * slope).astype(np.float32)
