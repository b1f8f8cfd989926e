"""What training has settled before its first step, and what a model remembers of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.forecasting_deepar import spellings
from algoport.algorithms.forecasting_deepar.frequency import Frequency
from algoport.algorithms.forecasting_deepar.hyperparameters import BETA, LIKELIHOODS, NEGATIVE_BINOMIAL
from algoport.algorithms.forecasting_deepar.kernels import windows as kernel
from algoport.algorithms.forecasting_deepar.series import Schema, Series
from algoport.algorithms.forecasting_deepar.shapes import OUTPUTS, Shape
from algoport.algorithms.shared.start import check_alike

# The largest of each size that a model may have: a damaged file must not ask for all memory there is.
_MOST = {"context_length": 10**6, "prediction_length": 10**6, "num_cells": 10**5, "num_layers": 1000}
_MOST_DAYS = 1 << 20  # of a window: a table holds the calendar of each
_MOST |= {"embedding_dimension": 10**5, "num_dynamic_feat": 10**5}
# The least of each real number.
_LEAST = {"level": 0.0, "dropout_rate": 0.0, "center": 0.0, "scale_mean": -1e3, "scale_spread": 1.0}


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """What the network is given of some windows, and what it is to predict.    b windows   t steps   d inputs"""

    inputs: NDArray[np.float32]  # (b, t, d)
    targets: NDArray[np.float32]  # (b, t)
    observed: NDArray[np.uint8]  # (b, t) 1 where there is a target
    scales: NDArray[np.float32]  # (b,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The settings that shape a network and its windows, and what was learned of the series on the whole."""

    time_freq: str
    context_length: int
    prediction_length: int
    likelihood: str
    dropout_rate: float
    num_cells: int
    num_layers: int
    embedding_dimension: int
    cardinality: tuple[int, ...]
    num_dynamic_feat: int
    level: float  # the usual scale
    center: float = 0.0  # what is taken from lagged targets, in units of the scale
    scale_mean: float = 0.0  # of the scales' logarithms
    scale_spread: float = 1.0  # their standard deviation, or 1 where it is less
    linear: bool = False  # whether lagged targets are part of the location beside what the network says
    standards: NDArray[np.float32]  # (2, f) mean and inverse deviation of dynamic features
    seen: list[NDArray[np.int32]] = field(default_factory=list)  # the categories that training has seen

    def __post_init__(self) -> None:
        """`UserError` where a window is longer than any calendar."""
        units = self.frequency.units_of_a_day
        days = (self.context_length + self.prediction_length) * self.frequency.step // units if units else 0
        if days > _MOST_DAYS:
            raise UserError(
                f"time_freq: context_length and prediction_length must span at most {_MOST_DAYS:,} days together; with "
                f"{self.time_freq} they span {days:,}."
            )

    @cached_property
    def frequency(self) -> Frequency:
        """Of the series."""
        return Frequency(self.time_freq)

    @cached_property
    def lags(self) -> NDArray[np.int64]:
        """How far back the network looks."""
        return np.array(self.frequency.lags(), np.int64)

    @property
    def season(self) -> int:
        """Which of the lags is that of a season."""
        lags = self.lags.tolist()
        season = self.frequency.season
        return lags.index(season) if season in lags else 0

    @property
    def shape(self) -> Shape:
        """Of the network."""
        return Shape(
            lags=len(self.lags) if self.linear else 0,
            inputs=len(self.lags) + 2 + self.frequency.calendar + self.num_dynamic_feat,
            cells=self.num_cells,
            layers=self.num_layers,
            outputs=OUTPUTS[self.likelihood],
            cardinality=self.cardinality,
            embedding=self.embedding_dimension,
        )

    def standard_scales(self, scales: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scales as the network sees them."""
        return (np.log(scales) - np.float32(self.scale_mean)) / np.float32(self.scale_spread)

    def schema(self, ahead: int = 0) -> Schema:
        """What records must have that the model is asked about."""
        return Schema(
            frequency=self.frequency,
            likelihood=self.likelihood,
            categories=self.cardinality or 0,
            features=self.num_dynamic_feat,
            ahead=ahead,
            seen=self.seen,
        )

    def calendar(self, series: Series) -> tuple[int, int, int, NDArray[np.float32], int]:
        """For the kernel: the calendar of all points of the series and of a context and a horizon around."""
        frequency, step = self.frequency, self.frequency.step
        first = int(series.starts.min(initial=2**62)) if len(series) else 0
        last = int((series.starts + series.lengths * step).max(initial=-(2**62))) if len(series) else 0
        days, begin = frequency.days(first - self.context_length * step, last + self.prediction_length * step)
        return frequency.calendar, step, frequency.units_of_a_day, days, begin

    def windows(
        self, series: Series, calendar: tuple[int, int, int, NDArray[np.float32], int], chosen: Any, ats: Any
    ) -> Windows:
        """Windows of the series `chosen`, whose horizons begin at the points `ats`."""
        scaling = {BETA: kernel.PLAIN, NEGATIVE_BINOMIAL: kernel.COUNTS}.get(self.likelihood, kernel.MEAN_SIZE)
        inputs, targets, observed, scales = kernel.windows(
            series,
            chosen,
            ats,
            self.context_length,
            self.prediction_length,
            self.lags,
            calendar,
            self.standards,
            scaling,
            self.level,
            self.center,
        )
        return Windows(inputs=inputs, targets=targets, observed=observed, scales=scales)

    def facts(self) -> dict[str, Any]:
        """All but the arrays, as JSON has it."""
        names = set(self.__dataclass_fields__) - {"standards", "seen", "cardinality"}
        return {**{name: getattr(self, name) for name in sorted(names)}, "cardinality": list(self.cardinality)}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays."""
        return {"standards": self.standards, **{f"seen{place}": own for place, own in enumerate(self.seen)}}

    @classmethod
    def read(cls, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Plan:
        """What `facts` and `arrays` describe; `UserError` where they do not fit.

        A model of an earlier release has lagged targets as they are, and the logarithm of a scale over the level.
        """
        facts = {**_earlier(facts), **facts}
        sizes: dict[str, Any] = {name: _whole(facts, name, most) for name, most in _MOST.items()}
        if not _is_frequency(facts.get("time_freq")):
            raise UserError(f"model.json: time_freq must be a frequency; it is {facts.get('time_freq')!r}.")
        if facts.get("likelihood") not in LIKELIHOODS:
            raise UserError(f"model.json: likelihood must be one of {', '.join(LIKELIHOODS)}.")
        cardinality = facts.get("cardinality")
        if not isinstance(cardinality, list) or not all(type(own) is int and 0 < own < 2**31 for own in cardinality):
            raise UserError("model.json: cardinality must be a list of whole numbers above 0.")
        reals: dict[str, Any] = {name: _real(facts, name, low) for name, low in _LEAST.items()}
        linear = facts["linear"]
        if not isinstance(linear, bool):
            raise UserError(f"model.json: linear must be true or false; it is {linear!r}.")
        standards = arrays.get("standards")
        fits = standards is not None and standards.shape == (2, sizes["num_dynamic_feat"])
        if standards is None or not fits or standards.dtype.kind != "f" or not np.isfinite(standards).all():
            raise UserError("model.safetensors: 'standards' must be two finite numbers for each dynamic feature.")
        seen = [arrays.get(f"seen{place}") for place in range(len(cardinality))]
        if any(own is None or own.ndim != 1 or own.dtype.kind != "i" for own in seen):
            raise UserError("model.safetensors: 'seen' must list the categories of each entry of cat.")
        return cls(
            **sizes,
            **reals,
            linear=linear,
            time_freq=facts["time_freq"],
            likelihood=facts["likelihood"],
            cardinality=tuple(cardinality),
            standards=np.ascontiguousarray(standards, np.float32),
            seen=[np.asarray(own, np.int32) for own in seen],
        )

    def continuing(self, other: Plan) -> Plan:
        """This plan, for incremental training from a model of the other: `UserError` where they do not fit."""
        alike = ("time_freq", "likelihood", "num_cells", "num_layers", "embedding_dimension", "num_dynamic_feat")
        faults: list[str] = []
        try:
            check_alike(**{name: (getattr(other, name), getattr(self, name)) for name in alike})
        except UserError as error:
            faults += error.findings
        fits = len(self.cardinality) == len(other.cardinality)
        if not fits or any(mine > theirs for mine, theirs in zip(self.cardinality, other.cardinality, strict=True)):
            faults.append(
                f"cardinality: must be within that of the model to start from, {list(other.cardinality)}; "
                f"it is {list(self.cardinality)}."
            )
        if faults:
            raise UserError(faults)
        seen = [np.union1d(mine, theirs) for mine, theirs in zip(self.seen, other.seen, strict=True)]
        given = ("cardinality", "level", "center", "scale_mean", "scale_spread", "linear", "standards")
        return replace(self, seen=seen, **{name: getattr(other, name) for name in given})


def _is_frequency(value: object) -> bool:
    try:
        return isinstance(value, str) and spellings.frequency(value) == value
    except ValueError:
        return False


def _earlier(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What holds where a model does not say so."""
    level = facts.get("level")
    mean = math.log(level) if isinstance(level, int | float) and 0 < level < math.inf else 0.0
    return {"center": 0.0, "scale_mean": mean, "scale_spread": 1.0, "linear": False}


def _real(facts: Mapping[str, Any], name: str, low: float) -> float:
    value = facts.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value < 1e38:
        raise UserError(f"model.json: {name} must be a number at least {low:g}; it is {value!r}.")
    return value


def _whole(facts: Mapping[str, Any], name: str, most: int) -> int:
    value = facts.get(name)
    least = 0 if name == "num_dynamic_feat" else 1
    if type(value) is not int or not least <= value <= most:
        raise UserError(f"model.json: {name} must be a whole number from {least} to {most}; it is {value!r}.")
    return value
