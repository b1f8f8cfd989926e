"""Constraints on features in the ways that users write them: by position, by number, or by the library's names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from algoport.algorithms.contract import dialects

AUTO = "auto"  # what some clients send for no constraint
# Of a feature that is named by its number; a list of as many directions must be made for it.
HIGHEST = 1_000_000
_NAME = re.compile(r"f(\d{1,7})", re.ASCII)


def plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with both constraints as lists of numbers where they can be read so."""
    forms = {"monotone_constraints": _directions, "interaction_constraints": _groups}
    words = dict(given)
    for name, form in forms.items():
        value = words.get(name)
        if value is None:
            continue
        if isinstance(value, str) and dialects.bare(value).lower() == AUTO:
            del words[name]
            continue
        try:
            words[name] = form(value)
        except (ValueError, TypeError):
            continue  # as it is, to be refused in the words of the setting
    return words


def _directions(value: Any) -> Any:
    """{"1": -1} and {"f1": -1} as (0, -1); a list stays as it is."""
    by_feature = dialects.mapping(value)
    if by_feature is None:
        return value
    ways = {_feature(name): dialects.integer(way) for name, way in by_feature.items()}
    return tuple(ways.get(number, 0) for number in range(max(ways, default=-1) + 1))


def _groups(value: Any) -> Any:
    """[["f0", "f2"], ["1"]] as ((0, 2), (1,))."""
    return tuple(tuple(_feature(name) for name in _members(one)) for one in dialects.items(value))


def _members(one: Any) -> tuple[Any, ...]:
    if not isinstance(one, list | tuple | set):
        raise ValueError
    return dialects.items(one)


def _feature(name: Any) -> int:
    """The number of a feature: 1, "1", or "f1", as the library calls it."""
    match = _NAME.fullmatch(name.strip()) if isinstance(name, str) else None
    number = int(match[1]) if match else dialects.integer(name)
    if not 0 <= number <= HIGHEST:
        raise ValueError
    return number
