"""The network as an ONNX file: pictures in, probabilities out. Normalization is joined to the convolution in front of
it where there is one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.image_classification.model import Model, design
from algoport.algorithms.shared.onnx import Graph

EPS = 2e-5  # as in normalization, which imports what an export does not need
IN, OUT = "data", "prediction"


def exported(model: Model) -> bytes:
    """The file. Its input is float32 (n, c, h, w), pixels from 0 to 255; its output (n, k)."""
    shape: list[int | str] = ["n", model.channels, model.height, model.width_]
    facts = {"facts": json.dumps(model.facts())}
    graph = Graph("image-classification", {IN: shape}, {OUT: ["n", model.num_classes]}, facts)
    _Writer(graph, model).write()
    return graph.file()


class _Writer:
    """Adds the layers to the graph, from the first to the last."""

    def __init__(self, graph: Graph, model: Model) -> None:
        self._graph, self._model, self._weights = graph, model, model.weights

    def write(self) -> None:
        """All of it."""
        graph, shape = self._graph, design(self._model)
        x = self._normalized("bn_data", IN, rectified=False)
        large = not shape.is_small and shape.height > 32
        x = self._convolved("conv0", x, 2 if large else 1, before="bn0" if large else "")
        if large:
            x = graph.add("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
        for stage, count in enumerate(shape.units, 1):
            for unit in range(1, count + 1):
                x = self._unit(
                    f"stage{stage}_unit{unit}", x, 2 if stage > 1 and unit == 1 else 1, shape.has_bottlenecks
                )
        x = graph.add("Flatten", graph.add("GlobalAveragePool", self._normalized("bn1", x)))
        names = [graph.array(name, self._weights[name]) for name in ("fc1_weight", "fc1_bias")]
        scores = graph.add("Gemm", x, *names, transB=1)
        if self._model.multi_label:
            graph.add("Sigmoid", scores, out=OUT)
        else:
            graph.add("Softmax", scores, out=OUT, axis=1)

    def _unit(self, name: str, x: str, stride: int, bottleneck: bool) -> str:
        first = self._normalized(f"{name}_bn1", x)
        inner = first
        steps = (1, stride, 1) if bottleneck else (stride, 1)
        for number, step in enumerate(steps, 1):
            following = f"{name}_bn{number + 1}" if number < len(steps) else ""
            inner = self._convolved(f"{name}_conv{number}", inner, step, before=following)
        shortcut = self._convolved(f"{name}_sc", first, stride) if f"{name}_sc_weight" in self._weights else x
        return self._graph.add("Add", inner, shortcut)

    def _convolved(self, name: str, x: str, stride: int, *, before: str = "") -> str:
        """A convolution, and where a normalization follows it, that and the rectifier."""
        weight: NDArray[Any] = self._weights[f"{name}_weight"]
        side = weight.shape[2]
        inputs = [x]
        if before:
            slope, level = self._line(before)
            inputs += [self._graph.array(f"{name}_weight", (weight * slope[:, None, None, None]).astype(np.float32))]
            inputs += [self._graph.array(f"{name}_bias", level.astype(np.float32))]
        else:
            inputs += [self._graph.array(f"{name}_weight", weight)]
        out = self._graph.add(
            "Conv", *inputs, kernel_shape=(side, side), strides=(stride, stride), pads=(side // 2,) * 4
        )
        return self._graph.add("Relu", out) if before else out

    def _normalized(self, name: str, x: str, rectified: bool = True) -> str:
        kinds = ("gamma", "beta", "moving_mean", "moving_var")
        arrays = [self._graph.array(f"{name}_{kind}", self._weights[f"{name}_{kind}"]) for kind in kinds]
        out = self._graph.add("BatchNormalization", x, *arrays, epsilon=EPS)
        return self._graph.add("Relu", out) if rectified else out

    def _line(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Slope and level of what a normalization does to a channel."""
        gamma, beta, mean, variance = (
            self._weights[f"{name}_{kind}"].astype(np.float64)
            for kind in ("gamma", "beta", "moving_mean", "moving_var")
        )
        slope = gamma / np.sqrt(variance + EPS)
        return slope, beta - mean * slope
