"""A layer of LSTM cells in both directions, whose steps are one kernel.    p rows   d inputs   h cells of a direction

The rows of the backward direction lie step by step as well: its first step has the last token of each sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.seq2seq.packing import Packing
from algoport.algorithms.shared.linalg.product import product
from algoport.algorithms.shared.neural.kernels import packed_lstm

Array = NDArray[np.float32]
Ints = NDArray[np.int64]
Weights = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Trace:
    """What the backward pass needs; the first of each pair is the forward direction's."""

    rows: Ints  # (p,) of each row of the backward direction where its token's is, and the other way
    begins: Ints  # (t + 1,) the first row of each step
    gates: Array  # (2, p, 4h) activated
    hidden: Array  # (2, p, h)
    cells: Array  # (2, p, h)


def forward(name: str, weights: Weights, x: Array, packing: Packing) -> tuple[Array, Trace]:
    """Hidden states (p, 2h) on inputs (p, d), from states of zeros."""
    names, h = _names(name), len(weights[f"{name}.forward.state"])
    rows = packing.starts[packing.lengths[packing.ranks] - 1 - packing.steps] + packing.ranks
    trace = Trace(
        rows,
        np.append(packing.starts, packing.rows),
        np.empty((2, len(x), 4 * h), np.float32),
        np.zeros((2, len(x), h), np.float32),
        np.zeros((2, len(x), h), np.float32),
    )
    for own, inputs, gates in zip(names, (x, x[rows]), trace.gates, strict=True):
        np.add(product(inputs, weights[f"{own}.input"]), weights[f"{own}.bias"], out=gates)
    states = np.stack([weights[f"{own}.state"] for own in names])
    packed_lstm.forward_(trace.gates, states, trace.begins, trace.hidden, trace.cells)
    return np.concatenate([trace.hidden[0], trace.hidden[1][rows]], axis=1), trace


def backward(
    name: str, weights: Weights, x: Array, packing: Packing, trace: Trace, slopes: Array, gradient: Weights
) -> Array:
    """The gradient by the inputs (p, d), from that by the hidden states (p, 2h); sets those by the weights. The trace's
    gates change."""
    names, h, rows = _names(name), trace.hidden.shape[2], trace.rows
    given = np.stack([slopes[:, :h], slopes[rows, h:]])
    states = np.stack([weights[f"{own}.state"] for own in names])
    packed_lstm.backward_(trace.gates, states, trace.begins, trace.cells, given)
    first = int(packing.sizes[0]) if len(packing.sizes) else 0
    earlier = packing.starts[packing.steps[first:] - 1] + packing.ranks[first:]
    by_inputs = []
    for own, inputs, gates, hidden in zip(names, (x, x[rows]), trace.gates, trace.hidden, strict=True):
        np.matmul(inputs.T, gates, out=gradient[f"{own}.input"])
        np.matmul(hidden[earlier].T, gates[first:], out=gradient[f"{own}.state"])
        gradient[f"{own}.bias"][:] = gates.sum(axis=0)
        by_inputs.append(gates @ weights[f"{own}.input"].T)
    return np.asarray(by_inputs[0] + by_inputs[1][rows])


def _names(name: str) -> tuple[str, str]:
    return f"{name}.forward", f"{name}.backward"
