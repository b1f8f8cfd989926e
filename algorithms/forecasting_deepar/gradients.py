"""Loss and gradient of a batch on the CPU, by hand.    b windows   t steps   d inputs   h cells   g = 4h gates

torch computes the same (`network`) and is what a GPU uses. Step by step it calls many small operations, whose threads
wait for each other; here a batch is a few matrix products and two passes of a kernel for each layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.forecasting_deepar.kernels.losses import losses_
from algoport.algorithms.forecasting_deepar.plan import Plan, Windows
from algoport.algorithms.forecasting_deepar.shapes import NUMBERS, Shape, layer_keys, views
from algoport.algorithms.shared.neural.kernels import recurrence
from algoport.algorithms.shared.neural.kernels.products import outer, products
from algoport.algorithms.shared.neural.kernels.recurrence import DRAWN, NEVER

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """What the forward pass leaves for the backward pass."""

    gates: Array  # (b, t, g) activated
    hidden: Array  # (b, t + 1, h)
    cells: Array  # (b, t + 1, h)
    keys: NDArray[np.uint64]
    zoneout: int
    rate: float


def gradient_(
    plan: Plan,
    flat: Array,  # (w,)
    windows: Windows,
    categories: NDArray[np.int32],  # (b, c)
    keys: NDArray[np.uint64],  # (b,)
    gradient: Array,  # sets (w,)
) -> tuple[float, float]:
    """Sum of the losses of the observed points, and how many these are; `gradient` becomes that sum's."""
    shape = plan.shape
    weights, slopes = views(flat, shape), views(gradient, shape)
    static = _static(shape, weights, plan.standard_scales(windows.scales), categories)
    steps = windows.inputs.shape[1]
    fixed = static @ weights["static0"].T + weights["bias0"]
    gates = products(windows.inputs, weights["inputs0"].T, fixed, 0, steps)
    layers: list[_Layer] = []
    for number in range(shape.layers):
        if number:
            gates = products(layers[-1].hidden, weights[f"inputs{number}"].T, weights[f"bias{number}"][None], 1, steps)
        layers.append(_forward(gates, weights[f"state{number}"], layer_keys(keys, number), plan.dropout_rate))
    top = layers[-1].hidden
    outputs = products(top, weights["head"].T, weights["head_bias"][None], 1, steps)
    lagged = windows.inputs[:, :, : shape.lags]
    if shape.lags:
        outputs[:, :, 0] += lagged @ weights["skip"]
    loss = losses_(outputs, windows.targets, windows.observed, windows.scales, NUMBERS[plan.likelihood])
    if shape.lags:
        slopes["skip"][:] = np.tensordot(outputs[:, :, 0], lagged, 2)
    slopes["head"][:], slopes["head_bias"][:] = outer(top, outputs, 1), outputs.sum(axis=(0, 1))
    by_hidden = products(outputs, weights["head"], np.zeros_like(top[:1, 0]), 0, steps)
    _backward(shape, weights, slopes, layers, by_hidden, windows.inputs)
    by_gates = layers[0].gates.sum(axis=1)  # (b, g): what is the same at all steps
    slopes["bias0"][:] = by_gates.sum(axis=0)
    slopes["static0"][:] = by_gates.T @ static
    by_static = by_gates @ weights["static0"]
    for place in range(len(shape.cardinality)):
        own = slopes[f"embedding{place}"]
        own[:] = 0
        first = 1 + place * shape.embedding
        np.add.at(own, categories[:, place], by_static[:, first : first + shape.embedding])
    return loss, float(windows.observed.sum())


def _static(shape: Shape, weights: Mapping[str, Array], scales: Array, categories: NDArray[np.int32]) -> Array:
    """What is the same at all steps of a window (b, s): its standardized scale, and the embeddings of its series."""
    parts = [scales[:, None]]
    parts += [weights[f"embedding{place}"][categories[:, place]] for place in range(len(shape.cardinality))]
    return np.concatenate(parts, 1)


def _forward(gates: Array, state: Array, keys: NDArray[np.uint64], rate: float) -> _Layer:
    b, t, g = gates.shape
    hidden, cells = np.empty((b, t + 1, g // 4), np.float32), np.empty((b, t + 1, g // 4), np.float32)
    hidden[:, 0], cells[:, 0] = 0, 0
    zoneout = DRAWN if rate else NEVER
    recurrence.forward_(gates, state.T, hidden, cells, keys, rate, zoneout)
    return _Layer(gates=gates, hidden=hidden, cells=cells, keys=keys, zoneout=zoneout, rate=rate)


def _backward(
    shape: Shape,
    weights: Mapping[str, Array],
    slopes: Mapping[str, Array],
    layers: Sequence[_Layer],
    by_hidden: Array,
    inputs: Array,
) -> None:
    """From the last layer to the first; the gates of each become the gradient by them."""
    for number in range(shape.layers - 1, -1, -1):
        own = layers[number]
        recurrence.backward_(
            own.gates, weights[f"state{number}"], own.cells, by_hidden, own.keys, own.rate, own.zoneout
        )
        slopes[f"state{number}"][:] = outer(own.hidden, own.gates, 0)
        if number:
            slopes[f"inputs{number}"][:] = outer(layers[number - 1].hidden, own.gates, 1)
            slopes[f"bias{number}"][:] = own.gates.sum(axis=(0, 1))
            nothing = np.zeros((1, shape.cells), np.float32)
            by_hidden = products(own.gates, weights[f"inputs{number}"], nothing, 0, own.gates.shape[1])
        else:
            slopes["inputs0"][:] = outer(inputs, own.gates, 0)
