"""What a record may hold, field by field: each a sentence where it is something else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.forecasting_deepar.frequency import YEARS, Frequency
from algoport.algorithms.forecasting_deepar.hyperparameters import BETA, NEGATIVE_BINOMIAL

NAMES = frozenset(("start", "target", "cat", "dynamic_feat"))
# What GluonTS calls them.
ALIASES = {"feat_static_cat": "cat", "feat_dynamic_real": "dynamic_feat"}
_SHOWN = 60  # characters of what is refused
_LISTED = 8  # names of a list


class Missing(ValueError):
    """A field that is required is not there; its sentence has no end yet."""


def renamed(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record with GluonTS's names made ours."""
    for theirs, own in ALIASES.items():
        if value.get(theirs) is not None:
            if value.get(own) is not None:
                raise ValueError(f"{own} must be given once; it is given again as {theirs}.")
            value = {**value, own: value[theirs]}
    return value


def listed(names: Sequence[str], counts: Mapping[str, int] | None = None) -> str:
    """Names, of which nothing is known, to stand in a line of the log; with the records that have each."""
    records = {name: f" (records: {counts[name]})" if counts else "" for name in names}
    shown = ", ".join(ascii(name[:_SHOWN]) + records[name] for name in names[:_LISTED])
    return shown + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def target(value: Mapping[str, Any], likelihood: str) -> NDArray[np.float32]:
    """The numbers of `target`; NaN where one is missing."""
    given = value.get("target")
    if given is None:
        raise Missing("target is required and must be a list of numbers")
    row = numbers(given, "target")
    if np.isinf(row).any():
        place = int(np.flatnonzero(np.isinf(row))[0])
        raise ValueError(
            'target must be finite numbers that float32 can hold, or missing: null or "NaN"; '
            f"target[{place}] is {_shown(given[place])}."
        )
    if likelihood == NEGATIVE_BINOMIAL and (row < 0).any():
        raise ValueError(f"target must not be negative where likelihood is {likelihood}; one is {np.nanmin(row):g}.")
    if likelihood == BETA and ((row < 0) | (row > 1)).any():
        outside = row[(row < 0) | (row > 1)][0]
        raise ValueError(f"target must be from 0 to 1 where likelihood is {likelihood}; one is {outside:g}.")
    return row


def start(value: Mapping[str, Any], frequency: Frequency, points: int) -> int:
    """The time of the first of so many points, in units of the frequency."""
    if value.get("start") is None:
        raise Missing("start is required and must be a time")
    first = frequency.time(value["start"])
    last, (least, end) = first + max(0, points - 1) * frequency.step, frequency.bounds
    if first < least or last >= end:
        raise ValueError(
            f"start and the points after it must lie in the years {YEARS[0]} to {YEARS[1]}; they lie from "
            f"{frequency.written(first)} to {frequency.written(last)}."
        )
    return first


def categories(given: Any) -> NDArray[np.int32]:
    """The whole numbers of `cat`, which may be one alone."""
    if given is None:
        raise Missing("cat is required, as in training")
    entries = given.tolist() if isinstance(given, np.ndarray) else given
    entries = entries if isinstance(entries, list | tuple) else [entries]
    if not all(map(_is_category, entries)):
        raise ValueError(f"cat must be a list of whole numbers from 0, one a category; it is {_shown(given)}.")
    return np.array(entries, np.int32)


def features(given: Any) -> list[NDArray[np.float32]]:
    """The series of numbers of `dynamic_feat`, of which there may be none."""
    if given is None:
        return []
    nested = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str | bytes)
    if not nested or not all(isinstance(row, Sequence | np.ndarray) and not isinstance(row, str) for row in given):
        raise ValueError(
            f"dynamic_feat must be a list of lists, one a feature, [[0, 1, 0], [3, 1, 2]]; it is {_shown(given)}."
        )
    return [numbers(row, f"dynamic_feat[{place}]") for place, row in enumerate(given)]


def numbers(given: Any, name: str) -> NDArray[np.float32]:
    """A row of numbers of its own; null and "NaN" are NaN, and what float32 cannot hold is infinite."""
    if isinstance(given, np.ndarray) and given.ndim == 1 and given.dtype.kind in "biuf":
        with np.errstate(over="ignore"):
            return given.astype(np.float32)
    if isinstance(given, str | bytes) or not isinstance(given, Sequence | np.ndarray):
        raise ValueError(f"{name} must be a list of numbers; it is {_shown(given)}.")
    if set(map(type, given)) != {float}:
        given = [_number(entry, name, place) for place, entry in enumerate(given)]
    with np.errstate(over="ignore"):
        return np.array(given, np.float32)


def _number(entry: Any, name: str, place: int) -> float:
    """One number of a list; no text, and neither true nor false, as everywhere in JSON."""
    if isinstance(entry, float | np.floating):
        return float(entry)
    if isinstance(entry, int | np.integer) and not isinstance(entry, bool):
        try:
            return float(entry)
        except OverflowError:
            return math.inf
    if entry is None or (isinstance(entry, str) and entry.strip().lower() == "nan"):
        return math.nan
    raise ValueError(
        f'{name} must be numbers, where a missing one is null or "NaN"; {name}[{place}] is {_shown(entry)}.'
    )


def _is_category(entry: Any) -> bool:
    number = isinstance(entry, int | float) and not isinstance(entry, bool)
    return number and 0 <= entry < 2**31 and entry == int(entry)


def _shown(given: Any) -> str:
    """What was given, as far as it fits into a sentence."""
    if isinstance(given, str):
        return f'"{given[:_SHOWN]}"'
    words = {None: "null", True: "true", False: "false"}
    if given is None or isinstance(given, bool):
        return words[given]
    if isinstance(given, np.ndarray | list | tuple):
        given = [entry if isinstance(entry, str | int | float | None) else "…" for entry in list(given)[:_SHOWN]]
    return str(given)[:_SHOWN]
