"""Whole trees: node by node beside the library's, and the same for any number of threads and members."""

from __future__ import annotations

import json
from typing import Any

import numba
import numpy as np
import pytest
import xgboost
from scipy import sparse

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.sampling.reservoir import positions
from algoport.algorithms.xgboost import binning, sampling
from algoport.algorithms.xgboost.grow import FEW, GrowSettings, grow
from algoport.algorithms.xgboost.kernels import draws
from algoport.algorithms.xgboost.trees import Tree
from tests import data
from tests.groups import together

ARRAYS = ("left", "right", "parent", "feature", "threshold", "default_left", "gain", "cover", "weight")
KEY = (0, 0, 0)
NAMES = {"lambda": "lambda_", "monotone_constraints": "monotone", "interaction_constraints": "interactions"}


def derivatives(label: np.ndarray) -> np.ndarray:
    """Of the logistic loss at margin 0."""
    return np.stack([0.5 - label, np.full(len(label), 0.25)], 1).astype(np.float32)


def ours(rows: Any, gradients: np.ndarray, max_bin: int = 256, group: Any = None, drawn: Any = None, **settings: Any):
    group = group or Alone()
    bins = binning.bin_rows(rows, binning.cuts(rows, None, max_bin, group))
    return grow(bins, gradients, GrowSettings(**settings), group, KEY, drawn)


