"""The encoder as an ONNX file: counts of words in, topic weights out. Normalization is joined to the products."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from algoport.algorithms.ntm.gradients import Network, Weights
from algoport.algorithms.ntm.normalization import EPS
from algoport.algorithms.shared.onnx import Graph

IN, OUT = "features", "topic_weights"
MOST = 1_900_000_000  # bytes of weights: a file of ONNX holds 2 GB
_ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def encode(network: Network, weights: Weights, facts: Mapping[str, Any]) -> bytes | None:
    """The file, None where the weights are more than one holds. Its input is float32 (n, v), its output (n, k)."""
    shape = network.shape
    names = [f"layer{number}" for number in range(len(shape.layers))]
    if sum(weights[name].nbytes for name in names) > MOST:
        return None
    notes = {"facts": json.dumps(facts)}
    graph = Graph("ntm", {IN: ["n", shape.feature_dim]}, {OUT: ["n", shape.num_topics]}, notes)
    x = IN
    for name in names:
        x = graph.add(_ACTIVATIONS[network.activation], _linear(graph, network, weights, name, x))
    graph.add("Softmax", _linear(graph, network, weights, "mean", x), out=OUT, axis=1)
    return graph.file()


def _linear(graph: Graph, network: Network, weights: Weights, name: str, x: str) -> str:
    """A layer's product and bias, by the statistics of training where it is normalized."""
    own, bias = weights[name], weights[f"{name}_bias"]
    if network.batch_norm:
        mean, variance = network.statistics[name].astype(np.float64)
        inverse = 1 / np.sqrt(variance + EPS)
        own, bias = (own * inverse).astype(np.float32), (bias - mean * inverse).astype(np.float32)
    return graph.add("Gemm", x, graph.array(name, own), graph.array(f"{name}_bias", bias))
