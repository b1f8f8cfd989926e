"""Encoders: from the vectors of a sequence's tokens to one vector, with their backward passes.

n sequences   p tokens of all of them   d numbers of a token's vector   e of a sequence's   w tokens of a filter
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.object2vec.hyperparameters import BILSTM, HCNN
from algoport.algorithms.object2vec.kernels import pooling, tokens
from algoport.algorithms.object2vec.kernels.rows import sums_of_rows
from algoport.algorithms.object2vec.shapes import EncoderShape
from algoport.algorithms.shared.linalg.product import product
from algoport.algorithms.shared.neural.kernels import packed_lstm
from algoport.algorithms.shared.neural.sparse import RowGradient
from algoport.algorithms.shared.sequences.lengths import Steps

Array = NDArray[np.float32]
Weights = Mapping[str, Array]


class Pass(Protocol):
    """One forward pass, which can be gone back."""

    out: Array  # (n, e)

    def backward(self, by_out: Array, slopes: Weights, *, by_tokens: bool) -> RowGradient | None:
        """Set the slopes of the encoder's weights; the gradient of the token vectors that were used, where asked."""


def encode(shape: EncoderShape, weights: Weights, table: Array, sequences: Ragged) -> Pass:
    """The vectors of sequences of token ids, none of them empty."""
    kind: Any = {HCNN: Convolutions, BILSTM: Lstm}.get(shape.network, Mean)
    own: Pass = kind(shape, weights, table, sequences)
    return own


class Mean:
    """The mean of the token vectors, and a linear layer where another length is asked for."""

    def __init__(self, shape: EncoderShape, weights: Weights, table: Array, sequences: Ragged) -> None:
        self._weights, self._sequences = weights, sequences
        self._mean = self.out = tokens.means(table, sequences.values, sequences.offsets)
        if "linear" in weights:
            self.out = product(self._mean, weights["linear"])
            self.out += weights["linear_bias"]

    def backward(self, by_out: Array, slopes: Weights, *, by_tokens: bool) -> RowGradient | None:
        """As `Pass` says."""
        if "linear" in self._weights:
            product(self._mean.T, by_out, slopes["linear"])
            slopes["linear_bias"][:] = by_out.sum(axis=0)
            by_out = product(by_out, self._weights["linear"].T)
        if not by_tokens:
            return None
        lengths = self._sequences.lengths
        places = np.repeat(np.arange(len(lengths)), lengths)
        scales = (1.0 / np.maximum(lengths, 1)).astype(np.float32)
        return by_rows(self._sequences.values, by_out, places, scales[places])


@dataclass(eq=False)
class _Layer:
    """What a convolution leaves for its backward pass."""

    wide: Array  # (p, w d) its inputs
    out: Array  # (p, c) behind ReLU
    places: NDArray[np.int32]  # (n, c) of its maxima


class Convolutions:
    """Convolutions over the tokens, each on the one before, with ReLU; of each layer the maximum over the sequence, all
    layers' side by side (Conneau et al. 2017, section 3.2.4)."""

    def __init__(self, shape: EncoderShape, weights: Weights, table: Array, sequences: Ragged) -> None:
        self._shape, self._weights, self._sequences = shape, weights, sequences
        self.out = np.empty((len(sequences), shape.dim), np.float32)
        x, first = tokens.look_up(table, sequences.values), 0
        self._layers: list[_Layer] = []
        for number, channels in enumerate(shape.channels):
            wide = tokens.windows(x, sequences.offsets, shape.filter_width)
            x = product(wide, weights[f"conv{number}"])
            bias = weights[f"conv{number}_bias"]
            places = pooling.maxima_(x, bias, sequences.offsets, True, self.out, first)
            self._layers.append(_Layer(wide, x, places))
            first += channels

    def backward(self, by_out: Array, slopes: Weights, *, by_tokens: bool) -> RowGradient | None:
        """As `Pass` says."""
        shape, offsets = self._shape, self._sequences.offsets
        first, by_x = shape.dim, np.empty((0, 0), np.float32)
        for number in range(shape.layers - 1, -1, -1):
            layer, name = self._layers[number], f"conv{number}"
            first -= shape.channels[number]
            top = number == shape.layers - 1
            if top:
                by_x = np.empty_like(layer.out)
            pooling.spread_(by_out, first, layer.places, layer.out, offsets, True, top, by_x)
            product(layer.wide.T, by_x, slopes[name])
            slopes[f"{name}_bias"][:] = by_x.sum(axis=0)
            if number or by_tokens:
                by_wide = product(by_x, self._weights[name].T)
                by_x = tokens.folded(by_wide, offsets, shape.filter_width)
        return by_rows(self._sequences.values, by_x) if by_tokens else None


