"""Series in compact arrays: all targets lie behind each other, and a window is a place among them.

n series   c categorical entries   f dynamic features   p all points
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar.frequency import YEARS, Frequency
from algoport.algorithms.forecasting_deepar.hyperparameters import BETA, NEGATIVE_BINOMIAL
from algoport.algorithms.forecasting_deepar.kernels.windows import carry_


@dataclass(frozen=True, eq=False, kw_only=True)
class Series:
    """Some series, ready for windows."""

    values: NDArray[np.float32]  # (p,) targets; one that is missing is the last before it
    observed: NDArray[np.uint8]  # (p,) 0 where the target is missing
    begins: NDArray[np.int64]  # (n,) where each series begins among the points
    stops: NDArray[np.int64]  # (n,) where it ends
    starts: NDArray[np.int64]  # (n,) time of the first point, in units of the frequency
    categories: NDArray[np.int32]  # (n, c)
    features: NDArray[np.float32]  # all dynamic features, of each series one after another
    feature_begins: NDArray[np.int64]  # (n,) where those of a series begin
    feature_lengths: NDArray[np.int64]  # (n,) points of each of them
    keys: NDArray[np.uint64]  # (n,) a hash of what a series holds, from which its draws come

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) points of each series."""
        return self.stops - self.begins

    def cut(self, points: int) -> Series:
        """The same series, in the same memory, without the last so many points."""
        return replace(self, stops=np.maximum(self.stops - points, self.begins))

    def part(self, chosen: slice | NDArray[Any]) -> Series:
        """Some of the series, in the same memory."""
        names = ("begins", "stops", "starts", "categories", "feature_begins", "feature_lengths", "keys")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


@dataclass(frozen=True, kw_only=True)
class Schema:
    """What each record has beside its target. `None`: anything, but in all records alike."""

    frequency: Frequency
    likelihood: str
    categories: Sequence[int] | int | None  # how many values each entry of cat has; 0: cat is not used
    features: int | None  # how many dynamic features; 0: they are not used
    ahead: int = 0  # points that dynamic features must reach beyond the target
    seen: Sequence[NDArray[np.int32]] | None = None  # the values of each entry of cat that training has seen


@dataclass
class Reader:
    """Takes records block by block and keeps their numbers."""

    schema: Schema
    missing: bool = False  # whether a target was missing
    whole: bool = True  # whether all targets are whole numbers
    entries: int | None = None  # of cat, in all records
    dynamic: int | None = None  # features, in all records
    _values: list[NDArray[np.float32]] = field(default_factory=list)
    _observed: list[NDArray[np.uint8]] = field(default_factory=list)
    _lengths: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _categories: list[NDArray[np.int32]] = field(default_factory=list)
    _features: list[NDArray[np.float32]] = field(default_factory=list)
    _feature_lengths: list[int] = field(default_factory=list)
    _keys: list[int] = field(default_factory=list)

    def add(self, objects: Objects) -> None:
        """Convert the records of a block; `UserError` names the record and what it must be."""
        targets = []
        for number, value in enumerate(objects.values):
            try:
                targets.append(self._add(value))
            except ValueError as fault:
                raise UserError(f"{objects.place(number)}: {fault}") from None
        if not targets:
            return
        values = np.concatenate(targets)
        observed = np.isfinite(values).view(np.uint8)
        self.missing |= not observed.all()
        self.whole &= bool((np.floor(values[observed > 0]) == values[observed > 0]).all())
        carry_(values, np.array([len(target) for target in targets], np.int64))
        self._values.append(values)
        self._observed.append(observed)

    def series(self) -> Series:
        """All that was added; the reader is empty then."""
        count, lengths = len(self._starts), np.array(self._lengths, np.int64)
        feature_lengths = np.array(self._feature_lengths, np.int64)
        stops, feature_stops = np.cumsum(lengths), np.cumsum(feature_lengths) * (self.dynamic or 0)
        return Series(
            values=_concatenate(self._values, np.float32),
            observed=_concatenate(self._observed, np.uint8),
            begins=stops - lengths,
            stops=stops,
            starts=np.array(self._starts, np.int64),
            categories=np.array(self._categories, np.int32).reshape(count, self.entries or 0),
            features=_concatenate(self._features, np.float32),
            feature_begins=feature_stops - feature_lengths * (self.dynamic or 0),
            feature_lengths=feature_lengths,
            keys=np.array(self._keys, np.uint64),
        )

    def _add(self, value: Mapping[str, Any]) -> NDArray[np.float32]:
        """Keep one record and hand out its target; ValueError says what is wrong with it."""
        target = _target(value, self.schema.likelihood)
        start = _start(value, self.schema.frequency, len(target))
        categories = self._cat(value)
        features = self._dynamic_feat(value, len(target))
        self._lengths.append(len(target))
        self._starts.append(start)
        self._categories.append(categories)
        self._feature_lengths.append(features.shape[1] if len(features) else 0)
        if features.size:
            self._features.append(features.ravel())
        self._keys.append(_key(target, start, categories, features))
        return target

    def _cat(self, value: Mapping[str, Any]) -> NDArray[np.int32]:
        asked = self.schema.categories
        if asked == 0:
            return np.empty(0, np.int32)
        given = value.get("cat")
        if given is None and not isinstance(asked, Sequence):
            return self._alike(np.empty(0, np.int32), "entries", "cat")
        entries = _categories(given)
        if isinstance(asked, Sequence):
            if len(entries) != len(asked):
                raise ValueError(f"cat must have {len(asked)} entries, as cardinality has; it has {len(entries)}.")
            for place, (category, cardinality) in enumerate(zip(entries.tolist(), asked, strict=True)):
                if category >= cardinality:
                    raise ValueError(f"cat[{place}] must be below its cardinality, {cardinality}; it is {category}.")
        for place, known in enumerate(self.schema.seen or ()):
            if not (known == entries[place]).any():
                raise ValueError(f"cat[{place}] must be a value that training has seen; it is {entries[place]}.")
        return self._alike(entries, "entries", "cat")

    def _alike(self, entries: NDArray[np.int32], name: str, shown: str) -> NDArray[np.int32]:
        before = getattr(self, name)
        if before is not None and before != len(entries):
            raise ValueError(
                f"{shown} must have as many entries as in the records before, {before}; it has {len(entries)}."
            )
        setattr(self, name, len(entries))
        return entries

    def _dynamic_feat(self, value: Mapping[str, Any], points: int) -> NDArray[np.float32]:
        asked = self.schema.features
        given = None if asked == 0 else value.get("dynamic_feat")
        if given is None:
            given = []
        rows = [_numbers(row, "dynamic_feat") for row in given]
        expected = asked if asked is not None else self.dynamic
        if expected is not None and len(rows) != expected:
            raise ValueError(f"dynamic_feat must have {expected} series of numbers; it has {len(rows)}.")
        self.dynamic = len(rows)
        for row in rows:
            if not np.isfinite(row).all():
                raise ValueError("dynamic_feat must have no missing or infinite values.")
            if len(row) < points + self.schema.ahead:
                ahead = f" and prediction_length ({self.schema.ahead})" if self.schema.ahead else ""
                raise ValueError(
                    f"dynamic_feat must be as long as target ({points}){ahead} together; it has {len(row)} numbers."
                )
        shortest = min(map(len, rows), default=0)
        return np.array([row[:shortest] for row in rows], np.float32)


