"""Updates of an endpoint that runs: new variants start beside the old, take requests over, and may have to go again.

Blue/green as SageMaker has it: all at once, or in steps with a time after each in which errors are watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic
from typing import Any

from algoport.algorithms.contract.errors import PlatformError, UserError
from algoport.containers.deployment.configuration import Configuration, Place, Routing
from algoport.containers.deployment.description import Description, Variant
from algoport.containers.deployment.fleet import Counts, Fleet, Say

LOOK = 0.05  # seconds between two looks at the errors
FEWEST = 5  # failures that say anything


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How requests pass over: by which shares before all of them, how long each is watched, and what is too much."""

    shares: tuple[float, ...] = ()
    bake: float = 0.0  # seconds
    errors: float = 0.05  # by how much more of the requests may fail than with the old variants

    def __post_init__(self) -> None:
        rising = all(one < two for one, two in pairwise([*self.shares, 1.0]))
        if not rising or any(share <= 0 for share in self.shares):
            shown = ",".join(f"{100 * share:g}" for share in self.shares)
            raise UserError(f"--canary: must be percents that rise, above 0 and below 100; it is {shown}.")

    def as_json(self) -> dict[str, Any]:
        """For another process on this machine."""
        return {"shares": list(self.shares), "bake": self.bake, "errors": self.errors}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Plan:
        """What `as_json` has made."""
        return cls(shares=tuple(written["shares"]), bake=written["bake"], errors=written["errors"])


class RolledBack(PlatformError):
    """The new variants did worse, and have gone again."""


async def update(
    routing: Routing,
    wanted: Description,
    plan: Plan,
    launch: Callable[[Variant, Description], Place],
    retire: Callable[[Sequence[Fleet]], Awaitable[None]],
    say: Say,
) -> str:
    """Make of an endpoint what is wanted; a sentence about it.

    A variant whose model is the same keeps its instances. Raises `UserError` where a new one cannot start, and
    `RolledBack` where requests fail; then, as where this is cancelled, all is as it was.
    """
    before = routing.current
    places = [_same(before, variant) or launch(variant, wanted) for variant in wanted.variants]
    following = Configuration(places)
    new = [fleet for fleet in following.fleets if fleet not in before.fleets]
    old = [fleet for fleet in before.fleets if fleet not in following.fleets]
    try:
        if new:
            names = ", ".join(place.variant.name for place in places if place.fleet in new)
            say(f"Starting the instances of {names} beside those that there are.")
            await _all(fleet.be_ready() for fleet in new)
            await _pass_over(routing, before, following, plan, (new, old), say)
    except BaseException:
        routing.direct(before)
        await retire(new)
        raise
    routing.direct(following)
    for place in places:
        place.fleet.want(min(max(place.fleet.wanted, place.variant.lowest), place.variant.highest))
    if old:
        say("Draining the old instances.")
    await retire(old)
    shares = ", ".join(f"{place.variant.name} ({place.variant.place})" for place in places)
    return f"The endpoint serves {shares}."


def _same(before: Configuration, variant: Variant) -> Place | None:
    """The instances that there are of that model, under that name; they go on."""
    place = before.places.get(variant.name)
    if place is None or place.variant.identity != variant.identity:
        return None
    return Place(variant, place.fleet)


async def _pass_over(
    routing: Routing,
    before: Configuration,
    following: Configuration,
    plan: Plan,
    fleets: tuple[Sequence[Fleet], Sequence[Fleet]],
    say: Say,
) -> None:
    for share in [*plan.shares, 1.0]:
        routing.direct(before, following, share)
        if not plan.bake:
            continue
        say(f"{100 * share:g} % of the requests are answered by the update, watched for {plan.bake:g} seconds.")
        counts = await _watch(plan, *fleets)
        say(f"{100 * share:g} %: {counts.requests:,} requests, of which {counts.failures:,} failed.")


async def _watch(plan: Plan, new: Sequence[Fleet], old: Sequence[Fleet]) -> Counts:
    """What came of the requests to the new instances; `RolledBack` where too many fail, or one of them ends."""
    start = [fleet.counts.copy() for fleet in new]
    end = monotonic() + plan.bake
    while True:
        counts = _sum(fleet.counts.since(then) for fleet, then in zip(new, start, strict=True))
        usual = _share(_sum(fleet.counts for fleet in old))
        if counts.losses:
            raise RolledBack("Rolled back, as an instance of the update has ended; all is as it was.")
        if counts.failures >= FEWEST and _share(counts) > usual + plan.errors:
            raise RolledBack(
                f"Rolled back, as {counts.failures:,} of {counts.requests:,} requests to the update failed, "
                f"{100 * _share(counts):.0f} % where {100 * usual:.0f} % did before; all is as it was."
            )
        if monotonic() >= end:
            return counts
        await asyncio.sleep(LOOK)


def _sum(counts: Iterable[Counts]) -> Counts:
    made = Counts()
    for one in counts:
        made = Counts(made.requests + one.requests, made.failures + one.failures, made.losses + one.losses)
    return made


def _share(counts: Counts) -> float:
    return counts.failures / counts.requests if counts.requests else 0.0


async def _all(acts: Iterable[Awaitable[None]]) -> None:
    """Do all at a time; the first error, when all have ended."""
    tasks = [asyncio.ensure_future(act) for act in acts]
    if not tasks:
        return
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
