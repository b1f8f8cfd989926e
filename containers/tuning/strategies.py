"""From what is known to the next values: a pure function of space, history, seed and number.

Nothing is remembered between two calls, so that whoever is killed and started again draws what would have been drawn.
Optuna's samplers are asked with a study that is made of the history each time; nothing of it is stored.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from algoport.algorithms.contract.errors import UserError
from algoport.containers.tuning.space import Range, Value, combination, point

Strategy = Literal["Bayesian", "Random", "Grid", "Hyperband"]
Goal = Literal["Minimize", "Maximize"]
MOST_EXACT = 200  # finished jobs up to which a Gaussian process is asked: its costs grow with their third power
_FIRST = 10  # jobs whose values fill the space evenly, before there is enough to learn from
_TRIES = 20  # draws until one is new


@dataclass(frozen=True)
class Trial:
    """A job of the search, as far as it is known."""

    values: Mapping[str, Value]
    objective: float | None = None  # None: it runs, or has none
    running: bool = False


def suggest(
    space: Sequence[Range], history: Sequence[Trial], *, strategy: Strategy, goal: Goal, seed: int, number: int
) -> dict[str, Value]:
    """The values of the n-th job, from 0. Finished jobs without an objective count as bad as the worst."""
    if strategy == "Grid":
        return combination(space, number)
    if strategy in ("Random", "Hyperband"):
        return drawn(space, seed, number)
    known = _judged(history, goal)
    if sum(trial.objective is not None for trial in known) < _FIRST:
        return _even(space, seed, number)
    return _modelled(space, known, goal, seed, number)


def drawn(space: Sequence[Range], seed: int, number: int) -> dict[str, Value]:
    """Uniform on the chosen scales, whatever came before."""
    generator = random.Random(f"tuning {seed} {number}")
    return point(space, [generator.random() for _ in space])


def _even(space: Sequence[Range], seed: int, number: int) -> dict[str, Value]:
    """The n-th point of a scrambled Sobol sequence."""
    import numpy as np
    from scipy.stats import qmc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that 1, 2, 3, … points are no power of two
        sequence = qmc.Sobol(len(space), rng=np.random.default_rng(seed))
        return point(space, sequence.random(number + 1)[number])


def _judged(history: Sequence[Trial], goal: Goal) -> list[Trial]:
    values = [trial.objective for trial in history if trial.objective is not None]
    if not values:
        return [trial for trial in history if trial.running]
    worst = max(values) if goal == "Minimize" else min(values)
    return [
        trial if trial.running or trial.objective is not None else Trial(trial.values, objective=worst)
        for trial in history
    ]


def _modelled(space: Sequence[Range], history: Sequence[Trial], goal: Goal, seed: int, number: int) -> dict[str, Value]:
    """By a Gaussian process (Matérn-5/2, a length for each range, logarithmic expected improvement that considers what
    runs), beyond `MOST_EXACT` by a multivariate tree-structured Parzen estimator."""
    optuna = _optuna()
    distributions = {one.name: _distribution(optuna, one) for one in space}
    states = optuna.trial.TrialState
    trials = [
        optuna.trial.create_trial(
            state=states.RUNNING if trial.running else states.COMPLETE,
            params={one.name: _inward(one, trial.values[one.name]) for one in space},
            distributions=distributions,
            value=None if trial.running else trial.objective,
        )
        for trial in history
    ]
    key = random.Random(f"model {seed} {number}").getrandbits(31)
    finished = sum(not trial.running for trial in history)
    exact = finished <= MOST_EXACT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = (
            optuna.samplers.GPSampler(seed=key, n_startup_trials=0)
            if exact
            else optuna.samplers.TPESampler(seed=key, n_startup_trials=0, multivariate=True, constant_liar=True)
        )
        study = optuna.create_study(sampler=sampler, direction=goal.lower())
        study.add_trials(trials)
        suggested = study.ask(distributions).params
    values = {one.name: _outward(one, suggested[one.name]) for one in space}
    seen = [trial.values for trial in history]
    # What was tried already teaches little: jobs are the same for the same values.
    for attempt in range(_TRIES):
        if values not in seen:
            break
        values = drawn(space, key, attempt)
    return values


def warm_up() -> None:
    """Load what suggestions need, so that the first one does not wait for it. They are computed on one thread: their
    matrices are small (0.13 s at 200 jobs, as on two threads), and jobs need the other cores."""
    import torch

    torch.set_num_threads(1)
    space = [Range(name="x", kind="Continuous", low=0.0, high=1.0)]
    trials = [Trial({"x": number / _FIRST}, float(number)) for number in range(_FIRST)]
    suggest(space, trials, strategy="Bayesian", goal="Minimize", seed=0, number=_FIRST)


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise UserError("Bayesian tuning needs optuna: pip install 'algoport[control]'.") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _distribution(optuna: Any, one: Range) -> Any:
    """Continuous ranges on their scale from 0 to 1, integers as such."""
    kinds = optuna.distributions
    if one.kind == "Categorical":
        return kinds.CategoricalDistribution(one.values)
    if one.kind == "Integer":
        return kinds.IntDistribution(int(one.low), int(one.high), log=one.resolved == "Logarithmic")
    return kinds.FloatDistribution(0.0, 1.0)


def _inward(one: Range, value: Value) -> Value:
    return min(max(one.share(value), 0.0), 1.0) if one.kind == "Continuous" else value


def _outward(one: Range, value: Any) -> Value:
    if one.kind == "Continuous":
        return one.value(float(value))
    return int(value) if one.kind == "Integer" else str(value)


def best(history: Sequence[Trial], goal: Goal) -> Trial | None:
    """The finished trial with the best objective, the first of several."""
    finished = [trial for trial in history if trial.objective is not None and not trial.running]
    sign = 1 if goal == "Minimize" else -1
    return min(finished, key=lambda trial: sign * (trial.objective or 0.0), default=None)


def is_number(value: float | None) -> bool:
    """Whether a job's figure is one that can be compared."""
    return value is not None and math.isfinite(value)
