"""What is measured after every round, and when that ends training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.data import VALIDATION, Part
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.scores import ScoredChannel


@dataclass
class Best:
    """The best round so far, by the metric that is watched."""

    round: int = -1
    value: float = float("nan")
    since: int = 0  # rounds that were no better

    def update(self, number: int, value: float, *, maximized: bool) -> None:
        """Count one more round. One that is just as good is no better; NaN is never better."""
        better = self.round < 0 or (value > self.value if maximized else value < self.value)
        if better:
            self.round, self.value, self.since = number, value, 0
        else:
            self.since += 1

    def cut(self, booster: Booster) -> Booster:
        """The booster up to its best round, with that round and its figure as the library reports them."""
        if self.round < 0:
            return booster
        if booster.kind != "gblinear":
            booster = replace(booster, forest=booster.forest.first(self.round + 1))
        return booster.with_attributes(best_iteration=str(self.round), best_score=repr(self.value))


@dataclass
class Watch:
    """Measures the channels after each round, prints them, and remembers the best."""

    plan: Plan
    measured: Mapping[str, ScoredChannel]
    report: Callable[..., None]
    best: Best = field(default_factory=Best)
    values: dict[str, float] = field(default_factory=dict)  # the last ones, as they were printed

    @classmethod
    def of(cls, plan: Plan, parts: Mapping[str, Part], report: Callable[..., None]) -> Watch:
        """Some exchanges."""
        objective, scores = plan.objective, plan.scores
        measured = {name: ScoredChannel.of(objective, part.targets, plan.group, scores) for name, part in parts.items()}
        return cls(plan, measured, report)

    def measure(self, number: int, rounds: int, margins: Mapping[str, NDArray[np.float32]]) -> None:
        """Measure round `number` of this job, after which the booster has had so many rounds. Some exchanges."""
        scores = self.plan.scores
        self.values = {
            f"{channel}:{name}": value
            for channel, measured in self.measured.items()
            for name, value in measured.values(scores, margins[channel]).items()
        }
        self.report(self.values, epoch=number)
        watched = self.plan.watched
        if watched is not None and VALIDATION in self.measured:
            self.best.update(rounds - 1, self.values[f"{VALIDATION}:{watched.written}"], maximized=watched.maximized)

    @property
    def over(self) -> bool:
        """Whether the last rounds have brought nothing."""
        limit = self.plan.settings.early_stopping_rounds
        return limit is not None and self.best.round >= 0 and self.best.since >= limit

    def facts(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {"best_round": self.best.round, "best_value": repr(self.best.value), "since": self.best.since}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """What `facts` said, from a checkpoint."""
        self.best = Best(int(facts["best_round"]), float(facts["best_value"]), int(facts["since"]))
