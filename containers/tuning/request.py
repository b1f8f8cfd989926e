"""A tuning job as the store has it: what is searched, for which objective, within which limits, with which jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control.records import Request
from algoport.containers.tuning.space import MOST_RANGES, Range, combinations
from algoport.containers.tuning.strategies import Goal, Strategy

MOST_JOBS, MOST_RANDOM, MOST_PARALLEL, MOST_PARENTS = 750, 10_000, 100, 5
MOST_RESOURCE = 20_000
OBJECTIVE = "_tuning_objective_metric"
_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,31}")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What Hyperband gives more of to better jobs: a hyperparameter that counts epochs."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    low: int
    high: int
    name: str | None = None  # of the hyperparameter, which is set to `high`; None: the jobs know how many

    def faults(self) -> Iterator[str]:
        """Sentences on what cannot be."""
        if not 1 <= self.low <= self.high <= MOST_RESOURCE:
            yield (
                f"The resource of Hyperband must be from 1 to {MOST_RESOURCE}, the least no more than the most; "
                f"they are {self.low} and {self.high}."
            )


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Everything that was asked for."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    job: Request  # each job; its folder is the tuning job's, its hyperparameters those that are not searched
    ranges: tuple[Range, ...]
    objective: str
    goal: Goal
    strategy: Strategy = "Bayesian"
    jobs: int = 20
    parallel: int = 1
    runtime: float | None = None  # seconds of the whole
    early: bool = False  # the median rule
    target: float | None = None
    patience: int | None = None  # jobs without a better one, after which it ends
    converge: bool = False
    seed: int = 0
    resource: Resource | None = None
    parents: tuple[str, ...] = ()
    warm: Literal["IdenticalDataAndAlgorithm", "TransferLearning"] = "IdenticalDataAndAlgorithm"

    def check(self) -> None:
        """`UserError` with all that is wrong, as far as it can be seen without the algorithm."""
        faults = list(self._faults())
        if faults:
            raise UserError(faults)

    def _faults(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"name: must have 1 to 32 letters, digits and hyphens between them; it is {self.name!r}."
        if not 1 <= len(self.ranges) <= MOST_RANGES:
            yield f"ranges: there must be 1 to {MOST_RANGES}; there are {len(self.ranges)}."
        names = [one.name for one in self.ranges]
        yield from (f"{name}: is searched twice." for name in sorted(set(names)) if names.count(name) > 1)
        fixed = self.job.description.hyperparameters
        both = [name for name in names if name in fixed]
        yield from (f"{name}: is searched, and set to {fixed[name]!r}; it can be one of both." for name in both)
        for one in self.ranges:
            yield from one.faults()
        yield from self._limits()
        yield from self._strategy()

    def _limits(self) -> Iterator[str]:
        most = MOST_RANDOM if self.strategy == "Random" else MOST_JOBS
        if not 1 <= self.jobs <= most:
            yield f"jobs: must be from 1 to {most:,}; it is {self.jobs}."
        if not 1 <= self.parallel <= MOST_PARALLEL:
            yield f"parallel: must be from 1 to {MOST_PARALLEL}; it is {self.parallel}."
        if self.runtime is not None and not self.runtime > 0:
            yield f"runtime: must be greater than 0; it is {self.runtime:g}."
        if self.patience is not None and self.patience < 3:
            yield f"patience: must be at least 3 jobs; it is {self.patience}."
        if len(self.parents) > MOST_PARENTS:
            yield f"warm start: must have at most {MOST_PARENTS} parents; there are {len(self.parents)}."

    def _strategy(self) -> Iterator[str]:
        if self.strategy == "Grid":
            others = [one.name for one in self.ranges if one.kind != "Categorical"]
            if others:
                yield f"Grid search is for categorical ranges; these are none: {', '.join(others)}."
            elif self.jobs > combinations(self.ranges):
                yield f"jobs: a grid of these ranges has {combinations(self.ranges)}; it is {self.jobs}."
        if self.strategy == "Hyperband":
            if self.early:
                yield "Early stopping must be off with Hyperband, which stops weak jobs itself."
            if self.resource is None:
                yield "Hyperband needs the most epochs of a job: as MaxResource, or --max-resource."
            else:
                yield from self.resource.faults()

    def to_json(self) -> dict[str, Any]:
        """All of it as objects that `json` writes."""
        written: dict[str, Any] = TypeAdapter(Tuning).dump_python(self, mode="json")
        return written

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Tuning:
        """From what `to_json` gave."""
        try:
            return TypeAdapter(Tuning).validate_json(json.dumps(written))
        except ValidationError as error:
            raise UserError(f"The store holds a request that cannot be read: {error.errors()[0]['msg']}.") from None
