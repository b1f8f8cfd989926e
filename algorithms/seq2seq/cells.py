"""Recurrent cells and layers, forward and backward, on a processor.    p rows   h cells   g gates   d inputs

Products of all steps at once are NumPy's; those of each step are with weights that are packed once for all steps, by
which they take half as long. What is between two of them are kernels. Rows lie as `packing` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.kernels import cells as kernels
from algoport.algorithms.seq2seq.packing import Packing
from algoport.algorithms.shared.linalg.product import Panels
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
WORK = 32  # items of a simple loop that a hidden number is worth


@dataclass(eq=False)
class State:
    """What a cell has between two steps."""

    hidden: Array  # (n, h)
    cells: Array  # (n, h); of a GRU nothing, (0, 0)

    @classmethod
    def zeros(cls, n: int, h: int, kind: str) -> State:
        """The state before the first step."""
        return cls(np.zeros((n, h), np.float32), np.zeros((n, h) if kind == "lstm" else (0, 0), np.float32))

    def take(self, rows: NDArray[np.int64]) -> State:
        """That of some rows."""
        return State(self.hidden[rows], self.cells[rows] if self.cells.size else self.cells)


@dataclass(eq=False)
class Trace:
    """What a backward pass needs of all steps of a cell."""

    gates: Array  # (p, g h) products with the inputs, then activated, then the gradient by the products
    products: Array  # (p, g h) those with the state, of a GRU; else (0, 0)
    hidden: Array  # (p, h) behind each step
    before: Array  # (p, h) hidden, before each step
    cells: Array  # (p, h) before each step, of an LSTM

    @classmethod
    def of(cls, gates: Array, kind: str) -> Trace:
        """For products with the inputs that are there, or will be."""
        p, h = len(gates), gates.shape[1] // (4 if kind == "lstm" else 3)
        none = np.empty((0, 0), np.float32)
        products = none if kind == "lstm" else np.empty_like(gates)
        cells = np.empty((p, h), np.float32) if kind == "lstm" else none
        return cls(gates, products, np.empty((p, h), np.float32), np.empty((p, h), np.float32), cells)


class Cell:
    """One cell by the names of its weights, which are packed once for all steps."""

    def __init__(self, name: str, kind: str, weights: Weights) -> None:
        self.name, self.kind = name, kind
        self.weights = weights[f"{name}.state"]
        self.bias = weights.get(f"{name}.state.bias", np.zeros(0, np.float32))  # of a GRU

    @cached_property
    def _forward(self) -> Panels:
        return Panels(self.weights)

    @cached_property
    def _backward(self) -> Panels:
        return Panels(self.weights.T)

    def step(self, trace: Trace, a: int, b: int, state: State) -> Array:
        """The rows from a to b of a trace, from the state of their sentences, which changes; their hidden states."""
        n = b - a
        hidden, gates = state.hidden[:n], trace.gates[a:b]
        trace.before[a:b] = hidden
        workers = team(WORK * hidden.size)
        if self.kind == "lstm":
            self._forward.product(hidden, gates, add=True)
            kernels.lstm_(workers, gates, hidden, state.cells[:n], trace.hidden[a:b], trace.cells[a:b])
        else:
            products = self._forward.product(hidden, trace.products[a:b])
            products += self.bias
            kernels.gru_(workers, gates, products, hidden, trace.hidden[a:b])
        return trace.hidden[a:b]

    def step_back(self, trace: Trace, a: int, b: int, slopes: Array, by: State) -> Array:
        """The gradient by the products with the inputs, from that by the hidden states (n, h) but for what later steps
        add, which `by` has; it becomes the gradient by the state before."""
        n = b - a
        slopes = slopes + by.hidden[:n]
        gates = trace.gates[a:b]
        workers = team(WORK * slopes.size)
        if self.kind == "lstm":
            kernels.lstm_back_(workers, gates, trace.cells[a:b], slopes, by.cells[:n])
            self._backward.product(gates, by.hidden[:n])
        else:
            direct = np.empty_like(slopes)
            kernels.gru_back_(workers, gates, trace.products[a:b], trace.before[a:b], slopes, direct)
            self._backward.product(trace.products[a:b], by.hidden[:n])
            by.hidden[:n] += direct
        return gates

    def finish(self, trace: Trace, gradient: Weights) -> None:
        """Set the gradients by the weights of the state, and by both biases, when all steps are done."""
        products = trace.gates if self.kind == "lstm" else trace.products
        np.matmul(trace.before.T, products, out=gradient[f"{self.name}.state"])
        gradient[f"{self.name}.bias"][:] = trace.gates.sum(axis=0)
        if self.kind == "gru":
            gradient[f"{self.name}.state.bias"][:] = products.sum(axis=0)


def layer(name: str, kind: str, weights: Weights, x: Array, packing: Packing, *, reverse: bool = False) -> Trace:
    """All steps of a layer on inputs (p, d) from a state of zeros; `reverse`: from each sentence's last token."""
    cell = Cell(name, kind, weights)
    gates = x @ weights[f"{name}.input"]
    gates += weights[f"{name}.bias"]
    trace = Trace.of(gates, kind)
    state = State.zeros(len(packing.lengths), trace.hidden.shape[1], kind)
    spans = packing.spans()
    for a, b, _ in reversed(spans) if reverse else spans:
        cell.step(trace, a, b, state)
    return trace


def layer_back(
    name: str,
    kind: str,
    weights: Weights,
    x: Array,
    packing: Packing,
    trace: Trace,
    slopes: Array,
    gradient: Weights,
    *,
    reverse: bool = False,
) -> Array:
    """The gradient by the inputs (p, d), from that by the hidden states (p, h); sets those by the weights."""
    cell = Cell(name, kind, weights)
    by = State.zeros(len(packing.lengths), trace.hidden.shape[1], kind)
    spans = packing.spans()
    for a, b, _ in spans if reverse else reversed(spans):
        cell.step_back(trace, a, b, slopes[a:b], by)
    cell.finish(trace, gradient)
    np.matmul(x.T, trace.gates, out=gradient[f"{name}.input"])
    return np.asarray(trace.gates @ weights[f"{name}.input"].T)
