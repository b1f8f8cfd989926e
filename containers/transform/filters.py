"""The JSONPath of InputFilter and OutputFilter: names, indices, slices, `*`, and several of them in one bracket."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from algoport.algorithms.contract.errors import UserError

MOST = 63  # characters, as the API allows

_NAME = re.compile(r"\.([^.\[\]'\"*,\s]+)")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_RANGE = re.compile(r"(-?\d+)?:(-?\d+)?")
_INDEX = re.compile(r"-?\d+")
FORMS = "$, .name, ['a','b'], [0], [-1], [1,3], [1:], [:2], [0:2,5:], [*] and .*"


class Mismatch(Exception):
    """A value has no such part."""


@dataclass(frozen=True)
class Names:
    """Members of an object."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Places:
    """Elements of an array: numbers count from 0, or from the end where they are negative."""

    places: tuple[int | slice, ...]

    @property
    def is_one(self) -> bool:
        """Whether that is one element, and not an array of several or of one."""
        return len(self.places) == 1 and isinstance(self.places[0], int)

    def of(self, values: Sequence[Any]) -> list[Any]:
        """Those elements, in the order asked for; a number beyond the end is a `Mismatch`, a slice ends there."""
        chosen: list[Any] = []
        for place in self.places:
            if isinstance(place, slice):
                chosen += values[place]
            elif -len(values) <= place < len(values):
                chosen.append(values[place])
            else:
                raise Mismatch(f"there is no [{place}], as there are {len(values)}")
        return chosen


ALL = Places((slice(None),))


@dataclass(frozen=True)
class Filter:
    """A path into a value."""

    text: str
    steps: tuple[Names | Places | None, ...]  # None: every member or element

    @property
    def is_all(self) -> bool:
        """Whether it takes everything as it is."""
        return not self.steps

    @property
    def columns(self) -> Places | None:
        """What it takes of a row of columns; None where that makes no sense."""
        if not self.steps:
            return ALL
        step = self.steps[0]
        if len(self.steps) > 1 or isinstance(step, Names):
            return None
        return ALL if step is None else step

    def of(self, value: Any) -> Any:
        """What it takes of a value. One part is itself; several are an array, members of one object an object."""
        values, several = [value], False
        for number, step in enumerate(self.steps):
            is_last = number + 1 == len(self.steps)
            if isinstance(step, Names) and len(step.names) > 1 and is_last:
                values = [{name: _member(one, name) for name in step.names} for one in values]
                continue
            values = [part for one in values for part in _parts(one, step)]
            several = several or not _is_definite(step)
        return values if several else values[0]


def _is_definite(step: Names | Places | None) -> bool:
    if isinstance(step, Names):
        return len(step.names) == 1
    return step is not None and step.is_one


def _parts(value: Any, step: Names | Places | None) -> list[Any]:
    if isinstance(step, Names):
        return [_member(value, name) for name in step.names]
    if step is None and isinstance(value, dict):
        return list(value.values())
    if not isinstance(value, list):
        raise Mismatch(f"there is no array where one is asked for, but {_kind(value)}")
    return list(value) if step is None else step.of(value)


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        raise Mismatch(f"there is no {name!r}, as there is no object, but {_kind(value)}")
    if name not in value:
        raise Mismatch(f"there is no {name!r}")
    return value[name]


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {
        dict: "an object",
        list: "an array",
        str: "a text",
        bool: "true or false",
        type(None): "null",
    }
    return kinds.get(type(value), "a number")


def parse(text: str, field: str) -> Filter:
    """The filter that a text says; `UserError` with the forms there are."""
    if len(text) > MOST:
        raise UserError(f"{field}: must have at most {MOST} characters; it has {len(text)}.")
    if not text.startswith("$"):
        raise UserError(f"{field}: must begin with $; it is {text!r}.")
    steps: list[Names | Places | None] = []
    at = 1
    while at < len(text):
        name = _NAME.match(text, at)
        if name:
            steps.append(Names((name[1],)))
            at = name.end()
        elif text.startswith(".*", at):
            steps.append(None)
            at += 2
        else:
            at += text.startswith(".[", at)
            step, at = _bracket(text, at, field)
            steps.append(step)
    return Filter(text, tuple(steps))


def _bracket(text: str, at: int, field: str) -> tuple[Names | Places | None, int]:
    """What stands between brackets, and where the path goes on."""
    fault = UserError(f"{field}: {text!r} is none of the paths there are here, which have {FORMS}.")
    if not text.startswith("[", at):
        raise fault
    names: list[str] = []
    places: list[int | slice] = []
    every = False
    at += 1
    while True:
        at = _blank(text, at)
        if match := _QUOTED.match(text, at):
            names.append(re.sub(r"\\(.)", r"\1", match[1] if match[1] is not None else match[2]))
        elif match := _RANGE.match(text, at):
            begin, end = (int(number) if number else None for number in match.groups())
            places.append(slice(begin, end))
        elif match := _INDEX.match(text, at):
            places.append(int(match[0]))
        elif match := re.compile(r"\*").match(text, at):
            every = True
        else:
            raise fault
        at = _blank(text, match.end())
        if text.startswith("]", at):
            break
        if not text.startswith(",", at):
            raise fault
        at += 1
    if bool(names) + bool(places) + every != 1:
        raise fault
    return (Names(tuple(names)) if names else Places(tuple(places)) if places else None), at + 1


def _blank(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    return at
