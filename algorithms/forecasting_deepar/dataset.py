"""From the records of a channel to series, and what all members must know of them before training.

n series   f dynamic features
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import Reporter, Source
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group, total
from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar import fields
from algoport.algorithms.forecasting_deepar.frequency import Frequency
from algoport.algorithms.forecasting_deepar.hyperparameters import AUTO, BETA, IGNORE, LOCATED, Hyperparameters
from algoport.algorithms.forecasting_deepar.kernels.windows import log_sizes, moments
from algoport.algorithms.forecasting_deepar.plan import Plan
from algoport.algorithms.forecasting_deepar.series import Reader, Schema, Series

FEWEST = 300  # observations in all series, as the original wants
# Records of a member's share of a block: objects take many times the memory of the numbers in them.
BLOCK = 512
_CHANNELS = {"Training": "train", "Test": "test"}


def blocks(channel: Source[Objects], group: Group) -> Iterator[Objects]:
    """My records of a channel, some at a time."""
    return channel.batches(BLOCK * group.size)


def training_schema(settings: Hyperparameters) -> Schema:
    """What records of the training channel must have."""
    cardinality, features = settings.asked_cardinality, settings.asked_features
    return Schema(
        frequency=Frequency(settings.time_freq),
        likelihood=settings.likelihood,
        categories=None if cardinality == AUTO else 0 if isinstance(cardinality, str) else cardinality,
        features=None if features == AUTO else 0 if isinstance(features, str) else features,
    )


def training_series(reader: Reader, settings: Hyperparameters, group: Group, reporter: Reporter) -> tuple[Series, Plan]:
    """The series that a reader took in, and the plan that all members agree on."""
    reader.entries = _alike(group, "cat", reader.entries)
    reader.dynamic = _alike(group, "dynamic_feat", reader.dynamic)
    series = reader.series()
    level = _describe("Training", reader, series, group, reporter)
    scale_mean, scale_spread = _scales(group, series, level)
    seen = category_values(group, series)
    cardinality = _cardinality(settings, seen, reporter)
    plan = Plan(
        time_freq=settings.time_freq,
        context_length=settings.context_length,
        prediction_length=settings.prediction_length,
        likelihood=settings.likelihood,
        dropout_rate=settings.dropout_rate,
        num_cells=settings.num_cells,
        num_layers=settings.num_layers,
        embedding_dimension=settings.embedding_dimension,
        cardinality=cardinality,
        num_dynamic_feat=reader.dynamic,
        level=level,
        center=0.0 if settings.likelihood == BETA else 1.0,
        scale_mean=scale_mean,
        scale_spread=scale_spread,
        linear=settings.likelihood in LOCATED,
        standards=_standards(group, series, reader.dynamic),
        # Who says how many categories there are will ask about those, too, that training has not seen.
        seen=seen if settings.asked_cardinality == AUTO else [np.arange(own, dtype=np.int32) for own in cardinality],
    )
    if settings.asked_features == AUTO:
        reporter.note(
            f"[num_dynamic_feat=auto] Inferred value of num_dynamic_feat={plan.num_dynamic_feat} from dataset."
        )
    return series, plan


def test_series(channel: Source[Objects], plan: Plan, group: Group, reporter: Reporter) -> Series:
    """The series of the test channel."""
    reader = Reader(plan.schema())
    for objects in blocks(channel, group):
        reader.add(objects)
    reader.entries, reader.dynamic = len(plan.cardinality), plan.num_dynamic_feat
    series = reader.series()
    _describe("Test", reader, series, group, reporter)
    return series


def numbers(group: Group, series: Series, horizon: int) -> tuple[int, NDArray[np.int64]]:
    """How many series of all members are long enough for the horizon, and which number each of mine has among them.

    -1 of those that are too short. The numbers follow the order of the records, however these are shared out.
    """
    long = series.lengths >= horizon
    slots = np.flatnonzero(long) * group.size + group.rank
    everyone = np.sort(np.concatenate(group.gather(slots)))
    mine = np.full(len(series), -1, np.int64)
    mine[long] = np.searchsorted(everyone, slots)
    return len(everyone), mine


def note_unread(reader: Reader, where: str, note: Callable[[str], None], *, counted: bool = True) -> None:
    """Say which fields were passed over, and of how many records."""
    counts = reader.unread if counted else None
    own = sorted(name for name in reader.unread if name in fields.NAMES)
    others = sorted(name for name in reader.unread if name not in fields.NAMES)
    if others:
        note(f"{where}: fields that are not read: {fields.listed(others, counts)}.")
    if own:
        user = "settings leave unused" if counted else "model does not use"
        note(f"{where}: fields that the {user}: {fields.listed(own, counts)}.")


def _alike(group: Group, name: str, mine: int | None) -> int:
    """The number that all members with records agree on."""
    counts = np.concatenate(group.gather(np.array([-1 if mine is None else mine], np.int64)))
    different = sorted(set(counts.tolist()) - {-1})
    if len(different) > 1:
        raise UserError(f"Channel 'train': {name} must have as many entries in all records; it has {different}.")
    return different[0] if different else 0


def _describe(name: str, reader: Reader, series: Series, group: Group, reporter: Reporter) -> float:
    """Report what there is in all members' series, and refuse to learn from too little; the mean size of a target."""
    seen = series.observed > 0
    sizes = _target_sums(series, seen)
    count, size, points, several, missing, broken = total(
        group, seen.sum(), sizes[0], len(series.values), len(series), reader.missing, not reader.whole
    )
    if name == "Training" and count < FEWEST:
        raise UserError(f"Channel 'train' must have at least {FEWEST} observations; it has {int(count)}.")
    if name == "Training" and size == 0:
        raise UserError("training time series consist of only zeros")
    ends = group.gather(np.array([sizes[1:]], np.float64))
    low, high = min(float(own[0, 1]) for own in ends), max(float(own[0, 2]) for own in ends)
    (whole,) = total(group, sizes[1])
    note_unread(reader, f"Channel '{_CHANNELS[name]}'", reporter.note)
    reporter.note(f"{name} set statistics:")
    reporter.note("Real time series" if broken else "Integer time series")
    reporter.note(f"number of time series: {int(several)}")
    reporter.note(f"number of observations: {int(count)}")
    reporter.note(f"mean target length: {points / max(several, 1)}")
    reporter.note(f"min/mean/max target: {low}/{whole / max(count, 1)}/{high}")
    reporter.note(f"mean abs(target): {size / max(count, 1)}")
    reporter.note(f"contains missing values: {'yes' if missing else 'no'}")
    return float(size / max(count, 1))