@dataclass(eq=False)
class _Recurrence:
    """What a layer of LSTMs leaves for its backward pass: of both directions, in the order of their steps."""

    inputs: list[Array]  # (p, d) each
    gates: Array  # (2, p, 4h)
    hidden: Array  # (2, p, h)
    cells: Array  # (2, p, h)


class Lstm:
    """LSTMs in both directions, layer on layer, and the maximum over the sequence (Conneau et al. 2017, 3.2.2)."""

    def __init__(self, shape: EncoderShape, weights: Weights, table: Array, sequences: Ragged) -> None:
        self._shape, self._weights, self._sequences = shape, weights, sequences
        self._steps = Steps.of(sequences.offsets)
        self._orders = self._steps.rows, self._steps.reversed_rows
        self._layers: list[_Recurrence] = []
        x = tokens.look_up(table, sequences.values)
        for number in range(shape.layers):
            x = self._forward(x, number)
        self._top, self.out = x, np.empty((len(sequences), shape.dim), np.float32)
        nothing = np.zeros(shape.dim, np.float32)
        self._places = pooling.maxima_(x, nothing, sequences.offsets, False, self.out, 0)

    def _forward(self, x: Array, number: int) -> Array:
        """States of a layer (p, 2h), token by token."""
        p, h = len(x), self._shape.dim // 2
        inputs, states, bias = (self._weights[f"lstm{number}_{name}"] for name in ("inputs", "states", "bias"))
        gates = np.empty((2, p, 4 * h), np.float32)
        ordered = []
        for way, rows in enumerate(self._orders):
            own = np.empty_like(x)
            own[rows] = x
            gates[way] = bias[way]
            product(own, inputs[way], gates[way], add=True)
            ordered.append(own)
        hidden, cells = np.empty((2, p, h), np.float32), np.empty((2, p, h), np.float32)
        packed_lstm.forward_(gates, states, self._steps.begins, hidden, cells)
        self._layers.append(_Recurrence(ordered, gates, hidden, cells))
        out = np.empty((p, 2 * h), np.float32)
        for way, rows in enumerate(self._orders):
            out[:, way * h : (way + 1) * h] = hidden[way][rows]
        return out

    def backward(self, by_out: Array, slopes: Weights, *, by_tokens: bool) -> RowGradient | None:
        """As `Pass` says."""
        by_x = np.empty_like(self._top)
        pooling.spread_(by_out, 0, self._places, self._top, self._sequences.offsets, False, True, by_x)
        for number in range(self._shape.layers - 1, -1, -1):
            by_x = self._backward(by_x, number, slopes, onward=number > 0 or by_tokens)
        return by_rows(self._sequences.values, by_x) if by_tokens else None

    def _backward(self, by_x: Array, number: int, slopes: Weights, *, onward: bool) -> Array:
        """The gradient of a layer's inputs, where they have any."""
        layer, h, begins = self._layers[number], self._shape.dim // 2, self._steps.begins
        inputs, states = (self._weights[f"lstm{number}_{name}"] for name in ("inputs", "states"))
        given = np.empty_like(layer.hidden)
        for way, rows in enumerate(self._orders):
            given[way][rows] = by_x[:, way * h : (way + 1) * h]
        packed_lstm.backward_(layer.gates, states, begins, layer.cells, given)
        before = _rows_before(begins)
        by_inputs = np.zeros((len(by_x), inputs.shape[1]), np.float32)
        for way, rows in enumerate(self._orders):
            by_gates = layer.gates[way]
            product(layer.inputs[way].T, by_gates, slopes[f"lstm{number}_inputs"][way])
            first = len(by_gates) - len(before)
            product(layer.hidden[way][before].T, by_gates[first:], slopes[f"lstm{number}_states"][way])
            slopes[f"lstm{number}_bias"][way] = by_gates.sum(axis=0)
            if onward:
                by_inputs += product(by_gates, inputs[way].T)[rows]
        return by_inputs


def _rows_before(begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of every token but the first ones: the row of the token before it."""
    counts = np.diff(begins)
    if len(counts) < 2:
        return np.empty(0, np.int64)
    return np.asarray(np.arange(begins[1], begins[-1]) - np.repeat(counts[:-1], counts[1:]))


def by_rows(
    ids: NDArray[np.int32],  # (p,)
    gradients: Array,  # (m, d)
    places: NDArray[np.int64] | None = None,  # (p,) which gradient each token has; None: each its own
    scales: Array | None = None,  # (p,) what it is multiplied by; None: 1
) -> RowGradient:
    """The gradients of tokens, summed by their rows of the table."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=np.int32(-1)))
    values = sums_of_rows(
        gradients,
        order if places is None else places[order],
        np.ones(len(ids), np.float32) if scales is None else scales[order],
        np.append(begins, len(ids)),
    )
    return RowGradient(ordered[begins].astype(np.int64), values)
