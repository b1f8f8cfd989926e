"""Forecasts by sampling, without torch.    n series   s paths   t steps of the horizon   h cells"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.forecasting_deepar.kernels.paths import paths as drawn
from algoport.algorithms.forecasting_deepar.plan import Plan
from algoport.algorithms.forecasting_deepar.series import Series
from algoport.algorithms.forecasting_deepar.shapes import NUMBERS
from algoport.algorithms.shared.neural.kernels import recurrence
from algoport.algorithms.shared.neural.kernels.products import products

Weights = Mapping[str, NDArray[np.float32]]
# Numbers that the windows and paths of the series forecast together may fill.
ROOM = 1 << 23


def forecasts(plan: Plan, weights: Weights, series: Series, paths: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Ranges of the series, and their paths (n, s, t) over the horizon that follows the last point."""
    a_series = (plan.context_length + plan.prediction_length) * (plan.shape.inputs + 6 * plan.num_cells)
    together = max(1, ROOM // (a_series + paths * plan.prediction_length))
    for first in range(0, len(series), together):
        chosen = slice(first, min(first + together, len(series)))
        yield chosen, _paths(plan, weights, series.part(chosen), paths)


def _paths(plan: Plan, weights: Weights, series: Series, paths: int) -> NDArray[np.float32]:
    """The context is run through once for each series, and what is the same in all its paths is computed once."""
    n, context, horizon = len(series), plan.context_length, plan.prediction_length
    shape = plan.shape
    windows = plan.windows(series, plan.calendar(series), np.arange(n), series.lengths)
    fixed = _static_gates(plan, weights, series, windows.scales)
    gates = products(windows.inputs, weights["inputs0"].T, fixed, 0, context + horizon)
    hidden, cells = (
        np.empty((n, shape.layers, shape.cells), np.float32),
        np.empty((n, shape.layers, shape.cells), np.float32),
    )
    below = np.ascontiguousarray(gates[:, :context])
    for layer in range(shape.layers):
        states, cells[:, layer] = _run(below, weights[f"state{layer}"], plan.dropout_rate)
        hidden[:, layer] = states[:, -1]
        if layer + 1 < shape.layers:
            below = products(states, weights[f"inputs{layer + 1}"].T, weights[f"bias{layer + 1}"][None], 1, context)
    lags = len(plan.lags)
    skip = weights["skip"] if shape.lags else np.zeros(lags, np.float32)
    return drawn(
        gates[:, context:],
        weights["inputs0"][:, :lags].T,
        plan.lags,
        weights["state0"].T,
        _upper(weights, shape.layers, shape.cells),
        _biases(weights, shape.layers, shape.cells),
        weights["head"],
        weights["head_bias"],
        windows.inputs[:, context:, :lags] @ skip,
        skip,
        hidden,
        cells,
        windows.scales,
        plan.center,
        series.keys,
        plan.dropout_rate,
        NUMBERS[plan.likelihood],
        paths,
    )


def _static_gates(plan: Plan, weights: Weights, series: Series, scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """What scale and categories give to the first layer's gates (n, 4h) at every step."""
    static = [plan.standard_scales(scales)[:, None]]
    static += [weights[f"embedding{place}"][series.categories[:, place]] for place in range(len(plan.cardinality))]
    return np.asarray(np.concatenate(static, 1) @ weights["static0"].T + weights["bias0"], np.float32)


def _run(
    gates: NDArray[np.float32], state: NDArray[np.float32], rate: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Hidden states (n, t + 1, h) of a layer, the first of them its start, and its last cells (n, h)."""
    n, t, g = gates.shape
    hidden, cells = np.zeros((n, t + 1, g // 4), np.float32), np.zeros((n, t + 1, g // 4), np.float32)
    zoneout = recurrence.EXPECTED if rate else recurrence.NEVER
    recurrence.forward_(gates, state.T, hidden, cells, np.zeros(n, np.uint64), rate, zoneout)
    return hidden, cells[:, -1]


def _upper(weights: Weights, layers: int, h: int) -> NDArray[np.float32]:
    """Weights (layers - 1, 2h, 4h) from the layer below and from the own state."""
    both = [np.concatenate([weights[f"inputs{y}"].T, weights[f"state{y}"].T]) for y in range(1, layers)]
    return np.array(both, np.float32).reshape(-1, 2 * h, 4 * h)


def _biases(weights: Weights, layers: int, h: int) -> NDArray[np.float32]:
    """Biases (layers - 1, 4h) of all layers but the first."""
    return np.array([weights[f"bias{y}"] for y in range(1, layers)], np.float32).reshape(-1, 4 * h)