def same(one: Tree, other: Tree) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def assert_like_the_library(rows: np.ndarray, label: np.ndarray, max_bin: int = 256, **settings: Any) -> None:
    """Equal nodes, splits and leaves; the same leaf for every row; sums that differ by float32's rounding."""
    matrix = xgboost.DMatrix(rows, label)
    asked = {name: json.dumps(value) if isinstance(value, list) else value for name, value in settings.items()}
    if "monotone_constraints" in asked:
        asked["monotone_constraints"] = str(tuple(settings["monotone_constraints"]))
    fixed = {"objective": "binary:logistic", "tree_method": "hist", "base_score": 0.5, "max_bin": max_bin}
    booster = xgboost.train({**fixed, **asked}, matrix, 1)
    theirs = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"][0]

    tree, leaf = ours(rows, derivatives(label), max_bin, **{NAMES.get(k, k): v for k, v in settings.items()})

    inner = tree.left >= 0
    np.testing.assert_array_equal(tree.left, theirs["left_children"])
    np.testing.assert_array_equal(tree.right, theirs["right_children"])
    np.testing.assert_array_equal(tree.parent, theirs["parents"])
    np.testing.assert_array_equal(tree.feature, theirs["split_indices"])
    np.testing.assert_array_equal(tree.default_left, theirs["default_left"])
    np.testing.assert_array_equal(tree.threshold[inner], np.array(theirs["split_conditions"], np.float32)[inner])
    np.testing.assert_allclose(tree.threshold, theirs["split_conditions"], rtol=1e-6)
    np.testing.assert_allclose(tree.gain, theirs["loss_changes"], rtol=1e-5)
    np.testing.assert_allclose(tree.cover, theirs["sum_hessian"], rtol=1e-6)
    np.testing.assert_allclose(tree.weight, theirs["base_weights"], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(leaf, booster.predict(matrix, pred_leaf=True).ravel())
    assert len(tree) > 1


def halved(load: Any, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and whether the target is above its mean."""
    rows, target = load()
    return rows[:n], (target[:n] > target.mean()).astype(np.float32)


def holed() -> tuple[np.ndarray, np.ndarray]:
    """Rows with values missing, one column altogether, and one that is constant."""
    rows, label = halved(data.magic, 2000)
    rows = rows.copy()
    rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
    rows[:, 2], rows[:, 5] = np.nan, 3
    return rows, label


@pytest.mark.parametrize("load", [data.digits, data.letters, data.diamonds, data.magic, data.spambase])
def test_trees_are_the_librarys_node_by_node(load):
    assert_like_the_library(*halved(load))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"eta": 0.1, "lambda": 0.0, "max_depth": 3},
        {"gamma": 5.0},
        {"alpha": 3.0},
        {"min_child_weight": 20},
        {"min_child_weight": 0, "max_depth": 9},
        {"max_delta_step": 0.5},
        {"grow_policy": "lossguide", "max_leaves": 20, "max_depth": 0},
        {"grow_policy": "lossguide", "max_leaves": 20, "max_depth": 5},
        {"grow_policy": "depthwise", "max_leaves": 21, "max_depth": 0},
        {"monotone_constraints": [1, -1, 0, 1]},
        {"monotone_constraints": [1, -1, 0, 1], "max_delta_step": 0.3, "alpha": 1.0},
        {"interaction_constraints": [[0, 1, 2], [2, 3, 4, 8]]},
    ],
    ids=str,
)
def test_every_setting_shapes_the_tree_as_in_the_library(settings):
    assert_like_the_library(*holed(), max_bin=128, **settings)


def test_more_than_256_bins_shape_the_tree_as_in_the_library():
    assert_like_the_library(*holed(), max_bin=512)


def test_leaves_of_a_rising_tree_rise():
    rows, label = halved(data.diamonds, 20_000)

    tree, _ = ours(rows, derivatives(label) * 0.7, max_depth=8, monotone=(1,))

    def least_and_most(node: int) -> tuple[float, float]:
        if tree.left[node] < 0:
            return tree.threshold[node], tree.threshold[node]
        (a, b), (c, d) = least_and_most(tree.left[node]), least_and_most(tree.right[node])
        if tree.feature[node] == 0:
            assert b <= c
        return min(a, c), max(b, d)

    least_and_most(0)
    assert (tree.feature == 0).any()


@pytest.mark.parametrize("n", [1000, FEW + 4000])
@pytest.mark.parametrize("policy", ["depthwise", "lossguide"])
def test_any_number_of_threads_grows_the_same_tree(n, policy):
    rows, label = halved(data.diamonds, n)
    settings = {"grow_policy": policy, "max_leaves": 40, "max_depth": 7, "colsample_bynode": 0.7}
    gradients = derivatives(label)
    most = numba.get_num_threads()

    results = []
    for threads in {1, 2, most} & set(range(1, most + 1)):
        numba.set_num_threads(threads)
        try:
            results.append(ours(rows, gradients, **settings))
        finally:
            numba.set_num_threads(most)

    for tree, leaf in results[1:]:
        same(tree, results[0][0])
        np.testing.assert_array_equal(leaf, results[0][1])


@pytest.mark.parametrize("n", [10, 2000, FEW + 4000])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_any_number_of_members_grows_the_same_tree(n, share):
    rows, label = halved(data.diamonds, n)
    gradients = derivatives(label) * np.linspace(0.3, 1, len(label), dtype=np.float32)[:, None]

    def member(group):
        mine = slice(group.rank, None, group.size)
        drawn, own = sampling.sample_rows(gradients[mine], share, "uniform", KEY, group)
        return ours(rows[mine], own, group=group, drawn=drawn, colsample_bylevel=0.5)

    tree, leaf = member(Alone())
    for rank, (shared, own) in enumerate(together(3, member)):
        same(shared, tree)
        np.testing.assert_array_equal(own, leaf[rank::3])


def test_members_without_rows_take_part():
    rows, label = halved(data.letters, 500)
    gradients = derivatives(label)

    def member(group):
        mine = slice(0, None if group.rank == 1 else 0)
        return ours(rows[mine], gradients[mine], group=group)

    for tree, _ in together(3, member):
        same(tree, ours(rows, gradients)[0])


def test_sparse_rows_grow_the_tree_of_dense_ones():
    random = np.random.default_rng(0)
    dense = np.where(random.random((3000, 60)) < 0.1, random.integers(1, 30, (3000, 60)), np.nan).astype(np.float32)
    label = (np.nansum(dense[:, :5], axis=1) > 3).astype(np.float32)
    present = ~np.isnan(dense)
    ends = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    # The library falls over indices of 64 bits.
    places = np.nonzero(present)[1].astype(np.int32), ends.astype(np.int32)
    rows = sparse.csr_array((dense[present], *places), shape=dense.shape)

    for drawn in (None, np.arange(0, 3000, 3, dtype=np.int32)):
        tree, leaf = ours(rows, derivatives(label), drawn=drawn)
        other, where = ours(dense, derivatives(label), drawn=drawn)
        same(tree, other)
        np.testing.assert_array_equal(leaf, where)
    assert_like_the_library(rows, label)


def test_a_tree_of_drawn_rows_is_that_of_these_rows_alone():
    rows, label = halved(data.letters)
    drawn = np.flatnonzero(np.random.default_rng(0).random(len(rows)) < 0.4).astype(np.int32)
    gradients = derivatives(label)

    tree, leaf = ours(rows, gradients, drawn=drawn)
    alone, where = ours(rows[drawn], gradients[drawn])

    same(tree, alone)
    np.testing.assert_array_equal(leaf[drawn], where)


def test_gradients_that_one_row_dwarfs_still_count():
    rows, label = halved(data.magic, FEW + 2000)
    gradients = derivatives(label)
    gradients[0, 0] = 1e6

    tree, _ = ours(rows[1:], gradients[1:])
    dwarfed, _ = ours(np.concatenate([rows[:1] * 0 - 1e9, rows[1:]]), gradients, min_child_weight=0, max_depth=7)

    # The first split sets the row apart, the others are those of the rest.
    inner = int(dwarfed.left[0] if dwarfed.left[dwarfed.left[0]] >= 0 else dwarfed.right[0])
    assert dwarfed.feature[inner] == tree.feature[0]


@pytest.mark.parametrize(
    "rows",
    [
        np.empty((0, 3), np.float32),
        np.ones((1, 3), np.float32),
        np.ones((50, 1), np.float32),
        np.full((50, 2), np.nan, np.float32),
    ],
    ids=["none", "one", "constant", "missing"],
)
def test_what_cannot_be_split_is_one_leaf(rows):
    gradients = derivatives((np.arange(len(rows)) % 2).astype(np.float32))

    tree, leaf = ours(rows, gradients)

    assert len(tree) == 1
    assert leaf.tolist() == [0] * len(rows)
    want = -gradients[:, 0].sum() / (gradients[:, 1].sum() + 1) * 0.3
    np.testing.assert_allclose(tree.threshold[0], want, rtol=1e-6)


def test_ties_go_to_the_lower_feature_and_the_earlier_cut():
    label = np.array([0, 0, 1, 1] * 10, np.float32)
    column = np.array([0, 1, 2, 3] * 10, np.float32)
    rows = np.stack([np.zeros(40, np.float32), column, -column, column], 1)

    tree, _ = ours(rows, derivatives(label), max_depth=1)

    assert (tree.feature[0], tree.threshold[0]) == (1, 2)


def test_draws_of_features_are_of_the_asked_share_and_depend_on_the_key():
    settings = GrowSettings(colsample_bytree=0.5, colsample_bylevel=0.5, colsample_bynode=0.5)

    def allowed(key: tuple[int, ...], depth: int, node: int) -> list[int]:
        mask = np.ones(80, np.uint8)
        sampling.Columns(80, settings, key).restrict_(mask, depth, node)
        return np.flatnonzero(mask).tolist()

    assert len(allowed(KEY, 0, 0)) == 10
    assert allowed(KEY, 1, 2) == allowed(KEY, 1, 2)
    assert allowed(KEY, 1, 2) != allowed(KEY, 1, 3) != allowed(KEY, 2, 3)
    assert allowed(KEY, 1, 2) != allowed((0, 1, 0), 1, 2)


@pytest.mark.parametrize("method", ["uniform", "gradient_based"])
def test_rows_are_drawn_in_the_asked_share(method):
    gradients = np.random.default_rng(0).normal(size=(20_000, 2)).astype(np.float32) ** 2

    rows, scaled = sampling.sample_rows(gradients, 0.3, method, KEY, Alone())

    assert rows is not None
    assert (np.diff(rows) > 0).all()
    assert abs(len(rows) / 20_000 - 0.3) < 0.02
    if method == "gradient_based":
        np.testing.assert_allclose(scaled[rows].sum(axis=0), gradients.sum(axis=0), rtol=0.05)
    other, _ = sampling.sample_rows(gradients, 0.3, method, (0, 1, 0), Alone())
    assert other is not None
    assert len(np.intersect1d(rows, other)) < len(rows)


def test_draws_are_those_of_the_rows_places():
    counts, seed = np.array([5, 0, 9]), np.uint64(7)

    for rank in (0, 2):
        sample = np.empty(counts[rank], np.bool_)
        draws.draw_rows(counts, rank, seed, np.array([0.5], np.float32), sample)

        assert sample.tolist() == [splitmix(place) < 0.5 for place in positions(counts, rank).tolist()]


def splitmix(place: int, seed: int = 7) -> float:
    """In Python's whole numbers."""
    most = 2**64 - 1
    bits = ((place + 1) * 0x9E3779B97F4A7C15 + seed) & most
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & most
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & most
    return (((bits ^ (bits >> 31)) >> 11) + 0.5) * 2.0**-53
