"""What rounds are made of: metrics, early stopping, incremental training, folds, constraints, and messages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost
from scipy import stats

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost import interchange
from algoport.algorithms.xgboost.hyperparameters import Hyperparameters
from algoport.algorithms.xgboost.kfold import folds
from algoport.algorithms.xgboost.model import Model
from tests import data
from tests.algorithms.xgboost.jobs import Reports, answers, by_library, table, trained
from tests.conformance.example import CheckpointFiles, Interrupted

BINARY = {"objective": "binary:logistic", "max_depth": 4}


def test_training_ends_early_and_is_cut_to_the_best_round_as_in_the_library() -> None:
    rows, reports = table(400), Reports()
    given = {**BINARY, "num_round": 60, "eta": 0.8, "eval_metric": ["auc", "logloss"], "early_stopping_rounds": 5}

    ours = trained(rows, given, reports)

    stop = xgboost.callback.EarlyStopping(rounds=5, metric_name="logloss", data_name="validation", save_best=True)
    settings = {name: value for name, value in given.items() if name != "early_stopping_rounds"}
    theirs, results = by_library(rows, settings, callbacks=[stop])
    assert len(reports.figures) == len(results["validation"]["logloss"]) < 60
    assert ours.booster.rounds == theirs.num_boosted_rounds() == ours.booster.best_iteration + 1
    assert ours.booster.best_iteration == theirs.best_iteration
    assert float(ours.booster.attributes["best_score"]) == pytest.approx(theirs.best_score, rel=1e-5)
    np.testing.assert_allclose(ours.prediction(rows["validation"]), answers(theirs, rows["validation"]), atol=2e-6)


def test_the_metric_of_a_tuner_is_measured_and_watched() -> None:
    rows, reports = table(400), Reports()
    given = {**BINARY, "num_round": 40, "eta": 0.9, "eval_metric": "logloss", "early_stopping_rounds": 3}

    model = trained(rows, {**given, "_tuning_objective_metric": "validation:auc"}, reports)

    best = [figures["validation:auc"] for figures in reports.figures.values()]
    assert model.booster.best_iteration == int(np.argmax(best)) and len(best) == np.argmax(best) + 4


@pytest.mark.parametrize("without", ["validation", "eval_metric"])
def test_nothing_ends_early_without_validation_or_metric_and_the_log_says_so(without: str) -> None:
    rows, reports = table(400), Reports()
    given = {**BINARY, "num_round": 12, "eta": 1, "eval_metric": "logloss", "early_stopping_rounds": 1}
    rows.pop(without, None)
    given.pop(without, None)

    model = trained(rows, given, reports)

    assert model.booster.rounds == 12 and any("early_stopping_rounds does nothing" in note for note in reports.notes)


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_incremental_training_adds_rounds_to_a_model_of_the_library(booster: str) -> None:
    rows = table()
    given = {"objective": "binary:logistic", "booster": booster}
    given |= {"updater": "coord_descent"} if booster == "gblinear" else {"max_depth": 3}
    theirs, _ = by_library(rows, given)
    start = Model(boosters=(interchange.read(bytes(theirs.save_raw("ubj")), "theirs"),))

    ours = trained(rows, given, start=start)

    further, _ = by_library(rows, given, xgb_model=theirs)
    assert ours.booster.rounds == 10
    np.testing.assert_allclose(ours.prediction(rows["validation"]), answers(further, rows["validation"]), atol=1e-5)


@pytest.mark.parametrize(
    "more",
    [
        {"booster": "dart", "rate_drop": 0.4},
        {"booster": "gblinear"},
        {"subsample": 0.6, "colsample_bylevel": 0.5, "num_parallel_tree": 2},
        {"early_stopping_rounds": 2, "eval_metric": "error", "num_round": 30},
        {"_kfold": 3, "_num_cv_round": 2},
        {"objective": "reg:absoluteerror"},
        {"objective": "multi:softprob", "num_class": 2, "num_parallel_tree": 2},
    ],
    ids=str,
)
def test_an_interrupted_job_resumes_to_the_same_model(more: dict, tmp_path: Path) -> None:
    rows = table(300)
    given = {**BINARY, **more}

    whole = CheckpointFiles(tmp_path / "whole")
    want = trained(rows, given, checkpoints=whole)
    for cut in {1, whole.saved // 2, whole.saved - 1} - {0}:
        with pytest.raises(Interrupted):
            trained(rows, given, checkpoints=CheckpointFiles(tmp_path / str(cut), dies_after=cut))
        model = trained(rows, given, checkpoints=CheckpointFiles(tmp_path / str(cut)))
        pairs = zip(model.boosters, want.boosters, strict=True)
        assert all(interchange.write(one) == interchange.write(other) for one, other in pairs)


def test_folds_leave_models_figures_and_the_answers_of_models_that_have_not_seen_a_row() -> None:
    rows, reports = table(400), Reports()
    given = {**BINARY, "_kfold": 4, "_num_cv_round": 2, "num_round": 3}

    model = trained(rows, given, reports)

    assert len(model.boosters) == 8
    columns = reports.files["predictions.csv"]
    assert list(columns) == ["label", "prediction", "predicted_label"] and len(columns["label"]) == 400
    np.testing.assert_array_equal(columns["label"], np.concatenate([part.label[:, 0] for part in rows.values()]))
    assert (columns["predicted_label"] == columns["label"]).mean() > 0.8
    assert set(reports.figures[3]) == {"train:logloss", "validation:logloss"}


def test_folds_are_of_one_size_and_have_the_same_share_of_each_class() -> None:
    labels = (np.arange(103) % 3 == 0).astype(np.float32)

    fold = folds(labels, 5, (0, 1), stratified=True)

    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 1
    assert np.ptp([labels[fold == number].sum() for number in range(5)]) <= 1


@pytest.mark.parametrize("rank", ["rank:ndcg", "rank:pairwise", "rank:map"])
def test_ranking_learns_each_query_as_the_library_does(rank: str) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(300, 4)).astype(np.float32)
    relevance = np.digitize(features[:, 0] + random.normal(size=300) / 4, [-1, 0, 1])
    label = (relevance > 1 if rank == "rank:map" else relevance).astype(np.float32)[:, None]
    group = np.repeat(np.arange(30), 10)
    order = random.permutation(300)
    rows = {"train": Rows(features=features[order], label=label[order], group=group[order])}
    reports = Reports()

    trained(rows, {"objective": rank, "max_depth": 3}, reports)

    data_ = xgboost.DMatrix(features, label=label[:, 0], qid=group)
    results: dict = {}
    xgboost.train(
        {"objective": rank, "max_depth": 3},
        data_,
        5,
        evals=[(data_, "train")],
        evals_result=results,
        verbose_eval=False,
    )
    ((metric, values),) = results["train"].items()
    assert reports.figures[4][f"train:{metric}"] == pytest.approx(values[-1], abs=2e-3)


def test_the_answer_rises_where_it_must() -> None:
    rows = table(2000, missing=0)
    model = trained(rows, {**BINARY, "monotone_constraints": "(1,0,-1)", "num_round": 20})

    for feature, sign in ((0, 1), (2, -1)):
        probe = np.repeat(rows["validation"].dense()[:50], 20, axis=0)
        probe[:, feature] = np.tile(np.linspace(-3, 3, 20), 50)
        steps = np.diff(model.prediction(Rows(features=probe)).reshape(50, 20), axis=1)
        assert (sign * steps >= 0).all()


def test_features_meet_only_where_they_may() -> None:
    model = trained(table(2000), {**BINARY, "interaction_constraints": "[[0,2],[1]]", "num_round": 8})

    for tree in model.booster.forest.trees:
        for leaf in np.flatnonzero(tree.is_leaf):
            used, node = set(), tree.parent[leaf]
            while 0 <= node < len(tree):
                used.add(int(tree.feature[node]))
                node = tree.parent[node]
            assert used <= {0, 2} or len(used) <= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objective": "multi:softprob"}, "num_class: must be given"),
        ({"objective": "binary:logistic", "base_score": 1}, "base_score: must be above 0 and below 1"),
        ({"objective": "count:poisson", "base_score": 0}, "base_score: must be above 0"),
        ({"scale_pos_weight": 0}, "scale_pos_weight: must be above 0"),
        ({"subsample": 0}, "subsample: must be above 0"),
        ({"max_bin": 1}, "max_bin: must be at least 2"),
        ({"eval_metric": "nothing"}, "eval_metric: must name metrics"),
        ({"eval_metric": "auc"}, "eval_metric: auc must be used with"),
        ({"eval_metric": "merror"}, "eval_metric: merror must be used with"),
        ({"eval_metric": "aft-nloglik"}, "eval_metric: aft-nloglik must be used with survival:aft"),
        ({"objective": "multi:softmax", "num_class": 3, "eval_metric": "rmse"}, "eval_metric: rmse must be used with"),
        ({"_tuning_objective_metric": "validation:oops"}, "eval_metric: must name metrics"),
        ({"tree_method": "exact", "grow_policy": "lossguide"}, "grow_policy: must be depthwise"),
        ({"tree_method": "exact", "max_depth": 0}, "max_depth: must be at least 1"),
        ({"monotone_constraints": "(1,2)"}, "monotone_constraints: must be"),
        ({"interaction_constraints": "[1,2]"}, "interaction_constraints: must be"),
        ({"booster": "gblinear", "updater": "refresh"}, "updater: must be one of shotgun, coord_descent"),
        ({"process_type": "update"}, "updater: must be refresh and prune"),
        ({"process_type": "update", "updater": "sync"}, "updater: must be refresh and prune"),
        ({"updater": "shotgun"}, "updater: shotgun must be used with gblinear"),
        ({"updater": "grow_colmaker,distcol"}, "updater: must have at most one step"),
        ({"quantile_alpha": "[2]"}, "quantile_alpha: must be numbers from 0 to 1"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together_are_reported(given: dict, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Hyperparameters.read({"num_round": 1, **given})

    assert any(finding.startswith(message) for finding in caught.value.findings), caught.value.findings


@pytest.mark.parametrize(
    ("objective", "label", "message"),
    [
        ("binary:logistic", 2, "a label must be from 0 to 1"),
        ("multi:softmax", 3, "a label must be a whole number from 0 to num_class - 1, which is 2"),
        ("count:poisson", -1, "a label must be at least 0"),
        ("reg:gamma", 0, "a label must be above 0"),
        ("reg:squarederror", np.nan, "a label must be a finite number"),
        ("rank:map", 2, "a label must be 0 or 1"),
        ("survival:cox", 0, "a label must be other than 0"),
    ],
)
def test_labels_that_a_loss_cannot_have_are_reported(objective: str, label: float, message: str) -> None:
    rows = {"train": replace(table()["train"], label=np.full((450, 1), label, np.float32))}

    with pytest.raises(UserError, match=message):
        trained(rows, {"objective": objective, **({"num_class": 3} if "multi" in objective else {})})


def test_what_does_not_fit_the_start_model_is_reported() -> None:
    rows = table()
    start = trained(rows, BINARY)

    with pytest.raises(UserError, match="objective: must be that of the model"):
        trained(rows, {"objective": "reg:squarederror"}, start=start)
    with pytest.raises(UserError, match="booster: must be that of the model"):
        trained(rows, {**BINARY, "booster": "gblinear"}, start=start)
    with pytest.raises(UserError, match="num_round: must be at most the 5 rounds"):
        trained(rows, {**BINARY, "process_type": "update", "updater": "refresh", "num_round": 9}, start=start)
    with pytest.raises(UserError, match="process_type: update must be given a model"):
        trained(rows, {**BINARY, "process_type": "update", "updater": "refresh"})


def test_rows_without_labels_or_with_two_are_reported() -> None:
    rows = table()["train"]

    with pytest.raises(UserError, match="must have a label in each row"):
        trained({"train": replace(rows, label=None)}, BINARY)
    with pytest.raises(UserError, match="label_size must be 1"):
        trained({"train": replace(rows, label=np.ones((450, 2), np.float32))}, BINARY)
    with pytest.raises(UserError, match="weights must be finite"):
        trained({"train": replace(rows, weight=np.full(450, -1, np.float32))}, BINARY)
    with pytest.raises(UserError, match="Channel 'validation' must have rows"):
        trained({"train": rows, "validation": rows[:0]}, BINARY)


def test_times_may_be_intervals_or_censored() -> None:
    """Two labels are an interval; one that is negative says that the event had not come by then."""
    random = np.random.default_rng(0)
    features = random.normal(size=(400, 3)).astype(np.float32)
    time = np.exp(features[:, 0] + random.normal(size=400) / 4).astype(np.float32)
    censored = random.random(400) < 0.3
    one = np.where(censored, -time, time)[:, None].astype(np.float32)
    two = np.stack([time, np.where(censored, np.inf, time)], axis=1).astype(np.float32)

    given = {"objective": "survival:aft", "aft_loss_distribution": "logistic", "num_round": 20}
    by_sign = trained({"train": Rows(features=features, label=one)}, given)
    by_bounds = trained({"train": Rows(features=features, label=two)}, given)

    prediction = by_sign.prediction(Rows(features=features))
    np.testing.assert_array_equal(prediction, by_bounds.prediction(Rows(features=features)))
    assert stats.spearmanr(prediction, time).statistic > 0.7


@pytest.mark.parametrize("name", ["magic", "letters"])
def test_quality_on_real_rows_is_the_library_s(name: str) -> None:
    """Log-loss on held-out rows within 0.3 %, in the mean over five seeds; rows and features are sampled."""
    features, label = getattr(data, name)()
    features, label = features[:8000], label[:8000].astype(np.float32)
    if name == "letters":
        label = (label < 13).astype(np.float32)
    rows = {
        "train": Rows(features=features[:6000], label=label[:6000, None]),
        "validation": Rows(features=features[6000:], label=label[6000:, None]),
    }
    ours, theirs = [], []
    for seed in range(5):
        given = {**BINARY, "num_round": 40, "subsample": 0.9, "colsample_bytree": 0.9, "max_depth": 6, "seed": seed}
        reports = Reports()
        trained({**rows}, given, reports)
        ours.append(reports.figures[39]["validation:logloss"])
        theirs.append(by_library(rows, given)[1]["validation"]["logloss"][-1])

    assert np.mean(ours) <= np.mean(theirs) * 1.01
