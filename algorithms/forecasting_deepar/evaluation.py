"""How far forecasts are from what came.    n series   t steps of the horizon   q quantiles"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter, Source
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar import dataset, figures
from algoport.algorithms.forecasting_deepar.forecasting import Weights, forecasts
from algoport.algorithms.forecasting_deepar.hyperparameters import Hyperparameters
from algoport.algorithms.forecasting_deepar.model import Model, mean, quantiles
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


def test(
    channel: Source[Objects],
    model: Model,
    settings: Hyperparameters,
    group: Group,
    reporter: Reporter,
    over: Callable[[], bool],
) -> None:
    """Report the metrics of the test channel; none where a stop leaves no time."""
    series = dataset.test_series(channel, model.plan, group, reporter)
    reporter.note(f"Evaluating model accuracy on testset using {settings.num_eval_samples} samples")
    scores = score(model.plan, model.weights, series, settings.num_eval_samples, settings.quantiles, group, over)
    if scores is None:
        reporter.note(
            "The test channel is not scored: it has no series with prediction_length observed points, or no time."
        )
        return
    values = {
        "RMSE": scores.rmse,
        "mean_absolute_QuantileLoss": float(scores.losses.mean()),
        "mean_wQuantileLoss": float(scores.weighted.mean()),
    }
    levels = zip(settings.quantiles, scores.weighted, strict=True)
    values |= {f"wQuantileLoss[{level}]": float(loss) for level, loss in levels}
    for name, value in values.items():
        reporter.note(f"#test_score ({reporter.host}, {name}): {value}")
    reporter.report({f"test:{name}": values[name] for name in ("RMSE", "mean_wQuantileLoss")})
    if not over():
        figures.keep_forecasts(reporter, model, series)


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
        for number, (level, forecast) in enumerate(zip(levels, quantiles(drawn, levels), strict=True)):
            error = came - forecast[seen]
            sums[4 + number] += 2 * np.maximum(level * error, (level - 1) * error).sum()
    sums[3] = cut
    group.sum_(sums)
    if sums[1] == 0 or sums[3]:
        return None
    return Scores(rmse=float(np.sqrt(sums[0] / sums[1])), losses=sums[4:], size=float(sums[2]))
