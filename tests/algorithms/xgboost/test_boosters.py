"""Every booster and way to grow beside the library, on data small enough that both find the same splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost
from scipy import sparse

from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost import interchange
from tests.algorithms.xgboost.jobs import Reports, answers, by_library, table, trained

BINARY = {"objective": "binary:logistic", "max_depth": 4}
SAME = {
    "hist": {},
    "lossguide": {"grow_policy": "lossguide", "max_leaves": 9},
    "exact": {"tree_method": "exact"},
    "boosted forest": {"num_parallel_tree": 3},
    "dart without drops": {"booster": "dart"},
    "dart dropping all, by tree": {"booster": "dart", "rate_drop": 1.0},
    "dart dropping all, by forest": {"booster": "dart", "rate_drop": 1.0, "normalize_type": "forest"},
    "penalties": {"alpha": 0.5, "lambda": 3.0, "gamma": 0.4, "max_delta_step": 0.7, "min_child_weight": 2.0},
    "weighed classes": {"scale_pos_weight": 4.0},
    "gblinear by coordinates": {"booster": "gblinear", "updater": "coord_descent", "max_depth": 6},
    "gblinear, shrunk": {"booster": "gblinear", "updater": "coord_descent", "alpha": 0.01, "lambda": 0.05},
}


@pytest.mark.parametrize("case", SAME)
def test_models_are_the_library_s(case: str) -> None:
    """The figures of every round, the answers, and the answers of the library to the file that we write."""
    rows, given, reports = table(), {**BINARY, **SAME[case]}, Reports()

    ours = trained(rows, given, reports)

    theirs, results = by_library(rows, given)
    for channel in ("train", "validation"):
        losses = [reports.figures[i][f"{channel}:logloss"] for i in range(5)]
        np.testing.assert_allclose(losses, results[channel]["logloss"], rtol=1e-5)
    want = answers(theirs, rows["validation"])
    np.testing.assert_allclose(ours.prediction(rows["validation"]), want, atol=2e-6)
    read = xgboost.Booster(model_file=bytearray(interchange.write(ours.booster)))
    np.testing.assert_allclose(answers(read, rows["validation"]), want, atol=2e-6)


@pytest.mark.parametrize("width", [63, 65, 100, 129])
def test_rows_of_several_groups_of_columns_give_the_library_s_model(width: int) -> None:
    """A group has up to 64 columns, and the last one is filled up with some that are none."""
    random = np.random.default_rng(width)
    features = random.normal(size=(1500, width)).astype(np.float32)
    label = (features[:, 0] + features[:, -1] * features[:, width // 2] > 0).astype(np.float32)[:, None]
    parts = {"train": slice(1000), "validation": slice(1000, None)}
    rows = {name: Rows(features=features[part], label=label[part]) for name, part in parts.items()}

    ours = trained(rows, BINARY)

    theirs, _ = by_library(rows, BINARY)
    np.testing.assert_allclose(ours.prediction(rows["validation"]), answers(theirs, rows["validation"]), atol=2e-6)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
def test_several_classes_are_the_library_s(objective: str, booster: str) -> None:
    rows, reports = table(classes=3), Reports()
    given = {"objective": objective, "num_class": 3, "booster": booster}
    given |= {"max_depth": 3} if booster == "gbtree" else {"updater": "coord_descent"}

    ours = trained(rows, given, reports)

    theirs, results = by_library(rows, given)
    losses = [reports.figures[i]["validation:mlogloss"] for i in range(5)]
    np.testing.assert_allclose(losses, results["validation"]["mlogloss"], rtol=1e-5)
    np.testing.assert_allclose(ours.prediction(rows["validation"]), answers(theirs, rows["validation"]), atol=2e-6)


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:pseudohubererror", "reg:absoluteerror", "reg:gamma"])
def test_regressions_are_the_library_s(objective: str) -> None:
    rows, reports = table(classes=0), Reports()
    rows = {name: replace(part, label=np.abs(part.label) + np.float32(0.1)) for name, part in rows.items()}
    given = {"objective": objective, "max_depth": 3, "eval_metric": ["rmse", "mae"]}

    ours = trained(rows, given, reports)

    theirs, results = by_library(rows, given)
    for metric in ("rmse", "mae"):
        losses = [reports.figures[i][f"validation:{metric}"] for i in range(5)]
        np.testing.assert_allclose(losses, results["validation"][metric], rtol=2e-5)
    want = answers(theirs, rows["validation"])
    np.testing.assert_allclose(ours.prediction(rows["validation"]), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("objective", ["count:poisson", "reg:tweedie", "reg:quantileerror", "survival:cox"])
def test_other_losses_come_close_to_the_library(objective: str) -> None:
    """Their Hessians span so much that roundings decide near ties; after five rounds the figures agree."""
    rows, reports = table(classes=0), Reports()
    rows = {name: replace(part, label=np.floor(np.abs(part.label) * 2) + 1) for name, part in rows.items()}
    given = {"objective": objective, "max_depth": 3, **({"quantile_alpha": 0.7} if "quantile" in objective else {})}

    trained(rows, given, reports)

    _, results = by_library(rows, given)
    for channel, metrics in results.items():
        ((metric, values),) = metrics.items()
        np.testing.assert_allclose(reports.figures[4][f"{channel}:{metric}"], values[-1], rtol=5e-3)


def test_weights_count_as_in_the_library() -> None:
    rows, reports = table(), Reports()
    random = np.random.default_rng(1)
    rows = {name: replace(part, weight=random.choice(np.float32([0, 1, 3]), len(part))) for name, part in rows.items()}

    ours = trained(rows, BINARY, reports)

    theirs, results = by_library(rows, BINARY)
    np.testing.assert_allclose(reports.figures[4]["validation:logloss"], results["validation"]["logloss"][4], rtol=2e-3)
    difference = ours.prediction(rows["validation"]) - answers(theirs, rows["validation"])
    assert np.abs(difference).mean() < 0.01  # a weighted cut may lie elsewhere


def test_approx_comes_close_to_the_library() -> None:
    rows, reports = table(3000), Reports()
    given = {**BINARY, "tree_method": "approx", "max_bin": 64}

    trained(rows, given, reports)

    _, results = by_library(rows, given)
    assert reports.figures[4]["validation:logloss"] == pytest.approx(results["validation"]["logloss"][4], rel=0.02)


@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
def test_sparse_rows_give_what_dense_rows_with_holes_give(booster: str) -> None:
    rows = table(missing=0.5)
    thin = {}
    for name, part in rows.items():
        there = ~np.isnan(part.dense())
        places = np.nonzero(there)[1].astype(np.int32), np.append(0, there.sum(axis=1).cumsum())
        csr = sparse.csr_array((part.dense()[there], *places), part.features.shape)
        thin[name] = replace(part, features=csr)
    given = {"objective": "binary:logistic", "booster": booster}

    dense, compressed = trained(rows, given), trained(thin, given)

    np.testing.assert_array_equal(compressed.prediction(rows["validation"]), dense.prediction(rows["validation"]))


def test_dart_draws_by_the_settings() -> None:
    """Every round drops all, none, or one of the trees before it; factors tell which."""
    rows = table()
    given = {**BINARY, "booster": "dart", "num_round": 6}

    none = trained(rows, {**given, "rate_drop": 1, "skip_drop": 1}).booster.forest.drop
    one = trained(rows, {**given, "one_drop": 1, "eta": 0.5}).booster.forest.drop
    weighted = trained(rows, {**given, "one_drop": 1, "sample_type": "weighted"}).booster.forest.drop

    np.testing.assert_array_equal(none, np.ones(6, np.float32))
    assert one[-1] == np.float32(1 / 1.5) and len(weighted) == 6 and (weighted < 1).any()


@pytest.mark.parametrize("steps", [["refresh"], ["prune"], ["refresh", "prune"]])
@pytest.mark.parametrize("leaves", [0, 1])
def test_an_update_is_the_library_s(steps: list[str], leaves: int) -> None:
    rows, others = table(), table(seed=3)
    start = trained(rows, BINARY)
    given = {
        "objective": "binary:logistic", "process_type": "update", "updater": ",".join(steps), "refresh_leaf": leaves,
        "gamma": 2.0, "max_depth": 3, "num_round": 4,
    }  # fmt: skip

    ours = trained(others, given, start=start)

    old = xgboost.Booster(model_file=bytearray(interchange.write(start.booster)))
    theirs, _ = by_library(others, given, xgb_model=old)
    want = answers(theirs, others["validation"])
    np.testing.assert_allclose(ours.prediction(others["validation"]), want, rtol=1e-4, atol=1e-6)
    assert ours.booster.rounds == 4
