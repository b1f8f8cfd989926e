"""The lines of the log, as the original has them, and the picture of the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter
from algoport.algorithms.object2vec.gradients import Losses
from algoport.algorithms.object2vec.hyperparameters import SOFTMAX
from algoport.algorithms.object2vec.state import Tally


def figures(losses: Losses) -> NDArray[np.float64]:
    """The sums of a tally over some pairs."""
    return np.array([losses.losses.sum(), losses.right.sum(), len(losses.losses)], np.float64)


def report(reporter: Reporter, channel: str, output_layer: str, tally: Tally, epoch: int | None = None) -> None:
    """The figures of a channel."""
    if output_layer == SOFTMAX:
        values = {f"{channel}:cross_entropy": tally.mean, f"{channel}:accuracy": tally.accuracy}
    else:
        values = {f"{channel}:mean_squared_error": tally.mean}
    reporter.report(values, epoch=epoch)


def save_curves(reporter: Reporter, losses: Mapping[str, Sequence[tuple[float, float]]], *, stopping: bool) -> None:
    """A picture of the losses of several epochs, unless there is no time for it."""
    if not stopping and any(len(points) > 1 for points in losses.values()):
        from algoport.algorithms.shared.neural.curves import curves

        reporter.keep("loss.png", curves({"loss of a pair": losses}))