def _target_sums(series: Series, seen: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Sum of absolute values, sum, least and greatest of the observed targets, without a copy of all."""
    size, whole, low, high = 0.0, 0.0, np.inf, -np.inf
    for first in range(0, len(seen), 1 << 20):
        values = series.values[first : first + (1 << 20)][seen[first : first + (1 << 20)]]
        if len(values):
            size += float(np.abs(values).sum(dtype=np.float64))
            whole += float(values.sum(dtype=np.float64))
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return size, whole, low, high


def category_values(group: Group, series: Series) -> list[NDArray[np.int32]]:
    """The values of each entry of cat, of all members."""
    columns = [np.unique(column).astype(np.int32) for column in series.categories.T]
    return [np.unique(np.concatenate(group.gather(column))) for column in columns]


def _scales(group: Group, series: Series, level: float) -> tuple[float, float]:
    """Mean of the logarithms of the series' mean sizes, and their standard deviation, or 1 where it is less: what is
    nearly constant is not made to vary."""
    sizes = log_sizes(series)
    sizes = sizes[np.isfinite(sizes)] - math.log(level)
    count, first, second = total(group, len(sizes), sizes.sum(), (sizes**2).sum())
    mean = first / max(count, 1)
    return math.log(level) + mean, max(1.0, math.sqrt(max(second / max(count, 1) - mean**2, 0.0)))


def _cardinality(settings: Hyperparameters, seen: list[NDArray[np.int32]], reporter: Reporter) -> tuple[int, ...]:
    """The numbers of categories: as set, or as the data have them."""
    asked = settings.asked_cardinality
    if isinstance(asked, list):
        return tuple(asked)
    if asked == IGNORE:
        return ()
    cardinality = tuple(int(values.max(initial=0)) + 1 for values in seen)
    if cardinality:
        reporter.note("[cardinality=auto] `cat` field was found in the training data and will be used for training.")
    reporter.note(f"[cardinality=auto] Inferred value of cardinality={list(cardinality)} from dataset.")
    return cardinality


def _standards(group: Group, series: Series, count: int) -> NDArray[np.float32]:
    """Mean and inverse deviation (2, f) of the dynamic features of all members."""
    standards: Any = np.zeros((2, count))
    for _ in range(2):  # the second time about the mean, so that a large one does not drown the spread
        sums = moments(series, count, standards[0])
        group.sum_(sums)
        points = np.maximum(sums[0], 1)
        spread = np.sqrt(np.maximum(sums[2] / points - (sums[1] / points) ** 2, 0))
        standards[0] += sums[1] / points
    standards[1] = 1 / np.where(spread > 1e-30, spread, 1)
    return np.asarray(standards, np.float32)
