"""The network as an ONNX file: pictures in, probabilities out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from algoport.algorithms.shared.onnx import Graph
from algoport.algorithms.shared.vision.residual.design import Design
from algoport.algorithms.shared.vision.residual.onnx_layers import ResidualLayers, Weights

IN, OUT = "data", "prediction"


def encode(
    design: Design, width: int, num_classes: int, multi_label: bool, weights: Weights, facts: Mapping[str, Any]
) -> bytes:
    """The file. Its input is float32 (n, c, h, w), pixels from 0 to 255; its output (n, k)."""
    shape: list[int | str] = ["n", design.channels, design.height, width]
    notes = {"facts": json.dumps(facts)}
    graph = Graph("image-classification", {IN: shape}, {OUT: ["n", num_classes]}, notes)
    layers = ResidualLayers(graph, design, weights)
    x = layers.normalize("bn1", layers.stages(IN)[-1])
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    names = [graph.array(name, weights[name]) for name in ("fc1_weight", "fc1_bias")]
    scores = graph.add("Gemm", x, *names, transB=1)
    if multi_label:
        graph.add("Sigmoid", scores, out=OUT)
    else:
        graph.add("Softmax", scores, out=OUT, axis=1)
    return graph.file()
