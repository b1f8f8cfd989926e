"""Derivatives and first estimates of every loss beside the library's own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xgboost

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.xgboost import links, objectives
from algoport.algorithms.xgboost.related import Targets
from tests.groups import together

N = 60
NAMES = [
    "reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:gamma", "reg:tweedie",
    "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob",
    "survival:cox", "survival:aft", "rank:pairwise", "rank:ndcg", "rank:map",
]  # fmt: skip
ADAPTIVE = ["reg:absoluteerror", "reg:quantileerror"]


def labels(name: str, random: np.random.Generator, n: int = N) -> np.ndarray:
    if name.startswith(("multi", "rank:ndcg", "rank:pairwise")):
        return random.integers(0, 4, n).astype(np.float32)
    if name.startswith(("binary", "rank")) or "logistic" in name:
        return random.integers(0, 2, n).astype(np.float32)
    if name == "count:poisson":
        return random.poisson(2, n).astype(np.float32)
    positive = (random.gamma(2, size=n) + 0.1).astype(np.float32)
    if name == "survival:cox":
        return np.where(random.random(n) < 0.3, -positive, positive).round(1).astype(np.float32) + np.float32(0.05)
    return positive


def given(name: str, *, weighted: bool, grouped: bool = False) -> tuple[Targets, xgboost.DMatrix, np.ndarray]:
    """Targets, the same for the library, and margins."""
    random = np.random.default_rng(len(name) + weighted)
    y = labels(name, random)
    weight = (
        random.choice(np.float32([0.5, 1, 2]), N)
        if weighted and not name.startswith("rank")
        else np.empty(0, np.float32)
    )
    k = 4 if name.startswith("multi") else 1
    margins = random.normal(size=(N, k)).astype(np.float32)
    data = xgboost.DMatrix(np.arange(N, dtype=np.float32)[:, None], label=y, weight=weight if len(weight) else None)
    upper, query = None, None
    if name == "survival:aft":
        upper = np.where(np.arange(N) % 4 == 0, np.inf, np.where(np.arange(N) % 4 == 1, y, y + 1)).astype(np.float32)
        y = np.where(np.arange(N) % 4 == 2, 0, y).astype(np.float32)
        data.set_float_info("label_lower_bound", y)
        data.set_float_info("label_upper_bound", upper)
    if grouped:
        query = np.repeat(np.arange(6), 10)
        data.set_group(np.full(6, 10))
    data.set_base_margin(margins if k > 1 else margins[:, 0])
    return Targets(y, weight, upper, query), data, margins


def settings(name: str, **more: object) -> dict[str, object]:
    return {"objective": name, **({"num_class": 4} if name.startswith("multi") else {}), **more}


CASES = [(name, False, False) for name in NAMES] + [
    (name, True, False) for name in NAMES if not name.startswith("rank")
]
CASES += [(name, False, True) for name in NAMES if name.startswith("rank")]


@pytest.mark.parametrize(("name", "weighted", "grouped"), CASES)
def test_gradients_are_the_library_s(name: str, weighted: bool, grouped: bool) -> None:
    """Told by the leaves of one tree, in each of which -G/H and H are known; most leaves hold one row."""
    targets, data, margins = given(name, weighted=weighted, grouped=grouped)
    scaled = {"scale_pos_weight": 3.0} if name in ("reg:logistic", "binary:logistic", "reg:squarederror") else {}
    plain = {"lambda": 0, "eta": 1, "min_child_weight": 0, "max_depth": 12, "max_delta_step": 0, "tree_method": "exact"}
    theirs = xgboost.train({**settings(name, **scaled), **plain, "base_score": 0.5}, data, 1)
    objective = objectives.Objective(name, num_class=4, max_delta_step=0, **scaled)
    whole = objective.whole(targets, Alone())

    ours = np.empty((objective.outputs, N, 2), np.float32)
    objective.gradients(margins, targets, whole, ours)

    leaves = theirs.predict(data, pred_leaf=True).reshape(N, -1).astype(int)
    trees = json.loads(theirs.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    assert len(trees) == objective.outputs and len(np.unique(leaves[:, 0])) > (3 if "hinge" in name else N // 6)
    for k, tree in enumerate(trees):
        g, h = (np.bincount(leaves[:, k], ours[k, :, j], len(tree["split_conditions"])) for j in (0, 1))
        used = np.unique(leaves[:, k])
        np.testing.assert_allclose(np.array(tree["sum_hessian"])[used], h[used], rtol=2e-5, atol=1e-6)
        value = np.array(tree["split_conditions"])[used]
        np.testing.assert_allclose(-value * h[used], g[used], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", [*NAMES, *ADAPTIVE])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_first_estimate_is_the_library_s(name: str, weighted: bool) -> None:
    targets, data, _ = given(name, weighted=weighted)
    alphas = (0.2, 0.5) if "quantile" in name else (0.5,)
    more = {"quantile_alpha": list(alphas)} if "quantile" in name else {}
    plain = xgboost.DMatrix(
        data.get_data(), label=targets.label, weight=targets.weight if len(targets.weight) else None
    )
    if targets.upper is not None:
        plain.set_float_info("label_lower_bound", targets.label)
        plain.set_float_info("label_upper_bound", targets.upper)
    theirs = json.loads(xgboost.train(settings(name, **more), plain, 1).save_raw("json"))["learner"]
    objective = objectives.Objective(name, num_class=4, quantile_alpha=alphas)

    score = objective.base_score(targets, objective.whole(targets, Alone()), Alone())

    np.testing.assert_allclose(score, json.loads(theirs["learner_model_param"]["base_score"]), rtol=2e-6, atol=1e-7)
    stated = {key: value for key, value in theirs["objective"].items() if key != "name"}
    assert set(objective.facts) == set(stated)
    for key, facts in objective.facts.items():
        for fact, value in facts.items():
            assert number(value) == number(stated[key][fact])


def number(text: str) -> object:
    """What the text of a model file says, in float32."""
    try:
        return np.float32(json.loads(text)).tolist()
    except ValueError:
        return text


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_the_library_s(name: str) -> None:
    _, data, margins = given(name, weighted=False)
    still = xgboost.train(settings(name, eta=0, max_depth=1, base_score=0.5), data, 1)

    np.testing.assert_allclose(links.transform(name, margins), still.predict(data), rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "alpha"), [("reg:absoluteerror", 0.5), ("reg:quantileerror", 0.3)])
def test_leaves_without_curvature_are_quantiles_as_in_the_library(name: str, alpha: float, weighted: bool) -> None:
    targets, data, margins = given(name, weighted=weighted)
    more = {"quantile_alpha": alpha} if "quantile" in name else {}
    tree = xgboost.train({"objective": name, **more, "eta": 1, "max_depth": 3, "base_score": 0.5}, data, 1)
    objective = objectives.Objective(name, quantile_alpha=(alpha,))
    leaf = tree.predict(data, pred_leaf=True).astype(np.int32)

    ours = objective.leaves(leaf, margins, 0, objective.whole(targets, Alone()))

    want = tree.predict(data, output_margin=True) - margins[:, 0]
    np.testing.assert_allclose([ours[node] for node in leaf], want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [*NAMES, *ADAPTIVE])
def test_it_does_not_matter_how_rows_are_shared_out(name: str) -> None:
    """Bit for bit: gradients, the first estimate, and the quantiles of leaves."""
    targets, _, margins = given(name, weighted=True, grouped=name.startswith("rank"))
    objective = objectives.Objective(name, num_class=4)
    leaf = (np.arange(N) % 3).astype(np.int32)

    def member(group) -> tuple[np.ndarray, np.ndarray, dict[int, float]]:
        mine = np.arange(N)[group.rank :: group.size]
        own = targets.at(mine)
        whole = objective.whole(own, group)
        score = objective.base_score(own, whole, group)
        out = np.empty((objective.outputs, len(own), 2), np.float32)
        objective.gradients(margins[mine], own, whole, out)
        leaves = objective.leaves(leaf[mine], margins[mine], 0, whole) if objective.adaptive else {}
        return out, score, leaves

    alone = member(Alone())
    shared = together(3, member)

    for rank, (gradients, score, leaves) in enumerate(shared):
        np.testing.assert_array_equal(gradients, alone[0][:, rank::3])
        np.testing.assert_array_equal(score, alone[1])
        assert leaves == alone[2]
