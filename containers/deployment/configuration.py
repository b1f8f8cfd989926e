"""Variants side by side, and which of them a request is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from algoport.containers.deployment.description import Variant
from algoport.containers.deployment.fleet import Fleet

T = TypeVar("T")


class Split(Generic[T]):
    """Shares of the requests: after each n choices nobody is more than one away from its share of n.

    Smooth weighted round-robin, as nginx has it: everybody gains its weight at each choice, and who has most is chosen
    and pays what all have gained.
    """

    def __init__(self, weights: Iterable[tuple[T, float]]) -> None:
        self._weights = [(item, weight) for item, weight in weights if weight > 0]
        self._gains = [0.0] * len(self._weights)

    def choose(self) -> T | None:
        """Whose turn it is; None where nobody has a weight."""
        if len(self._weights) < 2:
            return self._weights[0][0] if self._weights else None
        for number, (_, weight) in enumerate(self._weights):
            self._gains[number] += weight
        first = max(range(len(self._gains)), key=self._gains.__getitem__)
        self._gains[first] -= sum(weight for _, weight in self._weights)
        return self._weights[first][0]


@dataclass(frozen=True)
class Place:
    """A variant and its instances."""

    variant: Variant
    fleet: Fleet


class Configuration:
    """All variants, and their shares by weight."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places: Mapping[str, Place] = {place.variant.name: place for place in places}
        self._split = Split((place, place.variant.weight) for place in places)

    def choose(self, target: str | None) -> Place | None:
        """For the next request: the variant that it names, else the one whose turn it is."""
        return self._split.choose() if target is None else self.places.get(target)

    @property
    def fleets(self) -> list[Fleet]:
        """Those of all variants."""
        return [place.fleet for place in self.places.values()]


class Routing:
    """Which configuration requests go to: one, or two while an endpoint is updated."""

    def __init__(self, current: Configuration) -> None:
        self.direct(current)

    def direct(self, current: Configuration, following: Configuration | None = None, share: float = 0.0) -> None:
        """From now on requests go to the current one, and that share of them to the following one."""
        self.current, self.following, self.share = current, following, share
        weights = [(current, 1.0 - share), *([(following, share)] if following is not None else [])]
        self._split: Split[Configuration] = Split(weights)

    @property
    def configurations(self) -> list[Configuration]:
        """Those that there are."""
        return [self.current, *([self.following] if self.following is not None else [])]

    def choose(self, target: str | None) -> Place | None:
        """Where the next request goes; None where there is no such variant."""
        first = self._split.choose() or self.current
        place = first.choose(target)
        if place is None:
            place = next((known for one in self.configurations if (known := one.choose(target)) is not None), None)
        return place

    @property
    def names(self) -> list[str]:
        """All variants."""
        return sorted({name for one in self.configurations for name in one.places})
