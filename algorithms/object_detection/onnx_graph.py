"""The detector as an ONNX file: pictures in, of each anchor the probabilities of classes and a box out.

n pictures   s side   a anchors   k classes, the background not counted
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.object_detection.layers import NORMALIZED, Layers
from algoport.algorithms.shared.onnx import Graph
from algoport.algorithms.shared.vision.anchors import VARIANCES
from algoport.algorithms.shared.vision.residual.onnx_layers import ResidualLayers, Weights
from algoport.algorithms.shared.vision.vgg import BLOCKS, MEAN

IN, SCORES, BOXES = "data", "scores", "boxes"


def encode(layers: Layers, weights: Weights, facts: Mapping[str, Any]) -> bytes:
    """The file. Its input is float32 (n, 3, s, s), pixels from 0 to 255; its outputs are probabilities (n, a, k + 1),
    the background's first, and corners (n, a, 4) in fractions of width and height."""
    anchors = layers.anchors()
    shape: list[int | str] = ["n", 3, layers.side, layers.side]
    outputs: dict[str, list[int | str]] = {
        SCORES: ["n", len(anchors), layers.num_classes + 1],
        BOXES: ["n", len(anchors), 4],
    }
    graph = Graph("object-detection", {IN: shape}, dict(outputs), {"facts": json.dumps(facts)})
    _Writer(graph, layers, weights).write(anchors)
    return graph.file()


class _Writer:
    """Adds the layers to the graph, from the first to the last."""

    def __init__(self, graph: Graph, layers: Layers, weights: Weights) -> None:
        self._graph, self._layers, self._weights = graph, layers, weights

    def write(self, anchors: NDArray[np.float32]) -> None:
        """All of it."""
        graph = self._graph
        maps = self._maps()
        both = {kind: self._heads(maps, kind, width) for kind, width in (("cls", -1), ("loc", 4))}
        graph.add("Softmax", both["cls"], out=SCORES, axis=2)
        sides, middles = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
        zero, two, four, axis = (graph.integers(f"at_{number}", number) for number in (0, 2, 4, -1))
        moves = graph.add("Slice", both["loc"], zero, two, axis)
        scales = graph.add("Slice", both["loc"], two, four, axis)
        middle = graph.add(
            "Add",
            graph.add("Mul", moves, graph.array("reach", sides * VARIANCES[:2])),
            graph.array("middles", middles.astype(np.float32)),
        )
        growth = graph.add("Exp", graph.add("Mul", scales, graph.array("variances", VARIANCES[2:])))
        half = graph.add("Mul", growth, graph.array("halves", (sides / 2).astype(np.float32)))
        corners = graph.add("Concat", graph.add("Sub", middle, half), graph.add("Add", middle, half), axis=2)
        limits = [graph.array(name, np.array(value, np.float32)) for name, value in (("low", 0.0), ("high", 1.0))]
        graph.add("Clip", corners, *limits, out=BOXES)

    def _maps(self) -> dict[str, str]:
        """The features that anchors lie on, by their names."""
        layers = self._layers
        if layers.base == "vgg-16":
            outputs = self._vgg()
        else:
            outputs = ResidualLayers(self._graph, layers.design, self._weights).stages(IN)[-2:]
        x = outputs[-1]
        for extra in layers.extras:
            x = self._convolve(f"{extra.name}_conv_1x1_conv", x)
            x = self._convolve(f"{extra.name}_conv_3x3_conv", x, stride=extra.stride, padding=extra.padding)
            outputs.append(x)
        return dict(zip((name for name, _ in layers.maps), outputs, strict=True))

    def _vgg(self) -> list[str]:
        graph = self._graph
        x = graph.add("Sub", IN, graph.array("mean", np.array(MEAN, np.float32).reshape(1, 3, 1, 1)))
        fourth = x
        for block, (count, _) in enumerate(BLOCKS, 1):
            for number in range(1, count + 1):
                x = self._convolve(f"conv{block}_{number}", x, padding=1)
            fourth = x if block == 4 else fourth
            if block < 5:
                x = graph.add("MaxPool", x, ceil_mode=int(block == 3), kernel_shape=(2, 2), strides=(2, 2))
            else:
                x = graph.add("MaxPool", x, kernel_shape=(3, 3), strides=(1, 1), pads=(1, 1, 1, 1))
        x = self._convolve("fc7", self._convolve("fc6", x, padding=6, dilation=6))
        norm = graph.add("ReduceL2", fourth, axes=(1,), keepdims=1)
        least = graph.array("near", np.array(1e-5, np.float32))  # the root of what is added to the sum of squares
        fourth = graph.add("Div", fourth, graph.add("Max", norm, least))
        return [graph.add("Mul", fourth, graph.array(f"{NORMALIZED}_scale", self._weights[f"{NORMALIZED}_scale"])), x]

    def _heads(self, maps: Mapping[str, str], kind: str, width: int) -> str:
        """Scores or offsets of all anchors, map by map."""
        width = width if width > 0 else self._layers.num_classes + 1
        shape = self._graph.integers(f"{kind}_shape", 0, -1, width)
        parts = []
        for name, x in maps.items():
            out = self._convolve(f"{name}_{kind}_pred_conv", x, padding=1, rectified=False)
            out = self._graph.add("Transpose", out, perm=(0, 2, 3, 1))
            parts.append(self._graph.add("Reshape", out, shape))
        return self._graph.add("Concat", *parts, axis=1)

    def _convolve(
        self, name: str, x: str, *, stride: int = 1, padding: int = 0, dilation: int = 1, rectified: bool = True
    ) -> str:
        """A convolution with its shifts, and the rectifier."""
        weight = self._weights[f"{name}_weight"]
        arrays = [self._graph.array(f"{name}_{kind}", self._weights[f"{name}_{kind}"]) for kind in ("weight", "bias")]
        out = self._graph.add(
            "Conv",
            x,
            *arrays,
            kernel_shape=weight.shape[2:],
            strides=(stride, stride),
            pads=(padding,) * 4,
            dilations=(dilation, dilation),
        )
        return self._graph.add("Relu", out) if rectified else out
