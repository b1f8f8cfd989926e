"""The gradient by hand against the one that torch finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from algoport.algorithms.forecasting_deepar import gradients, network
from algoport.algorithms.forecasting_deepar.frequency import Frequency
from algoport.algorithms.forecasting_deepar.hyperparameters import BETA, LIKELIHOODS, LOCATED, NEGATIVE_BINOMIAL
from algoport.algorithms.forecasting_deepar.plan import Plan, Windows
from algoport.algorithms.forecasting_deepar.shapes import initial_weights, views
from algoport.algorithms.shared.neural.kernels import recurrence

SCALES = {"center": 1.0, "scale_mean": 1.5, "scale_spread": 1.2}


def plan(**more: Any) -> Plan:
    given = {
        "time_freq": "D",
        "context_length": 5,
        "prediction_length": 4,
        "likelihood": "student-T",
        "dropout_rate": 0.0,
        "num_cells": 9,
        "num_layers": 2,
        "embedding_dimension": 3,
        "cardinality": (4, 2),
        "num_dynamic_feat": 1,
        "level": 7.0,
        "standards": np.array([[0], [1]], np.float32),
    }
    return Plan(**{**given, **more})


def batch(plan: Plan, windows: int, seed: int = 0) -> tuple[Windows, NDArray[np.int32], NDArray[np.uint64]]:
    random = np.random.default_rng(seed)
    steps = plan.context_length + plan.prediction_length
    targets = random.gamma(2, 4, (windows, steps))
    if plan.likelihood == BETA:
        targets /= targets.max()
    if plan.likelihood == NEGATIVE_BINOMIAL:
        targets = np.floor(targets)
    examples = Windows(
        inputs=random.normal(size=(windows, steps, plan.shape.inputs)).astype(np.float32),
        targets=targets.astype(np.float32),
        observed=(random.random((windows, steps)) > 0.2).astype(np.uint8),
        scales=np.float32(1) if plan.likelihood == BETA else random.uniform(2, 9, windows).astype(np.float32),
    )
    if plan.likelihood == BETA:
        examples = Windows(**{**vars(examples), "scales": np.ones(windows, np.float32)})
    categories = np.stack([random.integers(0, most, windows) for most in plan.cardinality], 1).astype(np.int32)
    return examples, categories, random.integers(0, 2**63, windows, np.uint64)


@pytest.mark.parametrize("windows", [1, 7, 8, 9, 33])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_the_gradient_by_hand_is_that_of_torch(likelihood: str, rate: float, windows: int) -> None:
    linear = likelihood in LOCATED and windows != 9
    own = plan(likelihood=likelihood, dropout_rate=rate, num_layers=3 if windows == 7 else 2, linear=linear, **SCALES)
    examples, categories, keys = batch(own, windows)
    flat = initial_weights(own.shape, [1])
    flat += np.random.default_rng(2).normal(0, 0.05, len(flat)).astype(np.float32)  # none is 0 or 1
    mine, theirs = np.empty_like(flat), np.empty_like(flat)

    loss, points = gradients.gradient_(own, flat, examples, categories, keys, mine)
    want, count = network.gradient_(own, flat, examples, categories, keys, theirs, "cpu")

    assert points == count == examples.observed.sum()
    # Near 1 float32 has few digits of the distance to it, on which the beta distribution lives.
    near = 1e-2 if likelihood == BETA else 0
    np.testing.assert_allclose(loss, want, rtol=1e-5, atol=near)
    for name, array in views(mine, own.shape).items():
        expected = views(theirs, own.shape)[name]
        np.testing.assert_allclose(array, expected, rtol=2e-3, atol=2e-4 * np.abs(expected).max(), err_msg=name)


def test_the_recurrence_is_that_of_torch() -> None:
    random = np.random.default_rng(0)
    lstm = torch.nn.LSTM(5, 6, batch_first=True)
    inputs = torch.from_numpy(random.normal(size=(11, 7, 5)).astype(np.float32))
    want, (_, cell) = lstm(inputs)
    own, state, one, two = (parameter.detach() for parameter in lstm.parameters())
    gates = (inputs @ own.T + one + two).numpy().copy()
    hidden, cells = np.zeros((11, 8, 6), np.float32), np.zeros((11, 8, 6), np.float32)

    recurrence.forward_(gates, state.numpy().T, hidden, cells, np.zeros(11, np.uint64), 0.0, 0)

    np.testing.assert_allclose(hidden[:, 1:], want.detach().numpy(), atol=2e-6)
    np.testing.assert_allclose(cells[:, -1], cell[0].detach().numpy(), atol=4e-6)


def test_the_share_of_units_that_keep_their_state_is_the_rate() -> None:
    hidden, cells = recurrence.zoneout_masks(np.arange(500, dtype=np.uint64), 3, 40, 0.25)

    assert abs(hidden.mean() - 0.25) < 0.02 and abs(cells.mean() - 0.25) < 0.02
    assert abs(np.corrcoef(hidden.ravel(), cells.ravel())[0, 1]) < 0.02


def test_frequencies_of_all_kinds_have_calendar_and_lags() -> None:
    for text in ("M", "3M", "W", "2W", "D", "7D", "H", "12H", "min", "15min", "7min"):
        assert Frequency(text).lags()[:7] == [1, 2, 3, 4, 5, 6, 7]
