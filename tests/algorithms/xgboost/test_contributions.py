"""Contributions of features beside the library's, and beside Shapley's own sum over all subsets."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost import booster, interchange
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.trees import LEAF, Tree
from tests.algorithms.xgboost import trained

FAMILIES = [
    ("binary:logistic", {}),
    ("reg:squarederror", {"max_depth": 0, "max_leaves": 40, "grow_policy": "lossguide"}),
    ("multi:softprob", {}),
    ("count:poisson", {"base_score": 2.0}),
    ("binary:logistic", {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}),
    ("binary:logistic", {"booster": "gblinear"}),
    ("reg:quantileerror", {}),
]


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize(("objective", "more"), FAMILIES, ids=str)
def test_contributions_are_the_librarys_and_sum_to_the_margin(objective, more, approximate):
    theirs, matrix, rows = trained.model(objective, rounds=8, **more)
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")

    contributions = model.contributions(Rows(features=rows), approximate=approximate)

    want = theirs.predict(matrix, pred_contribs=True, approx_contribs=approximate)
    np.testing.assert_allclose(contributions, want.reshape(contributions.shape), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(contributions.sum(axis=2), model.margin(Rows(features=rows)), rtol=1e-4, atol=1e-5)


def expectation(tree: Tree, row: np.ndarray, known: tuple[int, ...], node: int = 0) -> float:
    """The answer of a tree when only some features are known."""
    if tree.left[node] == LEAF:
        return float(tree.threshold[node])
    left, right = int(tree.left[node]), int(tree.right[node])
    feature = int(tree.feature[node])
    if feature in known:
        value = row[feature]
        below = bool(tree.default_left[node]) if np.isnan(value) else value < tree.threshold[node]
        return expectation(tree, row, known, left if below else right)
    share = float(tree.cover[left]) / float(tree.cover[left] + tree.cover[right])
    return share * expectation(tree, row, known, left) + (1 - share) * expectation(tree, row, known, right)


def plainly(model: Booster, row: np.ndarray) -> np.ndarray:
    d = model.num_feature
    values = np.zeros(d + 1)
    values[d] = float(model.base_margin[0])
    for tree in model.forest.trees:
        values[d] += expectation(tree, row, ())
        for feature in range(d):
            others = [other for other in range(d) if other != feature]
            for size in range(d):
                factor = factorial(size) * factorial(d - 1 - size) / factorial(d)
                for some in combinations(others, size):
                    gain = expectation(tree, row, (*some, feature)) - expectation(tree, row, some)
                    values[feature] += factor * gain
    return values


def test_contributions_are_shapley_values():
    data = trained.rows(200, 4)
    theirs, _, _ = trained.model("reg:squarederror", rounds=3, data=data, max_depth=6)
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")

    contributions = model.contributions(Rows(features=data[:12]))

    np.testing.assert_allclose(contributions[:, 0], [plainly(model, row) for row in data[:12]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("approximate", [False, True])
def test_sparse_rows_have_the_contributions_of_rows_that_miss_the_rest(approximate):
    theirs, _, rows = trained.model("multi:softprob")
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")
    present = ~np.isnan(rows)
    mentioned = sparse.csr_array((rows[present], np.nonzero(present)), shape=rows.shape)

    contributions = model.contributions(Rows(features=mentioned), approximate=approximate)

    np.testing.assert_array_equal(contributions, model.contributions(Rows(features=rows), approximate=approximate))


def test_of_no_rows_and_no_trees_there_is_the_bias_only():
    theirs, _, rows = trained.model("binary:logistic", base_score=0.3)
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")

    assert model.contributions(Rows(features=rows[:0])).shape == (0, 1, 7)
    none = model.contributions(Rows(features=rows[:2]), 0)
    np.testing.assert_array_equal(none[:, 0], [[0] * 6 + [model.base_margin[0]]] * 2)


def test_more_contributions_than_are_reasonable_are_refused(monkeypatch):
    theirs, _, rows = trained.model("binary:logistic")
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")
    monkeypatch.setattr(booster, "MOST", 70)

    assert model.contributions(Rows(features=rows[:10])).shape == (10, 1, 7)
    with pytest.raises(UserError, match="at most 10 rows"):
        model.contributions(Rows(features=rows[:11]))


def test_splits_by_category_are_refused():
    import xgboost

    values = np.random.default_rng(0).integers(0, 9, (50, 1)).astype(np.float32)
    matrix = xgboost.DMatrix(values, values[:, 0] % 3, feature_types=["c"], enable_categorical=True)
    theirs = xgboost.train({"max_cat_to_onehot": 1}, matrix, 2)
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")

    with pytest.raises(UserError, match="category"):
        model.contributions(Rows(features=values))
