"""Which model of which epoch is the best, with which threshold, and when there is no sense in going on.

n rows   d features   k outputs of a model   m models   c columns, the outputs of all models
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import share_of_batch
from algoport.algorithms.contract.group import Group
from algoport.algorithms.linear_learner import calibration
from algoport.algorithms.linear_learner.batch import Batch
from algoport.algorithms.linear_learner.hyperparameters import Hyperparameters
from algoport.algorithms.linear_learner.objective import Objective
from algoport.algorithms.linear_learner.scaling import Scaling

Singles = NDArray[np.float32]
Numbers = NDArray[np.float64]

# Rows whose thresholds are calibrated under auto: the original's number, within so many bytes of scores.
CALIBRATED, CALIBRATED_BYTES = 10_000_000, 1 << 26
# Standard errors of an accuracy within which the loss decides. Over six splits, with none: spambase .9258 of the test
# rows right and an area under the curve of .967, magic .793 and .834; with half: .928, .967, .793, .839; with one: no
# better. Logistic regression: .930, .972, .793, .841.
NOISE = 0.5


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the models are worth at the end of an epoch."""

    losses: Numbers  # (m,) mean objective
    values: Numbers  # (m,) of the criterion; the higher the better
    # Of the model of that number; an exchange, before the next judgement. What it returns takes time, whenever it is.
    threshold: Callable[[int], Callable[[], float]]
    noise: float  # by how much values differ by chance

    @classmethod
    def of_losses(cls, losses: Numbers, threshold: float) -> Judgement:
        """The lower the loss the better; all have the same threshold."""
        return cls(losses, np.where(np.isfinite(losses), -losses, -np.inf), lambda _: lambda: threshold, 0.0)


class Margins:
    """Margins (n, c) and labels (n,) of the rows seen so far. Every epoch uses the same memory again, as to get fresh
    memory takes longer than to fill it."""

    def __init__(self, columns: int) -> None:
        self._margins, self._positive = np.empty((0, columns), np.float32), np.empty(0, np.bool_)
        self._rows = 0

    def clear(self) -> None:
        """Forget all rows."""
        self._rows = 0

    def room(self, rows: int) -> Singles:
        """Where the margins of further rows go."""
        enough = self._rows + rows
        if enough > len(self._margins):
            margins, positive = self.all()
            size = max(enough, 2 * self._rows)
            self._margins, self._positive = np.empty((size, margins.shape[1]), np.float32), np.empty(size, np.bool_)
            self._margins[: self._rows], self._positive[: self._rows] = margins, positive
        return self._margins[self._rows : enough]

    def keep(self, targets: Singles) -> None:
        """Keep the first of the rows that came last, which have these targets."""
        begin, self._rows = self._rows, self._rows + len(targets)
        np.greater(targets, 0, out=self._positive[begin : self._rows])

    def all(self) -> tuple[Singles, NDArray[np.bool_]]:
        """Margins and labels."""
        return self._margins[: self._rows], self._positive[: self._rows]


@dataclass(frozen=True)
class Judge:
    """How models are judged."""

    settings: Hyperparameters
    scaling: Scaling
    objective: Objective
    positive: Numbers  # (m,) what a positive row weighs when losses are compared
    margin_store: Margins

    def evaluate(
        self,
        batches: Iterable[Batch],
        weights: Singles,
        bias: Singles,
        group: Group,
        over: Callable[[], bool] = lambda: False,
    ) -> Judgement | None:
        """Of models (d, c) and (c,), on the batches of all members; None where one of them was over before the end,
        or where there are no rows."""
        m = len(self.positive)
        losses, weight, room = np.zeros(m), 0.0, self._room(m, group)
        self.margin_store.clear()
        cut = False
        for batch in batches:
            cut = over()
            if cut:
                break
            margins = self.margin_store.room(len(batch))
            losses += batch.judged(self.scaling, self.objective, self.positive, weights, bias, margins)
            weight += float(batch.weights.sum(dtype=np.float64))
            if room > 0:
                self.margin_store.keep(batch.targets[:room])
                room -= min(room, len(batch))
        sums = np.array([*losses, weight, cut], np.float64)
        group.sum_(sums)
        if sums[-1] > 0 or sums[-2] <= 0:
            return None
        mean = sums[:m] / sums[m] * self.objective.unit
        if not self._calibrates:
            return Judgement.of_losses(mean, calibration.natural(self.settings))
        return self._calibrated(mean, group)

    def _calibrated(self, losses: Numbers, group: Group) -> Judgement:
        margins, positive = (_together(group.gather(own)) for own in self.margin_store.all())
        values = calibration.valued(margins, positive, self.settings)
        best = float(np.clip(values.max(), 0, 1))
        noise = 0.0
        if self.settings.criterion == "accuracy":
            noise = NOISE * math.sqrt(best * (1 - best) / max(len(margins), 1))

        def threshold(model: int) -> Callable[[], float]:
            own, labels = margins[:, model : model + 1].copy(), positive.copy()
            return lambda: float(calibration.calibrate(own, labels, self.settings)[1][0])

        return Judgement(losses, values, threshold, noise)

    @property
    def _calibrates(self) -> bool:
        settings = self.settings
        return settings.is_binary and settings.criterion != "loss_function"

    def _room(self, models: int, group: Group) -> int:
        """How many rows of this member are calibrated on."""
        if not self._calibrates:
            return 0
        return share_of_batch(calibrated_rows(self.settings, models), group.rank, group.size)


