"""Training: rounds of boosting, what is measured after each, and the state that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms import contract
from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import total
from algoport.algorithms.xgboost import interchange, kfold, links
from algoport.algorithms.xgboost.booster import Booster, Kind
from algoport.algorithms.xgboost.boosting import TRAIN, Trees
from algoport.algorithms.xgboost.dart import Dart
from algoport.algorithms.xgboost.data import Part, read, widest
from algoport.algorithms.xgboost.hyperparameters import Hyperparameters
from algoport.algorithms.xgboost.linear import Linear
from algoport.algorithms.xgboost.model import Model
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.trees import nothing
from algoport.algorithms.xgboost.update import Updating
from algoport.algorithms.xgboost.watching import VALIDATION, Watch

Job = contract.Job[Hyperparameters, Model]
Arrays = dict[str, NDArray[Any]]
CURRENT = "booster"  # the array of a checkpoint that holds the booster being trained


@dataclass
class Kept:
    """What a checkpoint holds beside the booster that is trained: the boosters of folds that are done."""

    arrays: Arrays = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def fit(job: Job) -> Model:
    """Boost for `num_round` rounds, or go on from the model given for as many more.

    Raises `UserError` where labels, weights or the model to go on from do not fit; `Stopped` where a stop comes
    before the first round.
    """
    plan = Plan(job.hyperparameters, job.group, (abs(job.seed), abs(job.hyperparameters.seed)))
    for notice in plan.settings.notices():
        job.reporter.note(notice)
    parts = _parts(job, plan)
    if plan.settings.kfold is not None:
        return Model(boosters=kfold.fit(job, plan, parts))
    booster = boosted(job, plan, parts, _start(job, plan), Kept())
    return Model(boosters=(booster,))


def boosted(job: Job, plan: Plan, parts: Mapping[str, Part], start: Booster | None, kept: Kept) -> Booster:
    """The booster that the rounds leave, cut to its best round where one is watched."""
    watch = Watch.of(plan, parts, job.reporter.report)
    old = job.checkpoints.latest()
    if old is not None and all(old[1].get(name) == value for name, value in kept.facts.items()):
        booster, done = interchange.read(old[0][CURRENT].tobytes(), "checkpoint"), int(old[1]["done"])
        watch.take_up(old[1])
        job.reporter.note(f"going on after round {done}")
    else:
        booster, done = _begun(job, plan, parts, start), 0
    rounds = _rounds(plan, parts, booster, start)
    while done < plan.settings.num_round and not watch.over:
        if job.stopping():
            job.reporter.note(f"a stop was asked for after round {done}")
            _save(job, kept, rounds.booster, watch, done, ended=True)
            break
        rounds.advance()
        done += 1
        watch.hear(done - 1, rounds.rounds, rounds.margins)
        _save(job, kept, rounds.booster, watch, done, ended=done == plan.settings.num_round or watch.over)
    if rounds.rounds == 0:
        raise Stopped
    if watch.over:
        job.reporter.note(f"no better for {plan.settings.early_stopping_rounds} rounds: stopped after round {done}")
    return _best(rounds.booster, watch)


def _parts(job: Job, plan: Plan) -> dict[str, Part]:
    """The rows of the channels, as wide at all members."""
    names = [name for name in (TRAIN, VALIDATION) if name in job.channels]
    parts = {name: read(job.channels[name], name, plan.objective, plan.group) for name in names}
    width = widest(list(parts.values()), plan.group)
    if job.start is not None:
        width = max(width, job.start.width)
    limit = plan.settings.monotone_constraints
    if len(limit) > width:
        raise UserError(f"monotone_constraints: must be at most {width}, one a feature; there are {len(limit)}.")
    highest = max((int(f) for one in plan.settings.interaction_constraints for f in one), default=0)
    if highest >= width:
        raise UserError(f"interaction_constraints: must name features from 0 to {width - 1}; one is {highest}.")
    rows = total(plan.group, *(len(part) for part in parts.values()))
    job.reporter.note(f"Train matrix has {rows[0]:.0f} rows and {width} columns")
    if VALIDATION in parts:
        job.reporter.note(f"Validation matrix has {rows[1]:.0f} rows")
    s = plan.settings
    if s.early_stopping_rounds is not None and (plan.watched is None or (VALIDATION not in parts and not s.kfold)):
        job.reporter.note("early_stopping_rounds does nothing without a validation channel and eval_metric.")
    return {name: part.widened(width) for name, part in parts.items()}


def _start(job: Job, plan: Plan) -> Booster | None:
    """The booster to go on from, without what was said of its best round."""
    if job.start is None:
        if plan.settings.process_type == "update":
            raise UserError("process_type: update must be given a model in the channel 'model'; there is none.")
        return None
    if len(job.start.boosters) != 1:
        raise UserError(f"Channel 'model' must hold one model to go on from; it holds {len(job.start.boosters)}.")
    start, objective, kind = job.start.booster, plan.objective, plan.settings.booster
    theirs = (links.OLD_NAMES.get(start.objective, start.objective), start.outputs)
    if theirs != (objective.name, objective.outputs):
        raise UserError(
            f"objective: must be that of the model to go on from, {theirs[0]} with {theirs[1]} numbers a row; it is "
            f"{objective.name} with {objective.outputs}."
        )
    if (start.kind == "gblinear") != (kind == "gblinear"):
        raise UserError(f"booster: must be that of the model to go on from, {start.kind}; it is {kind}.")
    if plan.settings.process_type == "update" and plan.settings.num_round > start.rounds:
        raise UserError(
            f"num_round: must be at most the {start.rounds} rounds of the model; it is {plan.settings.num_round}."
        )
    if start.kind != "gblinear":
        start = replace(start, forest=start.forest.first(start.used))
    kept = {name: value for name, value in start.attributes.items() if name not in ("best_iteration", "best_score")}
    job.reporter.note(f"going on from a model of {start.rounds} rounds")
    return replace(start, attributes=kept)


def _begun(job: Job, plan: Plan, parts: Mapping[str, Part], start: Booster | None) -> Booster:
    """The booster before the first round of this job."""
    s, objective, train = plan.settings, plan.objective, parts[TRAIN]
    facts: Mapping[str, Any] = objective.facts
    if start is not None:
        kind: Kind = (
            "gblinear" if start.kind == "gblinear" else "dart" if "dart" in (start.kind, s.booster) else "gbtree"
        )
        forest = nothing() if s.process_type == "update" else start.forest
        if kind == "dart" and forest.drop is None:
            forest = replace(forest, drop=np.ones(len(forest), np.float32))
        width = max(start.num_feature, train.rows.width)
        linear = start.linear
        if linear is not None and width > start.num_feature:
            more = np.zeros((width - start.num_feature, linear.shape[1]), np.float32)
            linear = np.concatenate([linear[:-1], more, linear[-1:]])
        return replace(
            start, kind=kind, forest=forest, linear=linear, num_feature=width, objective=objective.name,
            objective_facts=facts,
        )  # fmt: skip
    if s.base_score is not None:
        score = np.full(objective.outputs, s.base_score, np.float32)
    else:
        score = objective.base_score(train.targets, objective.whole(train.targets, plan.group), plan.group)
        job.reporter.note(f"base_score is {', '.join(f'{value:.6g}' for value in score)}, estimated from the labels")
    return Booster(
        objective=objective.name,
        num_feature=train.rows.width,
        base_score=score,
        kind=s.booster,  # type: ignore[arg-type]
        objective_facts=facts,
        num_class=objective.outputs if objective.name in links.SOFTMAX else 0,
        num_target=objective.outputs if objective.name not in links.SOFTMAX else 1,
        num_parallel_tree=s.num_parallel_tree,
        forest=replace(nothing(), drop=np.empty(0, np.float32)) if s.booster == "dart" else nothing(),
    )


def _rounds(plan: Plan, parts: Mapping[str, Part], booster: Booster, start: Booster | None) -> Trees | Linear:
    if booster.kind == "gblinear":
        return Linear(plan, parts, booster)
    if plan.settings.process_type == "update":
        assert start is not None
        return Updating(plan, parts, booster, start)
    return (Dart if booster.kind == "dart" else Trees)(plan, parts, booster)


def _save(job: Job, kept: Kept, booster: Booster, watch: Watch, done: int, *, ended: bool) -> None:
    if job.checkpoints.due(ended=ended):
        arrays = {**kept.arrays, CURRENT: np.frombuffer(interchange.write(booster), np.uint8)}
        job.checkpoints.save(arrays, {**kept.facts, **watch.facts(), "done": done})


def _best(booster: Booster, watch: Watch) -> Booster:
    """The booster up to its best round, with that round and its figure as the library tells them."""
    best = watch.best
    if best.round < 0:
        return booster
    if booster.kind != "gblinear":
        booster = replace(booster, forest=booster.forest.first(best.round + 1))
    return booster.with_attributes(best_iteration=str(best.round), best_score=repr(best.value))
