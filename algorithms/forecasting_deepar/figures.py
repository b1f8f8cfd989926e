"""Figures of a job: its loss, and forecasts beside what came."""

from __future__ import annotations

from typing import Any

import numpy as np

from algoport.algorithms.contract import Reporter
from algoport.algorithms.forecasting_deepar.forecasting import forecasts
from algoport.algorithms.forecasting_deepar.model import Model, quantiles
from algoport.algorithms.forecasting_deepar.series import Series
from algoport.algorithms.shared.neural.curves import curves

SHOWN, PATHS = 8, 200  # series on the page, and paths of each
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)


def keep_curve(reporter: Reporter, curve: list[float]) -> None:
    """The loss of each epoch."""
    reporter.keep("loss.png", curves({"negative log-likelihood of a point": {"train": list(enumerate(curve))}}))


def keep_forecasts(reporter: Reporter, model: Model, series: Series) -> None:
    """Forecasts of the last points of some test series, with bands that half and nine tenths of the paths lie in."""
    horizon, context = model.plan.prediction_length, model.plan.context_length
    long = np.flatnonzero(series.lengths >= horizon)
    if not len(long):
        return
    shown = series.part(long[np.linspace(0, len(long) - 1, min(SHOWN, len(long))).astype(np.int64)])
    figure, panels = _figure(len(shown), "Forecasts of the test series: median, 50 % and 90 % of the paths")
    number = 0
    for _, paths in forecasts(model.plan, model.weights, shown.cut(horizon), PATHS):
        for bands in quantiles(paths, list(BANDS)).swapaxes(0, 1):
            _draw(panels[number], shown, number, bands, horizon, context)
            number += 1
    reporter.keep("forecasts.png", figure)


def _draw(axes: Any, series: Series, number: int, bands: Any, horizon: int, context: int) -> None:
    begin, stop = int(series.begins[number]), int(series.stops[number])
    first = max(begin, stop - horizon - max(context, 2 * horizon))
    values = np.where(series.observed[first:stop] > 0, series.values[first:stop], np.nan)
    steps, ahead = np.arange(first - begin, stop - begin), np.arange(stop - begin - horizon, stop - begin)
    axes.fill_between(ahead, bands[0], bands[4], color="#1f5fa8", alpha=0.2, linewidth=0)
    axes.fill_between(ahead, bands[1], bands[3], color="#1f5fa8", alpha=0.35, linewidth=0)
    axes.plot(ahead, bands[2], color="#1f5fa8")
    axes.plot(steps, values, color="#333333", linewidth=1)
    axes.set_title(f"series {number + 1}", fontsize=8)
    axes.tick_params(labelsize=7)


def _figure(panels: int, title: str) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    columns = 1 if panels == 1 else 2
    rows = -(-panels // columns)
    figure = Figure(figsize=(5 * columns, 1 + 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[panels:]:
        spare.set_visible(False)
    figure.suptitle(title, fontsize=10)
    return figure, axes[:panels]
