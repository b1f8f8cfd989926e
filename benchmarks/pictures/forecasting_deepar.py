"""A year of forecasts beside what came."""

import numpy as np

from benchmarks.forecasting_deepar import employment, our_paths, ours
from benchmarks.pictures import COLORS

SIZE = (7, 4)
SHOWN, BEFORE = (3, 40, 75, 120), 48
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)


def draw(figure):
    data = employment()
    paths = np.asarray(our_paths(data, ours(data, 0)))
    for axis, number in zip(figure.subplots(2, 2).flat, SHOWN, strict=True):
        target, ahead = data.series[number][1], np.arange(data.horizon)
        low, lower, middle, upper, high = np.quantile(paths[number], BANDS, axis=0)
        axis.fill_between(ahead, low, high, color=COLORS[0], alpha=0.2, linewidth=0, label="90 %")
        axis.fill_between(ahead, lower, upper, color=COLORS[0], alpha=0.35, linewidth=0, label="50 % of the paths")
        axis.plot(ahead, middle, color=COLORS[0], label="median")
        axis.plot(np.arange(-BEFORE, data.horizon), target[-BEFORE - data.horizon :], color="black", linewidth=0.8)
        axis.axvline(0, color="gray", linewidth=0.6)
        axis.tick_params(labelsize=7)
    figure.axes[0].legend(fontsize=7)
    figure.suptitle(
        "Employees of four of 147 American industries by month: a year of forecasts, and what came", fontsize=9
    )
