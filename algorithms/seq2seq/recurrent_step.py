"""One step of the recurrent decoder for hypotheses, many of which continue the same one.

n rows   m hypotheses that they continue   h hidden numbers   g gates   e numbers of an embedding

What a step computes of the state before it, it computes once for all that continue it, and what it computes of a token
once for all steps. Weights are packed once for all products with them, and a row's numbers are the same to the last bit
whichever other rows there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq import attention, recurrent_decoder
from algoport.algorithms.seq2seq.attention import Source
from algoport.algorithms.seq2seq.cells import WORK, State
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.kernels import cells as kernels
from algoport.algorithms.seq2seq.recurrent_decoder import Now
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.product import Panels
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]
TOKENS = 1 << 12  # whose products are there at a time
_INT = np.dtype(np.int64)


@dataclass(frozen=True, eq=False)
class Step:
    """A decoder's weights, as a step reads them."""

    design: Design
    weights: Weights
    panels: Mapping[str, Panels]  # of the matrices by name; `both`: of the attentional state, and the first layer's

    @classmethod
    def of(cls, design: Design, weights: Weights) -> Self:
        """For a design with an LSTM the products of both states are one."""
        names = [name for name in weights if name.startswith("decoder.") and weights[name].ndim == 2]
        own = {name: Panels(weights[name]) for name in names if ".initial." not in name}
        if design.projects:
            own["attention.query"] = Panels(weights["attention.query"])
        if design.rnn_cell_type == "lstm":
            own["both"] = Panels(np.concatenate([weights["decoder.feed"], weights["decoder.0.state"]]))
            del own["decoder.feed"], own["decoder.0.state"]
        return cls(design, weights, own)

    def __call__(
        self,
        given: Source,
        owners: Ints,  # (n,) the source of each row
        inputs: Inputs,  # products of tokens
        tokens: Ints,  # (n,)
        parents: Ints,  # (n,) of each row the one of `before` that it continues
        before: Now,  # of m hypotheses
    ) -> tuple[Array, Array, Now]:
        """The rows (n, h) from which words are told, the weights of attention, and the state behind the step."""
        design, n = self.design, len(tokens)
        first = self._first(inputs, tokens, parents, before)
        layers = [first, *(own.take(parents) for own in before.layers[1:])]
        below = queries = first.hidden
        if design.projects:
            queries = self.panels["attention.query"].product(below)
        looks, contexts = np.empty((n, given.longest), np.float32), np.empty((n, design.states), np.float32)
        attention.attend(design.rnn_attention_type, given, queries, owners, looks, contexts)
        for layer in range(1, design.num_layers_decoder):
            read = np.concatenate([below, contexts], axis=1) if design.rnn_attention_in_upper_layers else below
            above = self._upper(layer, read, layers[layer])
            below = above + below if design.is_residual(layer) else above
        out = self.panels["decoder.combine"].product(np.concatenate([below, contexts], axis=1))
        kernels.squash_(team(8 * out.size), out, const(self.weights["decoder.combine.bias"]))
        return out, looks, Now(out, layers)

    def _first(self, inputs: Inputs, tokens: Ints, parents: Ints, before: Now) -> State:
        """The first layer behind the step."""
        state, (table, places) = before.layers[0], inputs.look_up(tokens)
        if self.design.rnn_cell_type == "gru":
            gates = self.panels["decoder.feed"].product(before.feed)[parents]
            gates += table[places]
            products = self.panels["decoder.0.state"].product(state.hidden)
            products += self.weights["decoder.0.state.bias"]
            return _gru(gates, products[parents], state.take(parents))
        products = self.panels["both"].product(np.concatenate([before.feed, state.hidden], axis=1))
        new = State(*(np.empty((len(tokens), state.hidden.shape[1]), np.float32) for _ in range(2)))
        given = const(table), const(places, _INT), const(products), const(parents, _INT), const(state.cells)
        kernels.continue_lstm_(team(WORK * new.cells.size), *given, new.cells, new.hidden)
        return new

    def _upper(self, layer: int, read: Array, state: State) -> Array:
        """The hidden states of a layer, whose state changes."""
        name, weights = f"decoder.{layer}", self.weights
        gates = self.panels[f"{name}.input"].product(read)
        gates += weights[f"{name}.bias"]
        if self.design.rnn_cell_type == "lstm":
            scratch, workers = np.empty_like(state.hidden), team(WORK * state.hidden.size)
            self.panels[f"{name}.state"].product(state.hidden, gates, add=True)
            kernels.lstm_(workers, gates, state.hidden, state.cells, scratch, np.empty_like(scratch))
            return state.hidden
        products = self.panels[f"{name}.state"].product(state.hidden)
        products += weights[f"{name}.state.bias"]
        return _gru(gates, products, state).hidden


class Inputs:
    """Products (t, g h) of tokens' embeddings and the first layer's weights, with its bias: those that were asked for,
    at most `TOKENS` and those of one step."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._bias = step.weights["decoder.0.bias"]
        self._embedding = step.weights["target.embedding"]
        self._places = np.full(len(self._embedding), -1, np.int64)
        self._table, self._count = np.empty((0, len(self._bias)), np.float32), 0

    def look_up(self, tokens: Ints) -> tuple[Array, Ints]:
        """A table of products, and where in it that of each token is."""
        new = np.unique(tokens[self._places[tokens] < 0])
        if self._count and self._count + len(new) > TOKENS:
            self._places[:], self._count = -1, 0
            new = np.unique(tokens)
        if len(new):
            self._add(new)
        return self._table, self._places[tokens]

    def _add(self, tokens: Ints) -> None:
        first, last = self._count, self._count + len(tokens)
        if last > len(self._table):
            larger = np.empty((max(last, 2 * len(self._table)), len(self._bias)), np.float32)
            larger[:first] = self._table[:first]
            self._table = larger
        own = self._step.panels["decoder.0.input"].product(self._embedding[tokens], self._table[first:last])
        own += self._bias
        self._places[tokens], self._count = np.arange(first, last), last


def _gru(gates: Array, products: Array, state: State) -> State:
    """The state of a GRU, which changes."""
    kernels.gru_(team(WORK * state.hidden.size), gates, products, state.hidden, np.empty_like(state.hidden))
    return state


def begin(design: Design, weights: Weights, given: Source) -> Now:
    """The state before the first step of each sentence."""
    return recurrent_decoder.begin(design, weights, given, np.arange(len(given.lengths)))[0]
