"""What is searched: ranges of hyperparameters on their scales, as CreateHyperParameterTuningJob has them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

Scale = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]
Value = int | float | str
MOST_RANGES, MOST_VALUES = 30, 30
_WIDE = 100.0  # the ratio of its ends from which a range of unknown scale is searched by orders of magnitude


@dataclass(frozen=True, kw_only=True)
class Range:
    """One hyperparameter and what it may be."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    kind: Literal["Integer", "Continuous", "Categorical"]
    low: float = 0.0
    high: float = 0.0
    scale: Scale = "Auto"
    values: tuple[str, ...] = ()

    def faults(self) -> Iterator[str]:
        """Sentences on a range that cannot be searched."""
        if self.kind == "Categorical":
            if not 1 <= len(self.values) <= MOST_VALUES:
                yield f"{self.name}: must have 1 to {MOST_VALUES} values; it has {len(self.values)}."
            elif len(set(self.values)) < len(self.values):
                yield f"{self.name}: has a value twice: {', '.join(self.values)}."
            return
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            yield f"{self.name}: the lower end must be at most the upper; they are {self.low:g} and {self.high:g}."
        elif self.kind == "Integer" and not (self.low.is_integer() and self.high.is_integer()):
            yield f"{self.name}: the ends must be whole numbers; they are {self.low:g} and {self.high:g}."
        if self.scale == "Logarithmic" and not self.low > 0:
            yield f"{self.name}: on a logarithmic scale the ends must be greater than 0; the lower is {self.low:g}."
        if self.scale == "ReverseLogarithmic":
            if self.kind == "Integer":
                yield f"{self.name}: a reverse logarithmic scale is for continuous ranges, and this is one of integers."
            elif not (self.low >= 0 and self.high < 1):
                yield (
                    f"{self.name}: on a reverse logarithmic scale the ends must be from 0 to below 1; "
                    f"they are {self.low:g} and {self.high:g}."
                )

    @property
    def resolved(self) -> Scale:
        """The scale that is searched where the request leaves it open: logarithmic over two orders of magnitude."""
        if self.scale != "Auto" or self.kind == "Categorical":
            return self.scale
        return "Logarithmic" if self.low > 0 and self.high / self.low >= _WIDE else "Linear"

    def value(self, share: float) -> Value:
        """The value at a place from 0 to 1 of its scale."""
        if self.kind == "Categorical":
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        if self.kind == "Integer":
            # Each whole number has as much room as any other, on its scale.
            low, high = self._scaled(self.low - 0.5), self._scaled(self.high + 0.5)
            number = self._unscaled(low + share * (high - low))
            return int(min(max(round(number), self.low), self.high))
        low, high = self._scaled(self.low), self._scaled(self.high)
        return min(max(self._unscaled(low + share * (high - low)), self.low), self.high)

    def share(self, value: Value) -> float:
        """The place of a number on its scale, from 0 to 1."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(float(value)) - low) / (high - low) if high > low else 0.5

    def holds(self, value: Value) -> bool:
        """Whether it is a value of this range."""
        if self.kind == "Categorical":
            return value in self.values
        return isinstance(value, int | float) and self.low <= value <= self.high

    def read(self, text: str) -> Value | None:
        """The value of this range that a job was given; None where it is none."""
        if self.kind == "Categorical":
            return text if text in self.values else None
        try:
            number = int(text) if self.kind == "Integer" else float(text)
        except ValueError:
            return None
        return number if self.holds(number) else None

    def _scaled(self, number: float) -> float:
        if self.resolved == "Logarithmic":
            return math.log(number)
        return -math.log1p(-number) if self.resolved == "ReverseLogarithmic" else number

    def _unscaled(self, number: float) -> float:
        if self.resolved == "Logarithmic":
            return math.exp(number)
        return -math.expm1(-number) if self.resolved == "ReverseLogarithmic" else number


def point(space: Sequence[Range], shares: Sequence[float]) -> dict[str, Value]:
    """The values at a point of the unit cube."""
    return {one.name: one.value(float(share)) for one, share in zip(space, shares, strict=True)}


def written(values: Mapping[str, Value]) -> dict[str, str]:
    """Values as a job gets them: as text, integers without decimals, numbers in full precision."""
    return {name: value if isinstance(value, str) else repr(value) for name, value in values.items()}


def combinations(space: Sequence[Range]) -> int:
    """How many points a grid of categorical ranges has."""
    return math.prod(len(one.values) for one in space)


def combination(space: Sequence[Range], number: int) -> dict[str, Value]:
    """The n-th point of the grid, from 0; the last range changes fastest."""
    chosen: dict[str, Value] = {}
    for one in reversed(space):
        number, place = divmod(number, len(one.values))
        chosen[one.name] = one.values[place]
    return {one.name: chosen[one.name] for one in space}
