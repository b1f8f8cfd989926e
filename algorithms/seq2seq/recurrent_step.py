"""One step of the recurrent decoder for hypotheses, many of which continue the same one.

n rows   m hypotheses that they continue   h hidden numbers   g gates

What a step computes of the state before it, it computes once for all that continue it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq import attention, recurrent_decoder
from algoport.algorithms.seq2seq.attention import Source
from algoport.algorithms.seq2seq.cells import State
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.kernels import cells as kernels
from algoport.algorithms.seq2seq.recurrent_decoder import Now

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Step:
    """A decoder's weights, as a step reads them."""

    design: Design
    weights: Weights
    both: Array  # (2h, g h) of the attentional state before, and of the first layer's

    @classmethod
    def of(cls, design: Design, weights: Weights) -> Self:
        """For a design with an LSTM the products of both are one."""
        parts = [weights["decoder.feed"], weights["decoder.0.state"]]
        return cls(design, weights, np.concatenate(parts) if design.rnn_cell_type == "lstm" else parts[1])

    def __call__(
        self,
        given: Source,
        owners: Ints,  # (n,) the source of each row
        x: Array,  # (n, e) embedded tokens
        parents: Ints,  # (n,) of each row the one of `before` that it continues
        before: Now,  # of m hypotheses
    ) -> tuple[Array, Array, Now]:
        """The rows (n, h) from which words are told, the weights of attention, and the state behind the step."""
        design, weights, n = self.design, self.weights, len(x)
        gates = x @ weights["decoder.0.input"]
        gates += weights["decoder.0.bias"]
        layers = [self._first(gates, parents, before), *(own.take(parents) for own in before.layers[1:])]
        below = layers[0].hidden
        queries = below
        if design.projects:
            queries = below @ weights["attention.query"]
        looks, contexts = np.empty((n, given.longest), np.float32), np.empty((n, design.states), np.float32)
        attention.attend(design.rnn_attention_type, given, queries, owners, looks, contexts)
        for layer in range(1, design.num_layers_decoder):
            read = np.concatenate([below, contexts], axis=1) if design.rnn_attention_in_upper_layers else below
            above = self._upper(layer, read, layers[layer])
            below = above + below if design.is_residual(layer) else above
        out = np.concatenate([below, contexts], axis=1) @ weights["decoder.combine"]
        out += weights["decoder.combine.bias"]
        np.tanh(out, out=out)
        return out, looks, Now(out, layers)

    def _first(self, gates: Array, parents: Ints, before: Now) -> State:
        """The first layer behind the step, from the products with the inputs."""
        state = before.layers[0]
        if self.design.rnn_cell_type == "lstm":
            products = np.concatenate([before.feed, state.hidden], axis=1) @ self.both
            return _behind(gates, products[parents], state.take(parents))
        gates += (before.feed @ self.weights["decoder.feed"])[parents]
        products = state.hidden @ self.both
        products += self.weights["decoder.0.state.bias"]
        return _behind(gates, products[parents], state.take(parents))

    def _upper(self, layer: int, read: Array, state: State) -> Array:
        """The hidden states of a layer, whose state changes."""
        name, weights = f"decoder.{layer}", self.weights
        gates = read @ weights[f"{name}.input"]
        gates += weights[f"{name}.bias"]
        products = state.hidden @ weights[f"{name}.state"]
        if f"{name}.state.bias" in weights:
            products += weights[f"{name}.state.bias"]
        return _behind(gates, products, state).hidden


def _behind(gates: Array, products: Array, state: State) -> State:
    """A cell's state, which changes."""
    scratch = np.empty_like(state.hidden)
    if state.cells.size:
        kernels.lstm_(gates, products, state.hidden, state.cells, scratch, np.empty_like(scratch))
    else:
        kernels.gru_(gates, products, state.hidden, scratch)
    return state


def begin(design: Design, weights: Weights, given: Source) -> Now:
    """The state before the first step of each sentence."""
    return recurrent_decoder.begin(design, weights, given, np.arange(len(given.lengths)))[0]