def _together(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One after another; one alone is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def calibrated_rows(settings: Hyperparameters, models: int) -> int:
    """How many rows of all members thresholds are calibrated on."""
    given = settings.num_calibration_samples
    return given if not isinstance(given, str) else min(CALIBRATED, CALIBRATED_BYTES // (4 * models))


@dataclass
class Selection:
    """The best so far. Its facts are plain numbers; its weights stand beside them."""

    value: float = -math.inf
    loss: float = math.inf
    highest: float = -math.inf  # of all values so far
    known: float = 0.0  # the threshold, once it was asked for
    epoch: int = -1
    model: int = 0
    watched: float | None = None  # the best of the figure that decides on going on; the higher the better
    waited: int = 0  # epochs since it was better
    weights: Singles = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (d, k)
    bias: Singles = field(default_factory=lambda: np.empty(0, np.float32))  # (k,)
    pending: Callable[[], float] | None = None  # finds the threshold: most of the best so far are soon bettered

    @property
    def threshold(self) -> float:
        """Of margins, of the best so far."""
        if self.pending is not None:
            self.known, self.pending = self.pending(), None
        return self.known

    def consider(self, judgement: Judgement, weights: Singles, bias: Singles, epoch: int) -> bool:
        """Take the best model of an epoch if it is better than the best so far; whether it was.

        Of models whose values cannot be told from the highest by chance, the one with the lowest loss is the best: of
        hundreds of models with about the same accuracy, the highest is the luckiest.
        """
        self.highest = max(self.highest, float(judgement.values.max()))
        enough = self.highest - judgement.noise
        fit = np.isfinite(judgement.losses) & (judgement.values >= enough)
        if not fit.any():
            return False
        number = int(np.argmin(np.where(fit, judgement.losses, np.inf)))
        if self.epoch >= 0 and self.value >= enough and self.loss <= judgement.losses[number]:
            return False
        k = len(bias) // len(judgement.losses)
        columns = slice(number * k, (number + 1) * k)
        self.weights, self.bias = weights[:, columns].copy(), bias[columns].copy()
        self.value, self.loss = float(judgement.values[number]), float(judgement.losses[number])
        self.pending, self.epoch, self.model = judgement.threshold(number), epoch, number
        return True

    def is_settled(self, figure: float, settings: Hyperparameters) -> bool:
        """Whether to end, after an epoch with this figure, the higher the better: whether it has been better by
        less than early_stopping_tolerance, as a share, for early_stopping_patience epochs."""
        before = self.watched
        if (
            before is None
            or not math.isfinite(before)
            or figure - before > settings.early_stopping_tolerance * abs(before)
        ):
            self.watched, self.waited = figure, 0
        else:
            self.waited += 1
        return self.waited >= settings.early_stopping_patience

    def facts(self) -> dict[str, Any]:
        """All but the weights, as JSON can hold it."""
        names = ("value", "loss", "highest", "epoch", "model", "watched", "waited")
        facts = {name: getattr(self, name) for name in names} | {"known": self.threshold}
        return {name: value if value is None or math.isfinite(value) else None for name, value in facts.items()}

    @classmethod
    def restore(cls, facts: Mapping[str, Any], weights: Singles, bias: Singles) -> Selection:
        """What `facts` said."""
        there = {name: value for name, value in facts.items() if value is not None}
        return cls(**there, weights=weights.copy(), bias=bias.copy())