def _target(value: Mapping[str, Any], likelihood: str) -> NDArray[np.float32]:
    given = value.get("target")
    if given is None:
        raise ValueError("target is required and must be a list of numbers.")
    target = _numbers(given, "target")
    if np.isinf(target).any():
        raise ValueError('target must be finite numbers that float32 can hold, or missing: null or "NaN".')
    if likelihood == NEGATIVE_BINOMIAL and (target < 0).any():
        raise ValueError(f"target must not be negative where likelihood is {likelihood}; one is {np.nanmin(target):g}.")
    if likelihood == BETA and ((target < 0) | (target > 1)).any():
        outside = target[(target < 0) | (target > 1)][0]
        raise ValueError(f"target must be from 0 to 1 where likelihood is {likelihood}; one is {outside:g}.")
    return target


def _numbers(given: Any, name: str) -> NDArray[np.float32]:
    """A row of numbers of its own; null and "NaN" are NaN."""
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray):
        raise ValueError(f"{name} must be a list of numbers.")
    try:
        with np.errstate(over="ignore"):
            row = np.array(given, np.float32)
    except (ValueError, TypeError, OverflowError):
        row = np.empty((0, 0), np.float32)
    if row.ndim != 1:
        raise ValueError(f'{name} must be numbers, where a missing one is null or "NaN".')
    return row


def _start(value: Mapping[str, Any], frequency: Frequency, points: int) -> int:
    given = value.get("start")
    if not isinstance(given, str):
        raise ValueError('start is required and must be a time, "YYYY-MM-DD HH:MM:SS".')
    try:
        start = frequency.time(given)
    except ValueError:
        raise ValueError(
            f'start must be a time without a time zone, "YYYY-MM-DD HH:MM:SS"; it is "{given[:40]}".'
        ) from None
    last, (first, end) = start + max(0, points - 1) * frequency.step, frequency.bounds
    if start < first or last >= end:
        raise ValueError(
            f"start and the points after it must lie in the years {YEARS[0]} to {YEARS[1]}; they lie from "
            f"{frequency.written(start)} to {frequency.written(last)}."
        )
    return start


def _categories(given: Any) -> NDArray[np.int32]:
    if given is None:
        raise ValueError("cat is required, as in training.")
    entries = given.tolist() if isinstance(given, np.ndarray) else given
    entries = entries if isinstance(entries, list | tuple) else [entries]
    whole = all(
        isinstance(entry, int | float) and not isinstance(entry, bool) and 0 <= entry < 2**31 and entry == int(entry)
        for entry in entries
    )
    if not whole:
        raise ValueError(f"cat must be a list of whole numbers from 0; it is {str(entries)[:60]}.")
    return np.array(entries, np.int32)


def _key(target: NDArray[np.float32], start: int, categories: NDArray[np.int32], features: NDArray[np.float32]) -> int:
    """Equal series have equal draws, whatever stands beside them."""
    digest = hashlib.blake2b(target.tobytes(), digest_size=8, key=start.to_bytes(8, "little", signed=True))
    digest.update(categories.tobytes())
    digest.update(features.tobytes())
    return int.from_bytes(digest.digest(), "little")


def _concatenate(parts: list[Any], kind: Any) -> NDArray[Any]:
    """One array of all parts, which are given back as they are copied: both never stand side by side in full."""
    whole = np.empty(sum(len(part) for part in parts), kind)
    parts.reverse()
    at = 0
    while parts:
        part = parts.pop()
        whole[at : at + len(part)] = part
        at += len(part)
    return whole
