"""The encoder as an ONNX file: counts of words in, topic weights out. Normalization is joined to the products."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.ntm.normalization import EPS
from algoport.algorithms.shared.onnx import Graph

if TYPE_CHECKING:
    from algoport.algorithms.ntm.model import Model

IN, OUT = "features", "topic_weights"
MOST = 1_900_000_000  # bytes of weights: a file of ONNX holds 2 GB
_ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}

Array = NDArray[np.float32]


def encode(model: Model) -> bytes | None:
    """The file, None where the weights are more than one holds. Its input is float32 (n, v), its output (n, k)."""
    names = [f"layer{number}" for number in range(len(model.layers))]
    if sum(model.weights[name].nbytes for name in names) > MOST:
        return None
    facts = {name: value for name, value in model.facts().items() if name != "vocabulary"}
    graph = Graph("ntm", {IN: ["n", model.feature_dim]}, {OUT: ["n", model.num_topics]}, {"facts": json.dumps(facts)})
    x = IN
    for name in names:
        x = graph.add(_ACTIVATIONS[model.activation], _linear(graph, model, name, x))
    graph.add("Softmax", _linear(graph, model, "mean", x), out=OUT, axis=1)
    return graph.file()


def _linear(graph: Graph, model: Model, name: str, x: str) -> str:
    """A layer's product and bias, by the statistics of training where it is normalized."""
    weights, bias = model.weights[name], model.weights[f"{name}_bias"]
    if model.batch_norm:
        mean, variance = model.statistics[name].astype(np.float64)
        inverse = 1 / np.sqrt(variance + EPS)
        weights, bias = (weights * inverse).astype(np.float32), (bias - mean * inverse).astype(np.float32)
    return graph.add("Gemm", x, graph.array(name, weights), graph.array(f"{name}_bias", bias))
