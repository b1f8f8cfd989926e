"""The layers of a residual network as operators of an ONNX graph. Normalization is joined to the convolution in front
of it where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.onnx import Graph
from algoport.algorithms.shared.vision.normalization import EPS
from algoport.algorithms.shared.vision.residual.design import Design

Weights = Mapping[str, NDArray[np.float32]]


class ResidualLayers:
    """Adds the layers to a graph, from the first to the last."""

    def __init__(self, graph: Graph, design: Design, weights: Weights) -> None:
        self._graph, self._design, self._weights = graph, design, weights

    def stages(self, x: str) -> list[str]:
        """What comes out of each stage, from pixels."""
        graph, design = self._graph, self._design
        x = self.normalize("bn_data", x, rectified=False)
        large = design.halves_at_once
        x = self._convolve("conv0", x, 2 if large else 1, before="bn0" if large else "")
        if large:
            x = graph.add("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
        outputs = []
        for stage, count in enumerate(design.units, 1):
            for unit in range(1, count + 1):
                stride = design.strides[stage - 1] if unit == 1 else 1
                x = self._unit(f"stage{stage}_unit{unit}", x, stride)
            outputs.append(x)
        return outputs

    def normalize(self, name: str, x: str, rectified: bool = True) -> str:
        """A normalization by its name, and the rectifier."""
        kinds = ("gamma", "beta", "moving_mean", "moving_var")
        arrays = [self._graph.array(f"{name}_{kind}", self._weights[f"{name}_{kind}"]) for kind in kinds]
        out = self._graph.add("BatchNormalization", x, *arrays, epsilon=EPS)
        return self._graph.add("Relu", out) if rectified else out

    def _unit(self, name: str, x: str, stride: int) -> str:
        first = self.normalize(f"{name}_bn1", x)
        inner = first
        steps = (1, stride, 1) if self._design.has_bottlenecks else (stride, 1)
        for number, step in enumerate(steps, 1):
            following = f"{name}_bn{number + 1}" if number < len(steps) else ""
            inner = self._convolve(f"{name}_conv{number}", inner, step, before=following)
        shortcut = self._convolve(f"{name}_sc", first, stride) if f"{name}_sc_weight" in self._weights else x
        return self._graph.add("Add", inner, shortcut)

    def _convolve(self, name: str, x: str, stride: int, *, before: str = "") -> str:
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

    def _line(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Slope and level of what a normalization does to a channel."""
        gamma, beta, mean, variance = (
            self._weights[f"{name}_{kind}"].astype(np.float64)
            for kind in ("gamma", "beta", "moving_mean", "moving_var")
        )
        slope = gamma / np.sqrt(variance + EPS)
        return slope, beta - mean * slope
