"""The convolutional decoder (Gehring et al. 2017): convolutions over the tokens so far, with attention in each layer.

p target tokens of all sentences   c numbers of a layer   s of an encoder state   e of an embedding
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq import attention, convolution
from algoport.algorithms.seq2seq.attention import Slopes, Source
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.encoder import Drop, add_positions, nothing
from algoport.algorithms.seq2seq.packing import Packing

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]


@dataclass(eq=False)
class Now:
    """Between two steps: what each layer's convolution still reaches, (n, width - 1, c), and the steps so far."""

    layers: list[Array]
    step: int = 0

    def take(self, rows: Ints) -> Now:
        """That of some rows."""
        return Now([layer[rows] for layer in self.layers], self.step)


@dataclass(eq=False)
class Trace:
    """What the backward pass needs."""

    inputs: Array  # (p, e)
    neighbors: Any
    layers: list[convolution.Trace] = field(default_factory=list)
    queries: list[Array] = field(default_factory=list)  # (p, s)
    contexts: list[Array] = field(default_factory=list)  # (p, s)
    weights: list[Array] = field(default_factory=list)  # (p, longest)


def begin(design: Design, n: int) -> Now:
    """The state of n rows before the first step."""
    shape = (n, design.cnn_kernel_width_decoder - 1, design.cnn_num_hidden)
    return Now([np.zeros(shape, np.float32) for _ in range(design.num_layers_decoder)])


def _look(
    design: Design, weights: Weights, given: Source, owners: Ints, layer: int, rows: Array
) -> tuple[Array, Array, Array]:
    """Queries, weights and contexts of some rows."""
    queries = rows @ weights[f"decoder.{layer}.query"]
    own = np.empty((len(rows), max(1, given.longest)), np.float32)
    contexts = np.empty((len(rows), design.states), np.float32)
    attention.attend("dot", given, queries, owners, own, contexts)
    return queries, own, contexts


def decode(
    design: Design, weights: Weights, given: Source, owners: Ints, x: Array, packing: Packing, drop: Drop = nothing
) -> tuple[Array, Trace]:
    """The rows (p, c) from which words are told, all steps at once."""
    width = design.cnn_kernel_width_decoder
    x = x + weights["decoder.position"][packing.steps]
    trace = Trace(x, packing.neighbors(width, width - 1))
    rows, each = x @ weights["decoder.project"], owners[packing.ranks]
    for layer in range(design.num_layers_decoder):
        name, dropped = f"decoder.{layer}.filter", rows.copy()
        drop(dropped, layer)
        own = convolution.forward(
            design.cnn_activation_type, dropped, trace.neighbors, weights[name], weights[f"{name}.bias"]
        )
        queries, looks, contexts = _look(design, weights, given, each, layer, own.out)
        rows = rows + own.out + contexts @ weights[f"decoder.{layer}.context"]
        trace.layers.append(own)
        trace.queries.append(queries)
        trace.weights.append(looks)
        trace.contexts.append(contexts)
    return rows, trace


def decode_back(
    design: Design,
    weights: Weights,
    given: Source,
    owners: Ints,
    packing: Packing,
    trace: Trace,
    slopes: Array,
    gradient: Weights,  # sets
    drop: Drop,
) -> tuple[Array, Slopes]:
    """The gradients by the embedded tokens (p, e), and by what is read of the encoder."""
    by = Slopes.zeros(given, len(packing.lengths))
    for layer in reversed(range(design.num_layers_decoder)):
        name, own = f"decoder.{layer}", trace.layers[layer]
        np.matmul(trace.contexts[layer].T, slopes, out=gradient[f"{name}.context"])
        by_contexts = slopes @ weights[f"{name}.context"].T
        by_queries = attention.attend_back(
            "dot",
            given,
            trace.queries[layer],
            owners,
            packing.sizes,
            packing.starts,
            trace.weights[layer],
            by_contexts,
            by,
        )
        np.matmul(own.out.T, by_queries, out=gradient[f"{name}.query"])
        by_out = slopes + by_queries @ weights[f"{name}.query"].T
        by_input = convolution.backward(
            design.cnn_activation_type,
            own,
            trace.neighbors,
            weights[f"{name}.filter"],
            by_out,
            gradient[f"{name}.filter"],
            gradient[f"{name}.filter.bias"],
        )
        drop(by_input, layer)
        slopes = slopes + by_input
    np.matmul(trace.inputs.T, slopes, out=gradient["decoder.project"])
    by_x = slopes @ weights["decoder.project"].T
    add_positions(gradient["decoder.position"], packing, by_x)
    return np.asarray(by_x), by


def step(design: Design, weights: Weights, given: Source, owners: Ints, x: Array, now: Now) -> tuple[Array, Array, Now]:
    """One step of rows whose tokens before are embedded (n, e): rows (n, c), the mean weights of all layers' attention,
    and the state behind it."""
    rows = (x + weights["decoder.position"][now.step]) @ weights["decoder.project"]
    looks = np.zeros((len(x), max(1, given.longest)), np.float32)
    layers = []
    for layer in range(design.num_layers_decoder):
        name = f"decoder.{layer}.filter"
        reach = np.concatenate([now.layers[layer], rows[:, None]], axis=1)
        raw = reach.reshape(len(x), -1) @ weights[name] + weights[f"{name}.bias"]
        out = convolution.activate(design.cnn_activation_type, raw)
        _, own, contexts = _look(design, weights, given, owners, layer, out)
        rows = rows + out + contexts @ weights[f"decoder.{layer}.context"]
        looks += own / design.num_layers_decoder
        layers.append(reach[:, 1:])
    return rows, looks, Now(layers, now.step + 1)
