"""What the settings of a job mean together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.xgboost import links
from algoport.algorithms.xgboost.grow import GrowSettings
from algoport.algorithms.xgboost.hyperparameters import ETAS, LAMBDAS, STEPS, Hyperparameters
from algoport.algorithms.xgboost.metrics import Score
from algoport.algorithms.xgboost.objectives import Objective


@dataclass(frozen=True)
class Plan:
    """The settings, what they mean to objectives and trees, and with whom they are followed."""

    settings: Hyperparameters
    group: Group
    seed: tuple[int, ...]
    features: NDArray[np.int64] | None = field(default=None, compare=False)  # those of wide rows that are trained on

    @property
    def objective(self) -> Objective:
        """The loss."""
        s = self.settings
        return Objective(
            name=s.loss,
            num_class=s.num_class or 0 if s.loss in links.SOFTMAX else 0,
            scale_pos_weight=s.scale_pos_weight,
            tweedie_variance_power=s.tweedie_variance_power,
            max_delta_step=self.max_delta_step,
            quantile_alpha=tuple(float(alpha) for alpha in s.quantile_alpha),
            aft_loss_distribution=s.aft_loss_distribution or "normal",
            aft_loss_distribution_scale=1.0 if s.aft_loss_distribution_scale is None else s.aft_loss_distribution_scale,
        )

    @property
    def eta(self) -> float:
        """By what share of itself a step counts."""
        return ETAS[self._linear] if self.settings.eta is None else self.settings.eta

    @property
    def lambda_(self) -> float:
        """The L2 term."""
        return LAMBDAS[self._linear] if self.settings.lambda_ is None else self.settings.lambda_

    @property
    def max_delta_step(self) -> float:
        """The largest step of a leaf; 0: no limit."""
        usual = STEPS[self.settings.loss == "count:poisson"]
        return usual if self.settings.max_delta_step is None else self.settings.max_delta_step

    @property
    def growth(self) -> GrowSettings:
        """What shapes one tree."""
        s = self.settings
        return GrowSettings(
            eta=self.eta / s.num_parallel_tree,
            gamma=s.gamma,
            lambda_=self.lambda_,
            alpha=s.alpha,
            max_depth=s.max_depth,
            max_leaves=s.max_leaves,
            grow_policy=s.grow_policy,
            min_child_weight=s.min_child_weight,
            max_delta_step=self.max_delta_step,
            colsample_bytree=s.colsample_bytree,
            colsample_bylevel=s.colsample_bylevel,
            colsample_bynode=s.colsample_bynode,
            monotone=self._monotone,
            interactions=self._interactions,
        )

    @property
    def _monotone(self) -> tuple[int, ...]:
        ways = tuple(int(way) for way in self.settings.monotone_constraints)
        if self.features is None or not ways:
            return ways
        few = self.features[: np.searchsorted(self.features, len(ways))]
        return tuple(ways[feature] for feature in few)

    @property
    def _interactions(self) -> tuple[tuple[int, ...], ...]:
        sets = tuple(tuple(int(f) for f in one) for one in self.settings.interaction_constraints)
        if self.features is None or not sets:
            return sets
        places = [np.flatnonzero(np.isin(self.features, one)) for one in sets]
        return tuple(tuple(place.tolist()) for place in places)

    @property
    def scores(self) -> list[Score]:
        """What is measured after every round, the one that a tuner looks for last."""
        s = self.settings
        asked = [str(written) for written in s.eval_metric]
        asked += [s.tuned] if s.tuned and s.tuned not in asked else []
        return [Score.named(written) for written in asked or [self.objective.default_metric]]

    @property
    def watched(self) -> Score | None:
        """The metric by which training ends early; None where none was asked for."""
        s = self.settings
        if s.early_stopping_rounds is None or not (s.eval_metric or s.tuned):
            return None
        return Score.named(s.tuned or str(s.eval_metric[-1]))

    def key(self, *what: int) -> tuple[int, ...]:
        """What draws depend on: the seed, and what they are for."""
        return (*self.seed, *what)

    @property
    def _linear(self) -> bool:
        return self.settings.booster == "gblinear"
