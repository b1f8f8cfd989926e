"""The booster before the first round of a job: a constant, or the model that training starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.start import check_alike
from algoport.algorithms.xgboost import links
from algoport.algorithms.xgboost.booster import Booster, Kind
from algoport.algorithms.xgboost.data import TRAIN, Part
from algoport.algorithms.xgboost.model import Model
from algoport.algorithms.xgboost.plan import Plan
from algoport.algorithms.xgboost.trees import nothing

Note = Callable[[str], None]


def starting_booster(model: Model | None, plan: Plan, note: Note) -> Booster | None:
    """The booster to train further, without what was said of its best round; None where there is no model.

    `UserError` where it is not of the settings' kind.
    """
    if model is None:
        if plan.settings.process_type == "update":
            raise UserError("process_type: update must be given a model in the channel 'model'; there is none.")
        return None
    if len(model.boosters) != 1:
        raise UserError(f"Channel 'model' must hold one model to start from; it holds {len(model.boosters)}.")
    start, objective, kind = model.booster, plan.objective, plan.settings.booster
    check_alike(
        objective=(
            _sized(links.OLD_NAMES.get(start.objective, start.objective), start.outputs),
            _sized(objective.name, objective.outputs),
        )
    )
    if (start.kind == "gblinear") != (kind == "gblinear"):  # the two kinds of trees may follow each other
        check_alike(booster=(start.kind, kind))
    if plan.settings.process_type == "update" and plan.settings.num_round > start.rounds:
        raise UserError(
            f"num_round: must be at most the {start.rounds} rounds of the model; it is {plan.settings.num_round}."
        )
    if start.kind != "gblinear":
        start = replace(start, forest=start.forest.first(start.used))
    own = {name: value for name, value in start.attributes.items() if name not in ("best_iteration", "best_score")}
    note(f"incremental training from a model of {start.rounds} rounds")
    return replace(start, attributes=own)


def _sized(objective: str, outputs: int) -> str:
    return f"{objective} with {outputs} numbers a row"


def first_booster(plan: Plan, parts: Mapping[str, Part], start: Booster | None, note: Note) -> Booster:
    """The booster that the first round adds to; some exchanges."""
    train, facts = parts[TRAIN], plan.objective.facts
    return _constant(plan, train, facts, note) if start is None else _from_model(plan, train, facts, start)


def _constant(plan: Plan, train: Part, facts: Mapping[str, Any], note: Note) -> Booster:
    """The best answer that is the same for every row (Friedman 2001, algorithm 1, line 1), or the one given."""
    s, objective = plan.settings, plan.objective
    if s.base_score is not None:
        score = np.full(objective.outputs, s.base_score, np.float32)
    else:
        score = objective.base_score(train.targets, objective.whole(train.targets, plan.group), plan.group)
        note(f"base_score is {', '.join(f'{value:.6g}' for value in score)}, estimated from the labels")
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


def _from_model(plan: Plan, train: Part, facts: Mapping[str, Any], start: Booster) -> Booster:
    """The model to train further, as wide as the rows; an update grows its trees anew from none."""
    s = plan.settings
    kind: Kind = "gblinear" if start.kind == "gblinear" else "dart" if "dart" in (start.kind, s.booster) else "gbtree"
    forest = nothing() if s.process_type == "update" else start.forest
    if kind == "dart" and forest.drop is None:
        forest = replace(forest, drop=np.ones(len(forest), np.float32))
    width = max(start.num_feature, train.rows.width)
    linear = start.linear
    if linear is not None and width > start.num_feature:
        more = np.zeros((width - start.num_feature, linear.shape[1]), np.float32)
        linear = np.concatenate([linear[:-1], more, linear[-1:]])
    names = start.feature_names if width == start.num_feature else ()
    types = start.feature_types if width == start.num_feature else ()
    return replace(
        start, kind=kind, feature_names=names, feature_types=types,
        forest=forest, linear=linear, num_feature=width, objective=plan.objective.name,
        objective_facts=facts,
    )  # fmt: skip
