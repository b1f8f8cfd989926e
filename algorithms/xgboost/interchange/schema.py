"""The library's model as a tree of objects, to and from a booster.

Written as version 3.2 writes it; read as 1.0 and all since have written it.    t trees   m nodes   k outputs
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.xgboost import links
from algoport.algorithms.xgboost.booster import VERSION, Booster, Kind, base_margin
from algoport.algorithms.xgboost.interchange.forest import Faulty, array, forest, forest_layout, whole

# What a small file may claim: as many features as a node can name, none of which takes memory before a node splits by
# it; and outputs, 128 MB of margins of a block of rows.
MOST_FEATURES, MOST_OUTPUTS = 1 << 31, 1 << 16
OBJECTIVES = (
    *("reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:absoluteerror"),
    *("reg:quantileerror", "reg:gamma", "reg:tweedie", "reg:linear", "binary:logistic", "binary:logitraw"),
    *("binary:hinge", "count:poisson", "multi:softmax", "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map"),
    *("survival:aft", "survival:cox"),
)
_KINDS = ("gbtree", "dart", "gblinear")


def booster(document: Any, name: str) -> Booster:
    """The booster; `UserError` with the name of the file and the place in it where it makes no sense."""
    try:
        return _booster(_object(document, "the file"))
    except Faulty as fault:
        raise UserError(f"{name}: {fault}.") from None


def layout(booster: Booster) -> dict[str, Any]:
    """The objects that the library writes for this booster."""
    k = booster.outputs
    score = np.broadcast_to(booster.base_score, k)
    same = bool((score == score[0]).all())
    return {
        "learner": {
            "attributes": dict(booster.attributes),
            "feature_names": list(booster.feature_names),
            "feature_types": list(booster.feature_types),
            "gradient_booster": _gradient_booster(booster),
            "learner_model_param": {
                # A single number and not a list of one, so that releases before 3.1 read it, too.
                "base_score": _number(score[0]) if same else "[" + ",".join(map(_number, score)) + "]",
                "boost_from_average": "1",
                "num_class": str(booster.num_class),
                "num_feature": str(booster.num_feature),
                "num_target": str(booster.num_target),
            },
            "objective": {"name": booster.objective, **booster.objective_facts},
        },
        "version": list(VERSION),
    }


def _booster(document: Mapping[str, Any]) -> Booster:
    learner = _object(document.get("learner"), "learner")
    facts = _object(learner.get("learner_model_param"), "learner.learner_model_param")
    trained = _object(learner.get("gradient_booster"), "learner.gradient_booster")
    aim = _object(learner.get("objective"), "learner.objective")
    kind = _text(trained.get("name"), "gradient_booster.name")
    if kind not in _KINDS:
        raise Faulty(f"gradient_booster.name must be one of {', '.join(_KINDS)}; it is {kind[:40]!r}")
    num_class = whole(facts.get("num_class", 0), "num_class", 0, MOST_OUTPUTS)
    num_target = whole(facts.get("num_target", 1), "num_target", 0, MOST_OUTPUTS)
    k = max(1, num_class, num_target)
    d = whole(facts.get("num_feature", 0), "num_feature", 0, MOST_FEATURES)
    objective = _objective(aim.get("name"), num_class)
    given: dict[str, Any] = {
        "objective": objective,
        "objective_facts": {key: value for key, value in aim.items() if key != "name"},
        "kind": cast(Kind, kind),
        "num_feature": d,
        "num_class": num_class,
        "num_target": max(num_target, 1),
        "base_score": _base_score(facts.get("base_score", "5E-1"), k, objective),
        "attributes": {
            str(key): str(value) for key, value in _object(learner.get("attributes", {}), "attributes").items()
        },
        "feature_names": _texts(learner.get("feature_names", []), "feature_names", d),
        "feature_types": _texts(learner.get("feature_types", []), "feature_types", d),
        "version": _version(document.get("version")),
    }
    if kind == "gblinear":
        return Booster(**given, **_linear(_object(trained.get("model"), "gradient_booster.model"), d, k))
    inner = _object(trained.get("gbtree"), "gradient_booster.gbtree") if kind == "dart" else trained
    drop = trained.get("weight_drop") if kind == "dart" else None
    grown, parallel = forest(_object(inner.get("model"), "gradient_booster.model"), drop, d, k)
    return Booster(**given, forest=grown, num_parallel_tree=parallel)


def _linear(model: Mapping[str, Any], d: int, k: int) -> dict[str, Any]:
    weights = array(model.get("weights"), np.float32, "gradient_booster.model.weights")
    if len(weights) != (d + 1) * k or not np.isfinite(weights).all():
        raise Faulty(f"gblinear must have {(d + 1) * k} finite weights; it has {len(weights)}")
    rounds = whole(model.get("boosted_rounds", 0), "boosted_rounds", 0, 1 << 31)
    return {"linear": weights.reshape(d + 1, k), "linear_rounds": rounds}


def _gradient_booster(booster: Booster) -> dict[str, Any]:
    if booster.kind == "gblinear":
        assert booster.linear is not None
        weights = np.ascontiguousarray(booster.linear, np.float32).reshape(-1)
        return {"model": {"boosted_rounds": booster.linear_rounds, "weights": weights}, "name": "gblinear"}
    model = forest_layout(booster.forest, booster.num_feature, booster.num_parallel_tree)
    trees: dict[str, Any] = {"model": model, "name": "gbtree"}
    if booster.kind == "gbtree":
        return trees
    drop = booster.forest.drop
    factors = np.ones(len(booster.forest), np.float32) if drop is None else drop
    return {"gbtree": trees, "name": "dart", "weight_drop": [float(factor) for factor in factors]}


def _objective(name: Any, num_class: int) -> str:
    """Its name, by which margins become answers: of one that is not known nobody could say what it answers."""
    objective = _text(name, "objective.name")
    if objective not in OBJECTIVES:
        near = difflib.get_close_matches(objective, OBJECTIVES, n=1)
        hint = f", near {near[0]}" if near else ""
        raise Faulty(f"objective.name must be one of {', '.join(OBJECTIVES)}; it is {objective[:40]!r}{hint}")
    if objective in links.SOFTMAX and not num_class:
        raise Faulty(f"num_class must be at least 1 for {objective}; it is 0")
    return objective


def _base_score(written: Any, k: int, objective: str) -> NDArray[np.float32]:
    """(1,) or (k,). "5E-1" before 3.1 and "[5E-1]" since."""
    try:
        value = json.loads(written) if isinstance(written, str) else written
        score = np.atleast_1d(np.asarray(value, np.float32))
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise Faulty(f"base_score must be a number or a list of them; it is {str(written)[:40]!r}") from None
    if score.shape not in ((1,), (k,)) or not np.isfinite(score).all():
        raise Faulty(f"base_score must be one finite number, or {k}; it is {str(written)[:40]!r}")
    if not np.isfinite(base_margin(objective, score)).all():
        most = "above 0 and below 1" if objective in links.LOGISTIC else "above 0"
        raise Faulty(f"base_score must be {most} for {objective}; it is {str(written)[:40]!r}")
    return score


def _number(value: np.float32) -> str:
    """As the library writes a float32: 5E-1."""
    text = np.format_float_scientific(np.float32(value), unique=True, trim="-", exp_digits=1)
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}E{int(exponent)}"


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Faulty(f"{place} must be an object, as in every XGBoost model; it is {type(value).__name__}")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise Faulty(f"{place} must be a word; it is {str(value)[:40]!r}")
    return value


def _texts(value: Any, place: str, d: int) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(entry, str) for entry in value):
        raise Faulty(f"{place} must be a list of words")
    if len(value) not in (0, d):
        raise Faulty(f"{place} must be as many as there are features, {d}; they are {len(value)}")
    return tuple(value)


def _version(value: Any) -> tuple[int, int, int]:
    try:
        major, minor, patch = (int(part) for part in value)
    except (TypeError, ValueError, OverflowError):
        return VERSION
    return major, minor, patch
