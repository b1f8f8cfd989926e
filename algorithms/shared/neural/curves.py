"""The page of curves that a job leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Points = Sequence[tuple[float, float]]


def curves(panels: Mapping[str, Mapping[str, Points]]) -> Any:
    """A figure for `job.reporter.keep`: of each panel, by its title, lines by name, of points (epoch, value)."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(4.5 * len(panels), 4), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for name, points in lines.items():
            axes.plot([epoch for epoch, _ in points], [value for _, value in points], ".-", label=name)
        axes.set_xlabel("epoch")
        axes.set_title(title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(lines) > 1:
            axes.legend()
    return figure
