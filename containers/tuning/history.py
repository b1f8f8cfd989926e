"""The training jobs of a tuning job as the store has them, and those of its parents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from algoport.algorithms.contract.errors import UserError
from algoport.containers.control.records import Row
from algoport.containers.control.store import COMPLETED, ENDED, STOPPED, TRAINING, TUNING, Store
from algoport.containers.tuning.request import Tuning
from algoport.containers.tuning.space import Range, Value
from algoport.containers.tuning.strategies import Trial, is_number

MOST_INHERITED, MOST_CHANGES = 500, 10
IDENTICAL, TRANSFER = "IdenticalDataAndAlgorithm", "TransferLearning"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training job of a search."""

    name: str
    number: int  # from 1
    state: str
    values: Mapping[str, Value]
    history: Sequence[float]  # what it has reported of the objective, in its order
    objective: float | None  # its last value, when it has ended and not failed
    started: float | None
    ended: float | None
    stopping: bool
    secondary: str | None
    failure: str | None

    @property
    def running(self) -> bool:
        """Whether it has not ended, be it that it waits."""
        return self.state not in ENDED

    @property
    def trial(self) -> Trial:
        """What a strategy is to know of it."""
        return Trial(self.values, self.objective, self.running)


def jobs_of(
    store: Store,
    name: str,
    tuning: Tuning,
    live: Callable[[str], Mapping[str, Sequence[float]]],
    without: Collection[int] = (),
) -> list[Job]:
    """All of a tuning job, by their numbers, but those that are known; `live` gives the metrics of one that runs."""
    return [_job(row, tuning, live) for row in store.children(TRAINING, name, without)]


def _job(row: Row, tuning: Tuning, live: Callable[[str], Mapping[str, Sequence[float]]]) -> Job:
    metrics = row.outcome.get("metrics", {}) if row.state in ENDED else live(row.name)
    history = metrics.get(tuning.objective, [])
    counts = row.state in (COMPLETED, STOPPED) and bool(history) and is_number(history[-1])
    return Job(
        name=row.name,
        number=row.number or 0,
        state=row.state,
        values=row.notes["values"],
        history=history,
        objective=history[-1] if counts else None,
        started=row.started,
        ended=row.ended,
        stopping=row.stop is not None,
        secondary=row.outcome.get("secondary"),
        failure=row.outcome.get("failure"),
    )


def parents(store: Store, tuning: Tuning) -> list[Trial]:
    """What the parents of a tuning job have found out, as far as it lies in this one's ranges. Of a transfer nothing:
    other data has other values of the objective."""
    if tuning.warm == TRANSFER:
        return []
    return [trial for parent in tuning.parents for trial in _trials(store, parent, tuning.ranges)]


def best_of_parents(store: Store, tuning: Tuning, most: int) -> list[dict[str, Value]]:
    """The values with which a transfer begins: the best of each parent in turn."""
    ranked = []
    for parent in tuning.parents:
        trials = [trial for trial in _trials(store, parent, tuning.ranges) if trial.objective is not None]
        sign = 1 if tuning.goal == "Minimize" else -1
        ranked.append(sorted(trials, key=lambda trial: sign * (trial.objective or 0.0)))
    turns = [trials[place] for place in range(most) for trials in ranked if place < len(trials)]
    return [dict(trial.values) for trial in turns[:most]]


def _trials(store: Store, parent: str, ranges: Sequence[Range]) -> Iterator[Trial]:
    row = store.get(TUNING, parent)
    if row is None:
        raise UserError(f"warm start: there is no tuning job '{parent}'.")
    searched = Tuning.from_json(row.request)
    for job in jobs_of(store, parent, searched, lambda name: {}):
        given = {**searched.job.description.hyperparameters, **{name: str(v) for name, v in job.values.items()}}
        values = {one.name: one.read(given.get(one.name, "")) for one in ranges}
        if job.objective is not None and all(value is not None for value in values.values()):
            yield Trial({name: value for name, value in values.items() if value is not None}, job.objective)


def check(store: Store, tuning: Tuning) -> None:
    """`UserError` with all that keeps a tuning job from its parents (contract, section 4.6)."""
    faults: list[str] = []
    inherited = 0
    for parent in tuning.parents:
        row = store.get(TUNING, parent)
        if row is None:
            faults.append(f"warm start: there is no tuning job '{parent}'.")
        elif row.state not in ENDED:
            faults.append(f"warm start: '{parent}' has not ended.")
        else:
            inherited += len(store.children(TRAINING, parent))
            faults += _differences(parent, Tuning.from_json(row.request), tuning)
    if inherited + tuning.jobs > MOST_INHERITED and tuning.parents:
        faults.append(
            f"warm start: with those of the parents there may be {MOST_INHERITED} jobs; there would be "
            f"{inherited + tuning.jobs}."
        )
    if faults:
        raise UserError(faults)


def _differences(name: str, parent: Tuning, child: Tuning) -> Iterator[str]:
    if (parent.objective, parent.goal) != (child.objective, child.goal):
        yield (
            f"warm start: the objective must be that of '{name}', {parent.goal} {parent.objective}; "
            f"it is {child.goal} {child.objective}."
        )
    theirs, ours = parent.job.description, child.job.description
    kinds = {one.name: one.kind for one in parent.ranges}
    for one in child.ranges:
        if kinds.get(one.name, one.kind) != one.kind:
            yield f"warm start: {one.name}: must be of the kind {kinds[one.name]}, as for '{name}'; it is {one.kind}."
    if child.warm == IDENTICAL:
        if (theirs.algorithm, theirs.image, theirs.program) != (ours.algorithm, ours.image, ours.program):
            yield f"warm start: '{name}' has tuned another algorithm; {TRANSFER} allows that."
        if parent.job.data != child.job.data:
            yield f"warm start: '{name}' has learned from other data; {TRANSFER} allows that."
    before = len(set(theirs.hyperparameters) | set(kinds))
    now = len(set(ours.hyperparameters) | {one.name for one in child.ranges})
    if before != now:
        yield f"warm start: must have as many hyperparameters as '{name}', {before}; it has {now}."
    changes = sum(
        theirs.hyperparameters.get(one) != ours.hyperparameters.get(one)
        for one in set(theirs.hyperparameters) & set(ours.hyperparameters)
    ) + 2 * len(set(kinds) ^ {one.name for one in child.ranges})
    if changes > MOST_CHANGES:
        yield f"warm start: at most {MOST_CHANGES} changes of hyperparameters are allowed; there are {changes}."
