"""What training leaves: the plan and the weights of a network. Answers without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar import dataset
from algoport.algorithms.forecasting_deepar.forecasting import forecasts
from algoport.algorithms.forecasting_deepar.options import MEAN, QUANTILES, SAMPLES, Options
from algoport.algorithms.forecasting_deepar.plan import Plan
from algoport.algorithms.forecasting_deepar.series import Reader, Series
from algoport.algorithms.shared import artifact, log
from algoport.algorithms.shared.arrays import single

NAME = "forecasting-deepar"


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network that forecasts."""

    plan: Plan
    weights: Mapping[str, NDArray[np.float32]]
    width: None = None

    def predict(self, records: Objects, options: Options | None = None) -> Mapping[str, list[Any]]:
        """Mean, quantiles and paths over the horizon after the last point of each series, as the options ask.

        The draws come from what a series holds: the same series gets the same answer, whatever is beside it.
        """
        options = options or Options()
        levels = options.levels
        answers: dict[str, list[Any]] = {name: [] for name in (QUANTILES, SAMPLES, MEAN) if name in options.wanted}
        for _, paths in forecasts(self.plan, self.weights, self.series(records), options.num_samples):
            if QUANTILES in answers:
                values = quantiles(paths, list(levels.values()))
                answers[QUANTILES] += [dict(zip(levels, own, strict=True)) for own in values.swapaxes(0, 1)]
            if SAMPLES in answers:
                answers[SAMPLES] += list(paths)
            if MEAN in answers:
                answers[MEAN] += list(mean(paths))
        return answers

    def series(self, records: Objects) -> Series:
        """Records as series; `UserError` names one that does not fit the model."""
        reader = Reader(self.plan.schema(ahead=self.plan.prediction_length))
        reader.add(records)
        dataset.note_unread(reader, "a request", _note_once, counted=False)
        return reader.series()

    def sample(self) -> Objects:
        """A record as a server is asked about, to warm up with."""
        plan = self.plan
        points = plan.context_length + 1
        value: dict[str, Any] = {"start": "2020-01-01 00:00:00", "target": [0.5] * points}
        if plan.cardinality:
            value["cat"] = [int(seen[0]) for seen in plan.seen]
        if plan.num_dynamic_feat:
            value["dynamic_feat"] = [[0.0] * (points + plan.prediction_length)] * plan.num_dynamic_feat
        return Objects(values=[value])

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        artifact.save(folder, {**self.weights, **self.plan.arrays()}, {"algorithm": NAME, **self.plan.facts()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `UserError` where the files do not fit each other."""
        arrays, facts = artifact.load(artifact.find(folder), NAME)
        plan = Plan.read(facts, arrays)
        weights = {
            name: single(arrays, name, shape, f"{shape} finite numbers", file=artifact.ARRAYS)
            for name, shape in plan.shape.weights().items()
        }
        for place, (seen, cardinality) in enumerate(zip(plan.seen, plan.cardinality, strict=True)):
            if not len(seen) or not ((seen >= 0) & (seen < cardinality)).all():
                raise UserError(f"{artifact.ARRAYS}: 'seen{place}' must list categories below {cardinality}.")
        return cls(plan=plan, weights=weights)


@lru_cache(maxsize=256)
def _note_once(sentence: str) -> None:
    """Log what requests have that is not read; not again where the next ones have it, too."""
    log.note(sentence)


def mean(paths: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, t) of paths (n, s, t)."""
    return np.asarray(paths.mean(axis=1, dtype=np.float64))


def quantiles(paths: NDArray[np.float32], levels: list[float]) -> NDArray[np.float64]:
    """(q, n, t) of paths (n, s, t): between the two nearest paths in proportion."""
    if not levels:
        return np.empty((0, len(paths), paths.shape[2]))
    ordered = np.sort(paths, axis=1)
    places = np.array(levels) * (paths.shape[1] - 1)
    lower = np.floor(places).astype(np.int64)
    upper = np.minimum(lower + 1, paths.shape[1] - 1)
    share = (places - lower)[:, None, None]
    below, above = (ordered[:, place].swapaxes(0, 1).astype(np.float64) for place in (lower, upper))
    return np.asarray(below + share * (above - below))
