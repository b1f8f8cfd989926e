"""The next values are a function of the history, and better than random ones."""

from __future__ import annotations

import time

import numpy as np
import pytest

from algoport.containers.tuning.space import Range
from algoport.containers.tuning.strategies import Strategy, Trial, suggest

SPACE = (
    Range(name="x", kind="Continuous", low=0.001, high=1, scale="Logarithmic"),
    Range(name="k", kind="Integer", low=1, high=20),
    Range(name="c", kind="Categorical", values=("a", "b", "c")),
)


def loss(values: dict) -> float:
    return np.log(values["x"] / 0.03) ** 2 + (values["k"] - 7) ** 2 / 10 + "bca".index(values["c"])


def searched(strategy: Strategy, jobs: int, seed: int) -> list[Trial]:
    history: list[Trial] = []
    for number in range(jobs):
        values = suggest(SPACE, history, strategy=strategy, goal="Minimize", seed=seed, number=number)
        history.append(Trial(values, loss(values)))
    return history


def best(history: list[Trial]) -> float:
    return min(trial.objective for trial in history if trial.objective is not None)


def test_the_same_seed_draws_the_same_values() -> None:
    assert searched("Random", 5, 1) == searched("Random", 5, 1) != searched("Random", 5, 2)


def test_a_model_finds_better_values_than_chance_with_twice_the_jobs() -> None:
    pytest.importorskip("optuna")

    assert best(searched("Bayesian", 25, 0)) < best(searched("Random", 50, 0))


def test_a_suggestion_follows_from_the_history_alone() -> None:
    pytest.importorskip("optuna")
    history = [
        *searched("Random", 15, 3),
        Trial({"x": 0.1, "k": 3, "c": "a"}),
        Trial({"x": 0.2, "k": 4, "c": "b"}, None, True),
    ]

    asked = [suggest(SPACE, history, strategy="Bayesian", goal="Minimize", seed=5, number=17) for _ in range(2)]

    assert asked[0] == asked[1] and all(one.holds(asked[0][one.name]) for one in SPACE)


@pytest.mark.parametrize("jobs", [200, 260])
def test_many_finished_jobs_cost_no_more_than_a_moment(jobs: int) -> None:
    pytest.importorskip("optuna")
    history = searched("Random", jobs, 4)
    suggest(SPACE, history, strategy="Bayesian", goal="Minimize", seed=0, number=jobs)

    start = time.monotonic()
    suggest(SPACE, history, strategy="Bayesian", goal="Minimize", seed=0, number=jobs)

    assert time.monotonic() - start < 10  # one second on a quiet machine: benchmarks/tuning.py
