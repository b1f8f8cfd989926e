"""Gradient boosting: each round fits what the rounds before it have left (Friedman 2001; Chen and Guestrin 2016).

All rows are in memory. A round takes the derivatives of the loss at what the model answers, grows trees or moves
weights that follow them, and adds what these answer; every channel is measured after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped
from algoport.algorithms.contract.group import Group
from algoport.algorithms.shared.streaming import Position, resume, rounds
from algoport.algorithms.xgboost import interchange
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.boosting import Trees
from algoport.algorithms.xgboost.dart import Dart
from algoport.algorithms.xgboost.data import TRAIN, VALIDATION, Part, first_feature, read_channels
from algoport.algorithms.xgboost.hyperparameters import Hyperparameters
from algoport.algorithms.xgboost.initialization import first_booster, starting_booster
from algoport.algorithms.xgboost.kfold import Folds
from algoport.algorithms.xgboost.linear import Linear
from algoport.algorithms.xgboost.model import Model
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.renumbering import Renumbering, check_weights
from algoport.algorithms.xgboost.update import Updating
from algoport.algorithms.xgboost.watching import Watch

Job = contract.Job[Hyperparameters, Model]
CURRENT = "booster"  # the array of a checkpoint that holds the booster being trained


@dataclass(frozen=True)
class EarlierFolds:
    """The boosters of folds that are done, as a checkpoint holds them beside the one that is trained."""

    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class State:
    """How far a booster is; the same at every member."""

    trees: Trees | Linear  # that grows round by round
    watch: Watch
    earlier: EarlierFolds
    position: Position = field(default_factory=Position)

    def snapshot(self, group: Group) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All of it, for a checkpoint; no exchange."""
        arrays = {**self.earlier.arrays, CURRENT: _bytes(self.trees.booster)}
        return arrays, {**self.earlier.facts, **self.watch.facts()}


def fit(job: Job) -> Model:
    """Boost for `num_round` rounds, or train the model given further for as many more.

    Raises `UserError` where labels, weights or the model to start from do not fit; `Stopped` where a stop comes
    before the first round.
    """
    settings, note = job.hyperparameters, job.reporter.note
    plan = Plan(settings, job.group, (abs(job.seed), abs(settings.seed)))
    parts = read_channels(job.channels, plan, job.start.width if job.start else 0, note)
    start = starting_booster(job.start, plan, note) if settings.kfold is None else None
    if settings.booster == "gblinear":
        check_weights(parts[TRAIN].rows.width, plan.objective.outputs)
    first = first_feature(parts[TRAIN], job.group)
    numbering = Renumbering.of(parts, start, job.group)
    if numbering is None:
        return Model(boosters=_boosters(job, plan, parts, start)).counting_from(first)
    note(f"{len(numbering)} of the {numbering.width} columns are mentioned; trees are grown on these")
    plan = replace(plan, features=numbering.features)
    start = None if start is None else numbering.narrow_booster(start)
    boosters = _boosters(job, plan, {name: numbering.narrow(part) for name, part in parts.items()}, start)
    return Model(boosters=tuple(numbering.widen_booster(booster) for booster in boosters)).counting_from(first)


def _boosters(job: Job, plan: Plan, parts: Mapping[str, Part], start: Booster | None) -> tuple[Booster, ...]:
    """One, or one a fold."""
    if plan.settings.kfold is not None:
        return _cross_validate(job, plan, parts)
    return (_boost(job, plan, parts, start, EarlierFolds()),)


def _boost(job: Job, plan: Plan, parts: Mapping[str, Part], start: Booster | None, earlier: EarlierFolds) -> Booster:
    """The booster that the rounds leave, cut to its best round where one is watched."""
    watch = Watch.of(plan, parts, job.reporter.report)

    def restore(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> State | None:
        if "step" not in facts or any(facts.get(name) != value for name, value in earlier.facts.items()):
            return None  # of a release without the shared loop, or of another fold
        watch.restore(facts)
        booster = interchange.read(arrays[CURRENT].tobytes(), "checkpoint")
        if booster.num_feature != parts[TRAIN].rows.width:
            return None  # of other data, or of a release that numbered features otherwise
        return State(_rounds(plan, parts, booster, start), watch, earlier)

    state = resume(job, restore)
    if state is None:
        booster = first_booster(plan, parts, start, job.reporter.note)
        state = State(_rounds(plan, parts, booster, start), watch, earlier)
    for number in rounds(job, state, count=plan.settings.num_round, enough=lambda: watch.over):
        state.trees.advance()
        watch.measure(number, state.trees.rounds, state.trees.margins)
    if state.trees.rounds == 0:
        raise Stopped
    if watch.over:
        waited = plan.settings.early_stopping_rounds
        job.reporter.note(f"no better for {waited} rounds: stopped after round {state.position.epoch}")
    return watch.best.cut(state.trees.booster)


def _rounds(plan: Plan, parts: Mapping[str, Part], booster: Booster, start: Booster | None) -> Trees | Linear:
    """What makes a round of it: trees that grow, trees of which some are dropped, old trees again, or weights."""
    if booster.kind == "gblinear":
        return Linear(plan, parts, booster)
    if plan.settings.process_type == "update":
        assert start is not None
        return Updating(plan, parts, booster, start)
    return (Dart if booster.kind == "dart" else Trees)(plan, parts, booster)


def _cross_validate(job: Job, plan: Plan, parts: Mapping[str, Part]) -> tuple[Booster, ...]:
    """The boosters of all folds and repeats; leaves what each answers of the rows that it has not seen."""
    folds = Folds(plan, parts)
    checkpoint = job.checkpoints.latest()
    boosters = _restore_folds(*checkpoint) if checkpoint else []
    if any(booster.num_feature != parts[TRAIN].rows.width for booster in boosters):
        boosters = []  # of a release that numbered features otherwise
    for number in range(folds.count):
        figures: dict[str, float] = {}
        own = folds.parts(number)
        if number == len(boosters):
            job.reporter.note(f"Train cross validation fold {number % folds.kfold + 1}")
            earlier = EarlierFolds({f"fold-{i}": _bytes(each) for i, each in enumerate(boosters)}, {"folds": number})
            boosters.append(_boost(_with_record(job, figures), plan, own, None, earlier))
        folds.add(number, boosters[number], own[VALIDATION], figures)
        if job.stopping():
            return tuple(boosters[: number + 1])
        means = folds.means(number)
        if means:
            job.reporter.report(means, epoch=plan.settings.num_round)
    job.reporter.keep("predictions.csv", folds.predictions())
    return tuple(boosters)


def _with_record(job: Job, figures: dict[str, float]) -> Job:
    """The same job, whose figures are also written here."""

    def report(values: Mapping[str, float], **how: Any) -> None:
        figures.update(values)
        job.reporter.report(values, **how)

    return replace(job, reporter=replace(job.reporter, report=report))


def _restore_folds(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> list[Booster]:
    """The boosters of the folds that were done at a checkpoint."""
    return [interchange.read(arrays[f"fold-{i}"].tobytes(), "checkpoint") for i in range(int(facts["folds"]))]


def _bytes(booster: Booster) -> NDArray[np.uint8]:
    return np.frombuffer(interchange.write(booster), np.uint8)
