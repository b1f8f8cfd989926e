"""The network as an ONNX file: pixels in, the probability of each class at each pixel out.    k classes"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.semantic_segmentation import layers
from algoport.algorithms.shared.onnx import Graph
from algoport.algorithms.shared.vision.residual.dilation import DilatedDesign

IN, OUT = "data", "prediction"


def encode(
    design: DilatedDesign, decoder: str, k: int, crop: int, weights: layers.Weights, facts: Mapping[str, Any]
) -> bytes:
    """The file. Its input is float32 (n, 3, height, width), red, green and blue from 0 to 255, of any size, or with the
    pyramid decoder of that of training; its output (n, k, height, width)."""
    size: list[int | str] = [crop, crop] if decoder == "psp" else ["height", "width"]
    notes = {"facts": json.dumps(facts)}
    graph = Graph("semantic-segmentation", {IN: ["n", 3, *size]}, {OUT: ["n", k, *size]}, notes)
    operations = _Operations(graph, crop // 8)
    scores = layers.scores(operations, design, decoder, weights, IN)
    graph.add("Softmax", operations.enlarged(scores, IN), out=OUT, axis=1)
    return graph.file()


class _Operations:
    """Adds operators to a graph; values are names."""

    def __init__(self, graph: Graph, side: int) -> None:
        self._graph, self._side = graph, side
        self._ends = [graph.integers(f"place_{number}", number) for number in (0, 2, 4)]

    def normalized(self, pixels: str) -> str:
        """Times a slope, plus a level."""
        slope, level = (
            self._graph.array(name, np.array(values, np.float32).reshape(1, 3, 1, 1))
            for name, values in (("slope", layers.SLOPE), ("level", layers.LEVEL))
        )
        return self._graph.add("Add", self._graph.add("Mul", pixels, slope), level)

    def convolved(
        self,
        x: str,
        name: str,
        arrays: layers.Arrays,
        *,
        stride: int = 1,
        dilation: int = 1,
        plus: str | None = None,
        rectified: bool = True,
    ) -> str:
        """A convolution, a sum and a rectifier."""
        weight, bias = arrays()
        side = weight.shape[2]
        names = self._graph.array(f"{name}.weight", weight), self._graph.array(f"{name}.bias", bias)
        out = self._graph.add(
            "Conv",
            x,
            *names,
            kernel_shape=(side, side),
            strides=(stride, stride),
            dilations=(dilation, dilation),
            pads=(side // 2 * dilation,) * 4,
        )
        out = out if plus is None else self._graph.add("Add", out, plus)
        return self._graph.add("Relu", out) if rectified else out

    def pooled(self, x: str) -> str:
        """The largest of 3 x 3 places."""
        return self._graph.add("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))

    def means(self, x: str, bins: int) -> str:
        """Of all places, or by products with the shares of places in parts: sizes of parts may differ."""
        if bins == 1:
            return self._graph.add("GlobalAveragePool", x)
        shares = _shares(self._side, bins)
        down, across = f"down_{bins}", f"across_{bins}"
        rows, columns = self._graph.array(down, shares), self._graph.array(across, np.ascontiguousarray(shares.T))
        return self._graph.add("MatMul", rows, self._graph.add("MatMul", x, columns))

    def enlarged(self, x: str, like: str) -> str:
        """Interpolated between the centers of places."""
        zero, two, four = self._ends
        own = self._graph.add("Slice", self._graph.add("Shape", x), zero, two)
        size = self._graph.add("Slice", self._graph.add("Shape", like), two, four)
        whole = self._graph.add("Concat", own, size, axis=0)
        return self._graph.add("Resize", x, "", "", whole, mode="linear", coordinate_transformation_mode="half_pixel")

    def beside(self, parts: Sequence[str]) -> str:
        """All channels."""
        return self._graph.add("Concat", *parts, axis=1)


def _shares(side: int, bins: int) -> NDArray[np.float32]:
    """How much each place counts in the mean of each part (bins, side); parts may overlap by one place."""
    shares = np.zeros((bins, side), np.float32)
    for part in range(bins):
        first, last = part * side // bins, -(-(part + 1) * side // bins)
        shares[part, first:last] = 1 / (last - first)
    return shares
