"""Encoders: from source tokens to states.    p tokens of all sentences   e numbers of an embedding   s of a state"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq import bidirectional, cells, convolution
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.packing import Packing

Array = NDArray[np.float32]
Drop = Callable[[Array, int], None]  # drops numbers of an array in place; the same ones for the same use
Weights = Mapping[str, Array]


def nothing(rows: Array, use: int) -> None:
    """Drops nothing."""


@dataclass(eq=False)
class Trace:
    """What the backward pass needs."""

    inputs: list[Array] = field(default_factory=list)  # of each layer
    layers: list[Any] = field(default_factory=list)
    neighbors: Any = None


def encode(design: Design, weights: Weights, x: Array, packing: Packing, drop: Drop = nothing) -> tuple[Array, Trace]:
    """States (p, s) of embedded tokens (p, e), which lie as `packing` says."""
    return (_recurrent if design.encoder_type == "rnn" else _convolutional)(design, weights, x, packing, drop)


def encode_back(
    design: Design, weights: Weights, packing: Packing, trace: Trace, slopes: Array, gradient: Weights, drop: Drop
) -> Array:
    """The gradient by the embedded tokens, from that by the states; sets those by the weights."""
    back = _recurrent_back if design.encoder_type == "rnn" else _convolutional_back
    return back(design, weights, packing, trace, slopes, gradient, drop)


def _recurrent(design: Design, weights: Weights, x: Array, packing: Packing, drop: Drop) -> tuple[Array, Trace]:
    """One layer in both directions, then layers in one."""
    kind, trace = design.rnn_cell_type, Trace()
    trace.inputs.append(x)
    if kind == "lstm":
        states, first = bidirectional.forward("encoder.0", weights, x, packing)
        trace.layers.append(first)
    else:
        both = [
            cells.layer(f"encoder.0.{direction}", kind, weights, x, packing, reverse=direction == "backward")
            for direction in ("forward", "backward")
        ]
        trace.layers.append(both)
        states = np.concatenate([own.hidden for own in both], axis=1)
    for layer in range(1, design.num_layers_encoder):
        own = cells.layer(f"encoder.{layer}", kind, weights, states, packing)
        trace.inputs.append(states)
        trace.layers.append(own)
        states = own.hidden + states if design.is_residual(layer) else own.hidden
    return states, trace


def _recurrent_back(
    design: Design, weights: Weights, packing: Packing, trace: Trace, slopes: Array, gradient: Weights, drop: Drop
) -> Array:
    kind = design.rnn_cell_type
    for layer in reversed(range(1, design.num_layers_encoder)):
        by_input = cells.layer_back(
            f"encoder.{layer}", kind, weights, trace.inputs[layer], packing, trace.layers[layer], slopes, gradient
        )
        slopes = by_input + slopes if design.is_residual(layer) else by_input
    if kind == "lstm":
        x, own = trace.inputs[0], trace.layers[0]
        return bidirectional.backward("encoder.0", weights, x, packing, own, slopes, gradient)
    h = design.rnn_num_hidden // 2
    parts = [
        cells.layer_back(
            f"encoder.0.{direction}",
            kind,
            weights,
            trace.inputs[0],
            packing,
            own,
            np.ascontiguousarray(part),
            gradient,
            reverse=direction == "backward",
        )
        for direction, own, part in zip(
            ("forward", "backward"), trace.layers[0], (slopes[:, :h], slopes[:, h:]), strict=True
        )
    ]
    return np.asarray(parts[0] + parts[1])


def _convolutional(design: Design, weights: Weights, x: Array, packing: Packing, drop: Drop) -> tuple[Array, Trace]:
    width, trace = design.cnn_kernel_width_encoder, Trace()
    trace.neighbors = packing.neighbors(width, (width - 1) // 2)
    x = x + weights["encoder.position"][packing.steps]
    trace.inputs.append(x)
    states = x @ weights["encoder.project"]
    for layer in range(design.num_layers_encoder):
        name, dropped = f"encoder.{layer}.filter", states.copy()
        drop(dropped, layer)
        own = convolution.forward(
            design.cnn_activation_type, dropped, trace.neighbors, weights[name], weights[f"{name}.bias"]
        )
        trace.layers.append(own)
        states = states + own.out
    return states, trace


def _convolutional_back(
    design: Design, weights: Weights, packing: Packing, trace: Trace, slopes: Array, gradient: Weights, drop: Drop
) -> Array:
    for layer in reversed(range(design.num_layers_encoder)):
        name = f"encoder.{layer}.filter"
        by_input = convolution.backward(
            design.cnn_activation_type,
            trace.layers[layer],
            trace.neighbors,
            weights[name],
            slopes,
            gradient[name],
            gradient[f"{name}.bias"],
        )
        drop(by_input, layer)
        slopes = slopes + by_input
    np.matmul(trace.inputs[0].T, slopes, out=gradient["encoder.project"])
    by_x = slopes @ weights["encoder.project"].T
    add_positions(gradient["encoder.position"], packing, by_x)
    return np.asarray(by_x)


def add_positions(table: Array, packing: Packing, rows: Array) -> None:
    """Set the gradient by position embeddings: of each step the sum of its rows."""
    table[:] = 0
    if len(rows):
        table[: len(packing.starts)] = np.add.reduceat(rows, packing.starts, axis=0)
