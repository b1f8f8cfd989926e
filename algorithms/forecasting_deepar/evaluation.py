"""How far forecasts are from what came.    n series   t steps of the horizon   q quantiles"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.group import Group
from algoport.algorithms.forecasting_deepar.forecasting import Weights, forecasts
from algoport.algorithms.forecasting_deepar.model import mean, quantiles
from algoport.algorithms.forecasting_deepar.plan import Plan
from algoport.algorithms.forecasting_deepar.series import Series


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Of all observed points of all horizons."""

    rmse: float  # of the mean forecast
    losses: NDArray[np.float64]  # (q,) twice the sum of the quantile losses
    size: float  # sum of the absolute values

    @property
    def weighted(self) -> NDArray[np.float64]:
        """(q,) losses as shares of the size; where all that came was 0, of one."""
        return self.losses / (self.size or 1.0)


def score(
    plan: Plan,
    weights: Weights,
    series: Series,
    paths: int,
    levels: list[float],
    group: Group,
    over: Callable[[], bool] = lambda: False,
) -> Scores | None:
    """Forecasts of the last `prediction_length` points of each series from those before, over all members.

    None where there is no such point, or where `over` said that there is no time.
    """
    horizon = plan.prediction_length
    long = series.part(series.lengths >= horizon)
    history = long.cut(horizon)
    sums, cut = np.zeros(4 + len(levels)), False
    for chosen, drawn in forecasts(plan, weights, history, paths):
        cut = cut or over()
        if cut:
            break
        own = long.part(chosen)
        places = (own.stops - horizon)[:, None] + np.arange(horizon)
        seen = own.observed[places] > 0
        came = own.values[places].astype(np.float64)[seen]
        sums[0] += ((mean(drawn)[seen] - came) ** 2).sum()
        sums[1] += len(came)
        sums[2] += np.abs(came).sum()
        for number, (level, told) in enumerate(zip(levels, quantiles(drawn, levels), strict=True)):
            error = came - told[seen]
            sums[4 + number] += 2 * np.maximum(level * error, (level - 1) * error).sum()
    sums[3] = cut
    group.sum_(sums)
    if sums[1] == 0 or sums[3]:
        return None
    return Scores(rmse=float(np.sqrt(sums[0] / sums[1])), losses=sums[4:], size=float(sums[2]))
