"""One hyperparameter as it was declared: what it may be, and the reading of what a user wrote for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from algoport.algorithms.contract import dialects
from algoport.algorithms.contract.dialects import READERS, bare, unquoted

Scale = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]
# What the platform has to know of a setting: how many passes are made, how many features a row has, how many classes
# there are, how many training records there are, and how many of them a step takes.
Role = Literal["passes", "width", "classes", "records", "batch"]
_ITEMS = {None: "values", "integer": "whole numbers", "real": "numbers"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One hyperparameter as it was declared."""

    name: str  # the contract's
    kind: Literal["integer", "real", "boolean", "choice", "list", "text"]
    meaning: str
    default: Any = None
    required: bool = False
    low: float | None = None
    high: float | None = None
    above: float | None = None  # bounds that are not reached themselves
    below: float | None = None
    words: Sequence[str] = ()  # that are values beside those of the kind: "auto", mostly
    values: Sequence[str] = ()  # of a choice, or of the items of a list
    of: Literal["integer", "real"] | None = None  # what the items of a list are; None: anything
    separated: bool = False  # of text: a list in any dialect is read as its items with commas between them
    remedy: str = ""  # what to do where a value is refused, as a sentence
    tune: Sequence[Any] | None = None  # (low, high), or the values, that a tuner searches
    scale: Scale = "Auto"
    aliases: Sequence[str] = ()
    role: Role | None = None  # what the platform knows it for, whatever it is called
    each_host: bool = False  # of a batch: whether it counts the records of each host, and not those of all together

    @property
    def allowed(self) -> str:
        """What must be, to stand after "must be"."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.values)
        if self.kind == "text":
            return "text"
        return self._noun() + "".join(f" or '{word}'" for word in self.words)

    def _noun(self) -> str:
        if self.kind == "boolean":
            return "true or false"
        if self.kind == "list":
            return "a list of " + (", ".join(self.values) if self.values else _ITEMS[self.of])
        return ("a whole number" if self.kind == "integer" else "a number") + self._limits()

    def _limits(self) -> str:
        parts = []
        if self.low is not None and self.high is not None:
            parts.append(f"from {_plain(self.low)} to {_plain(self.high)}")
        elif self.low is not None:
            parts.append(f"at least {_plain(self.low)}")
        elif self.high is not None:
            parts.append(f"at most {_plain(self.high)}")
        if self.above is not None:
            parts.append(f"above {_plain(self.above)}")
        if self.below is not None:
            parts.append(f"below {_plain(self.below)}")
        return " " + " and ".join(parts) if parts else ""

    @property
    def is_flag(self) -> bool:
        """Whether it is a whole number that can be 0 or 1 alone: what users write as true or false."""
        return self.kind == "integer" and (self.low, self.high) == (0, 1)

    def read(self, given: object) -> Any:
        """The value that a user wrote, in any of the contract's dialects; ValueError where it is none."""
        value = unquoted(given) if isinstance(given, str) else given
        if isinstance(value, str) and (word := bare(value)) in self.words:
            return word
        value = self._convert(value)
        if self.kind in ("integer", "real"):
            self._check_limits(value)
        if self.kind == "choice" and value not in self.values:
            raise ValueError
        if self.kind == "list" and self.values and not (value and set(value) <= set(self.values)):
            raise ValueError
        return value

    def _convert(self, value: object) -> Any:
        """A value of the kind, whatever its size."""
        if self.is_flag:
            return int(dialects.boolean(value))
        if self.separated:
            return dialects.joined(value)
        read = READERS[self.kind]
        return tuple(READERS[self.of](item) for item in read(value)) if self.of else read(value)

    def is_default(self, given: object) -> bool:
        """Whether it is what holds without it."""
        try:
            return bool(self.read(given) == self.default)
        except (ValueError, OverflowError, TypeError):
            return False

    def is_of_kind(self, given: object) -> bool:
        """Whether it is a value of the kind, within the limits or beyond them."""
        try:
            self._convert(given)
        except (ValueError, OverflowError, TypeError):
            return False
        return True

    def refusal(self, given: object) -> str:
        """The sentence on a value that is none."""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.name}: must be {self.allowed}; it is {excerpt(given)}{self._beyond(given)}.{remedy}"

    def _beyond(self, given: object) -> str:
        """What to add where a whole number is larger than any counter, which the limits do not say."""
        try:
            self._convert(given)
        except dialects.BeyondRange:
            return f", which is beyond the largest whole number, {dialects.MOST}"
        except (ValueError, OverflowError, TypeError):
            return ""
        return ""

    def _check_limits(self, value: float) -> None:
        inside = (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )
        if not inside:
            raise ValueError


def excerpt(value: object, limit: int = 80) -> str:
    """A value as Python writes it, by its beginning where it is long."""
    shown = repr(value)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)
