"""Walks and planes beside a plain walk, and beside the library."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import sparse

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost import interchange, packed
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.kernels import bits, planes
from algoport.algorithms.xgboost.trees import LEAF, NO_PARENT, Forest, Tree
from tests.algorithms.xgboost import trained

THRESHOLDS = np.array([-np.inf, -2, -1, -0.0, 0, 1, 2, np.inf], np.float32)


def grown(random: np.random.Generator, d: int, deepest: int, likely: float) -> Tree:
    """A tree of whole numbers, so that every sum is exact; nodes are numbered depth first, as no library does."""
    nodes: list[tuple[int, int, int, int, float, int]] = []

    def grow(parent: int, level: int) -> int:
        me = len(nodes)
        nodes.append((LEAF, LEAF, parent, 0, float(random.integers(-9, 9)), 0))
        if level < deepest and random.random() < likely:
            left, right = grow(me, level + 1), grow(me, level + 1)
            nodes[me] = (left, right, parent, random.integers(d), random.choice(THRESHOLDS), random.integers(2))
        return me

    grow(NO_PARENT, 0)
    left, right, parent, feature, threshold, default_left = zip(*nodes, strict=True)
    zeros = np.zeros(len(nodes), np.float32)
    return Tree(
        left=np.array(left, np.int32),
        right=np.array(right, np.int32),
        parent=np.array(parent, np.int32),
        feature=np.array(feature, np.int32),
        threshold=np.array(threshold, np.float32),
        default_left=np.array(default_left, np.uint8),
        gain=zeros,
        cover=zeros,
        weight=zeros,
    )


def forest(seed: int, t: int, d: int, k: int, deepest: int, likely: float = 0.8) -> Booster:
    random = np.random.default_rng(seed)
    trees = tuple(grown(random, d, deepest, likely) for _ in range(t))
    group = random.integers(0, k, t).astype(np.int32)
    return Booster(
        objective="multi:softprob" if k > 1 else "reg:squarederror",
        num_class=k if k > 1 else 0,
        num_feature=d,
        base_score=np.arange(k, dtype=np.float32),
        forest=Forest(trees, group, np.arange(t + 1, dtype=np.int32)),
    )


def values(seed: int, n: int, d: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.choice(np.append(THRESHOLDS, [np.nan, 0.5, -7]), (n, d)).astype(np.float32)


def plainly(tree: Tree, row: np.ndarray) -> int:
    node = 0
    while tree.left[node] != LEAF:
        value = row[tree.feature[node]]
        left = bool(tree.default_left[node]) if np.isnan(value) else value < tree.threshold[node]
        node = int(tree.left[node] if left else tree.right[node])
    return node


def plain_leaves(model: Booster, rows: np.ndarray) -> np.ndarray:
    return np.array([[plainly(tree, row) for tree in model.forest.trees] for row in rows], np.int64).reshape(
        len(rows), len(model.forest)
    )


def plain_margins(model: Booster, rows: np.ndarray) -> np.ndarray:
    sums = np.tile(model.base_margin, (len(rows), 1))
    for i, row in enumerate(plain_leaves(model, rows)):
        for tree, leaf, group in zip(model.forest.trees, row, model.forest.group, strict=True):
            sums[i, group] += tree.threshold[leaf]
    return sums


@settings(deadline=None, max_examples=40)
@given(
    n=some.sampled_from([0, 1, 7, 8, 9, 63, packed.FEW - 1, packed.FEW, bits.ROWS, bits.ROWS + 1]),
    t=some.sampled_from([1, 7, 8, 17]),
    k=some.sampled_from([1, 3]),
    deepest=some.sampled_from([0, 1, 3, 6, 7, 8, 9, 30]),
    seed=some.integers(0, 999),
)
def test_margins_and_leaves_are_those_of_a_plain_walk(n, t, k, deepest, seed):
    model = forest(seed, t, 5, k, deepest, 0.8 if deepest < 9 else 0.5)
    rows = values(seed, n, 5)

    margins, leaves = model.margin(Rows(features=rows)), model.leaves(Rows(features=rows))

    np.testing.assert_array_equal(margins, plain_margins(model, rows))
    np.testing.assert_array_equal(leaves, plain_leaves(model, rows).reshape(n, t))


@settings(deadline=None, max_examples=10)
@given(n=some.sampled_from([1, 9, packed.FEW, 700]), seed=some.integers(0, 99))
def test_sparse_rows_miss_what_they_do_not_mention(n, seed):
    model = forest(seed, 12, 300, 2, 6)
    rows = np.full((n, 300), np.nan, np.float32)
    random = np.random.default_rng(seed)
    present = random.random(rows.shape) < 0.3
    rows[present] = values(seed, n, 300)[present]
    mentioned = sparse.csr_array(
        (rows[present], np.nonzero(present)), shape=rows.shape
    )  # NaN and zeros are mentioned, too

    for form in (mentioned, mentioned[:, :200]):
        wide = np.full_like(rows, np.nan)
        wide[:, : form.shape[1]] = rows[:, : form.shape[1]]
        np.testing.assert_array_equal(model.margin(Rows(features=form)), plain_margins(model, wide))
        np.testing.assert_array_equal(model.leaves(Rows(features=form)), plain_leaves(model, wide))


@pytest.mark.parametrize("n", [1, 300])
def test_columns_that_rows_lack_are_missing_and_those_beyond_are_not_looked_at(n):
    model = forest(3, 12, 6, 1, 6)
    rows = values(3, n, 9)

    narrow, wide = model.margin(Rows(features=rows[:, :4])), model.margin(Rows(features=rows))

    lacking = rows[:, :6].copy()
    lacking[:, 4:] = np.nan
    np.testing.assert_array_equal(narrow, plain_margins(model, lacking))
    np.testing.assert_array_equal(wide, plain_margins(model, rows[:, :6]))


def test_a_feature_of_more_thresholds_than_a_byte_counts_has_several_columns():
    random = np.random.default_rng(0)
    rows = random.normal(size=(2000, 2)).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    label = np.sin(np.nan_to_num(rows[:, 0]) * 30)
    matrix = xgboost.DMatrix(rows, label)
    theirs = xgboost.train({"max_bin": 1024, "nthread": 1}, matrix, 60)
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")

    features, *_ = model.packed.planes

    assert len(features) > 2
    np.testing.assert_array_equal(model.margin(Rows(features=rows)), plain_margins(model, rows))
    np.testing.assert_array_equal(model.margin(Rows(features=rows))[:, 0], theirs.predict(matrix))


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob"])
def test_leaves_are_numbered_as_in_the_library(objective):
    theirs, matrix, rows = trained.model(objective, num_parallel_tree=2, subsample=0.7)
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")

    leaves = model.leaves(Rows(features=rows))

    np.testing.assert_array_equal(leaves, theirs.predict(matrix, pred_leaf=True).reshape(leaves.shape))


def test_a_range_of_rounds_answers_as_in_the_library():
    theirs, matrix, rows = trained.model("multi:softprob")
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")

    for rounds in range(1, 7):
        want = theirs.predict(matrix, output_margin=True, iteration_range=(0, rounds))
        np.testing.assert_array_equal(model.margin(Rows(features=rows), rounds), want)
    np.testing.assert_array_equal(model.margin(Rows(features=rows), 0), np.tile(model.base_margin, (len(rows), 1)))


def test_an_answer_depends_on_neither_threads_nor_company():
    data = trained.rows(2000, 9)
    theirs, _, _ = trained.model("multi:softprob", data=data, rounds=20, max_depth=7)
    model = interchange.read(bytes(theirs.save_raw("ubj")), "a model")
    whole = model.margin(Rows(features=data))
    before = numba.get_num_threads()

    for threads in range(1, before + 1):
        numba.set_num_threads(threads)
        np.testing.assert_array_equal(model.margin(Rows(features=data)), whole)
    numba.set_num_threads(before)

    for size in (1, 3, 40, packed.FEW, 1111):
        some_rows = data[:size] if size > 40 else data[-size:]
        want = whole[:size] if size > 40 else whole[-size:]
        np.testing.assert_array_equal(model.margin(Rows(features=some_rows)), want)


def test_a_search_meets_thresholds_in_its_order():
    places = planes._met()

    assert sorted(places) == list(range(1, 256))
    assert (places[127], places[63], places[191]) == (1, 2, 3)
    for i, place in enumerate(places):
        number, path = 1, []
        for _ in range(8):
            path.append(number)
            number = 2 * number + bool(places.tolist().index(number) <= i)
        assert (place in path, number - 256) == (True, i + 1)
