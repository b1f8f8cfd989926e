"""Sampled paths against the network in torch, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar import network
from algoport.algorithms.forecasting_deepar.forecasting import forecasts
from algoport.algorithms.forecasting_deepar.series import Reader, Series
from algoport.algorithms.forecasting_deepar.shapes import initial_weights, views
from tests.algorithms.forecasting_deepar.test_gradients import SCALES, plan


@pytest.mark.parametrize("linear", [False, True])
def test_a_path_is_what_the_network_says_of_the_steps_before_it(linear: bool) -> None:
    """Without noise, the network that is given a path as if it had been observed says the same path."""
    horizon, scales = 9, {**SCALES, "center": 1.0 if linear else 0.0}
    own = plan(likelihood="deterministic-L1", prediction_length=horizon, cardinality=(), linear=linear, **scales)
    flat = initial_weights(own.shape, [1], own.season)
    flat += np.random.default_rng(2).normal(0, 0.05, len(flat)).astype(np.float32)
    random = np.random.default_rng(0)
    targets = [random.gamma(2, 4, 40).tolist() for _ in range(3)]
    features = random.normal(size=49).tolist()
    values = [{"start": "2024-01-05", "target": target, "dynamic_feat": [features]} for target in targets]

    def series(values: list[dict[str, Any]]) -> Series:
        reader = Reader(own.schema())
        reader.add(Objects(values=values))
        return reader.series()

    ((_, paths),) = forecasts(own, views(flat, own.shape), series(values), 2)

    longer = [[*target, *path[0].tolist()] for target, path in zip(targets, paths, strict=True)]
    whole = series([{**values[0], "target": target} for target in longer])
    windows = own.windows(whole, own.calendar(whole), np.arange(3), np.full(3, 40))
    said = network.outputs(
        network.split(torch.from_numpy(flat), own.shape),
        own,
        torch.from_numpy(windows.inputs),
        torch.empty((3, 0), dtype=torch.int64),
        torch.from_numpy(windows.scales),
        np.zeros(3, np.uint64),
    )
    expected = said[:, -horizon:, 0].numpy() * windows.scales[:, None]
    np.testing.assert_allclose(paths[:, 0], expected, rtol=2e-4, atol=1e-4)
    np.testing.assert_array_equal(paths[:, 0], paths[:, 1])
