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
from algoport.algorithms.forecasting_deepar import fields
from algoport.algorithms.forecasting_deepar.frequency import Frequency
from algoport.algorithms.forecasting_deepar.kernels.windows import carry_

MOST_NAMES = 64  # of fields that are not read, of which the log tells


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
    unread: dict[str, int] = field(default_factory=dict)  # how many records have each field that is not read
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
            except fields.Missing as fault:
                raise UserError(f"{objects.place(number)}: {fault}{_others(value)}.") from None
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
        value = self._named(value)
        target = fields.target(value, self.schema.likelihood)
        start = fields.start(value, self.schema.frequency, len(target))
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

    def _named(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record's fields by our names; counts those that are not read."""
        for name in value.keys() - fields.NAMES:
            if name not in fields.ALIASES:
                self._pass_over(name)
        return fields.renamed(value)

    def _pass_over(self, name: str) -> None:
        if name in self.unread or len(self.unread) < MOST_NAMES:
            self.unread[name] = self.unread.get(name, 0) + 1

    def _cat(self, value: Mapping[str, Any]) -> NDArray[np.int32]:
        asked = self.schema.categories
        given = value.get("cat")
        if asked == 0:
            if given is not None and np.size(given):
                self._pass_over("cat")
            return np.empty(0, np.int32)
        if given is None and not isinstance(asked, Sequence):
            return self._alike(np.empty(0, np.int32), "entries", "cat")
        entries = fields.categories(given)
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
        given = value.get("dynamic_feat")
        if asked == 0 and given is not None and len(given):
            self._pass_over("dynamic_feat")
        rows = fields.features(None if asked == 0 else given)
        expected = asked if asked is not None else self.dynamic
        if expected is not None and len(rows) != expected:
            if given is None:
                raise fields.Missing(f"dynamic_feat must have {expected} series of numbers; it is missing")
            raise ValueError(f"dynamic_feat must have {expected} series of numbers; it has {len(rows)}.")
        self.dynamic = len(rows)
        for row in rows:
            if not np.isfinite(row).all():
                raise ValueError(
                    "dynamic_feat must have no missing values, and none that is more than float32 can hold."
                )
            if len(row) < points + self.schema.ahead:
                ahead = f" and prediction_length ({self.schema.ahead})" if self.schema.ahead else ""
                raise ValueError(
                    f"dynamic_feat must be as long as target ({points}){ahead} together; it has {len(row)} numbers."
                )
        shortest = min(map(len, rows), default=0)
        return np.array([row[:shortest] for row in rows], np.float32)


def _others(value: Mapping[str, Any]) -> str:
    """What a record has in the place of a field that it must have."""
    names = sorted(map(str, value.keys() - fields.NAMES - fields.ALIASES.keys()))
    return f"; fields that are not read: {fields.listed(names)}" if names else ""


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
