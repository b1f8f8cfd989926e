"""One hyperparameter as it was declared: what it may be, and the reading of what a user wrote for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from algoport.algorithms.contract.dialects import READERS, unquoted

Scale = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]
# What the platform has to know of a setting: how many passes are made, how many features a row has, how many classes
# there are, how many training records there are, and how many of them a step takes.
Role = Literal["passes", "width", "classes", "records", "batch"]


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
            return "a list of " + (", ".join(self.values) if self.values else "values")
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

    def read(self, given: object) -> Any:
        """The value that a user wrote, in any of the contract's dialects; ValueError where it is none."""
        value = unquoted(given) if isinstance(given, str) else given
        if isinstance(value, str) and value in self.words:
            return value
        value = READERS[self.kind](value)
        if self.kind in ("integer", "real"):
            self._check_limits(value)
        if self.kind == "choice" and value not in self.values:
            raise ValueError
        if self.kind == "list" and self.values and not (value and set(value) <= set(self.values)):
            raise ValueError
        return value

    def _check_limits(self, value: float) -> None:
        inside = (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )
        if not inside:
            raise ValueError


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)
