"""Every metric beside the library's, or scikit-learn's where the library has none."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import xgboost
from sklearn import metrics

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.xgboost import objectives, scores
from algoport.algorithms.xgboost.kernels import scores as kernels
from algoport.algorithms.xgboost.metrics import Score
from algoport.algorithms.xgboost.related import Targets
from tests.algorithms.xgboost.test_objectives import labels
from tests.groups import together

N = 500
OF_LIBRARY = {
    "reg:squarederror": ["rmse", "mae", "mape", "mphe"],
    "reg:squaredlogerror": ["rmsle"],
    "reg:gamma": ["gamma-deviance", "gamma-nloglik"],
    "reg:tweedie": ["tweedie-nloglik@1.5", "tweedie-nloglik@1.2"],
    "count:poisson": ["poisson-nloglik", "rmse"],
    "binary:logistic": ["logloss", "error", "error@0.7", "auc", "aucpr", "rmse"],
    "binary:logitraw": ["logloss", "error", "auc", "aucpr"],
    "binary:hinge": ["error", "auc"],
    "multi:softmax": ["merror", "mlogloss", "auc", "aucpr"],
    "survival:cox": ["cox-nloglik"],
    "survival:aft": ["aft-nloglik", "interval-regression-accuracy"],
    "rank:ndcg": ["ndcg", "ndcg@3", "ndcg@3-", "auc"],
    "rank:map": ["map", "map@3", "map@3-", "auc"],
    "reg:quantileerror": ["quantile"],
}


def given(name: str, *, weighted: bool) -> tuple[Targets, xgboost.DMatrix, np.ndarray]:
    random = np.random.default_rng(len(name) + weighted)
    y = labels(name, random, N)
    weighted = weighted and not name.startswith(("rank", "survival:cox"))
    weight = random.choice(np.float32([0.5, 1, 2]), N) if weighted else np.empty(0, np.float32)
    margins = (2 * random.normal(size=(N, 4 if name.startswith("multi") else 1))).round(2).astype(np.float32)
    if name == "reg:squaredlogerror":
        margins = np.abs(margins)
    data = xgboost.DMatrix(np.arange(N, dtype=np.float32)[:, None], label=y, weight=weight if len(weight) else None)
    upper, query = None, None
    if name == "survival:aft":
        upper = np.where(np.arange(N) % 4 == 0, np.inf, np.where(np.arange(N) % 4 == 1, y, y + 1)).astype(np.float32)
        y = np.where(np.arange(N) % 4 == 2, 0, y).astype(np.float32)
        data.set_float_info("label_lower_bound", y)
        data.set_float_info("label_upper_bound", upper)
    if name.startswith("rank"):
        query = np.repeat(np.arange(50), 10)
        data.set_group(np.full(50, 10))
    data.set_base_margin(margins if margins.shape[1] > 1 else margins[:, 0])
    return Targets(y, weight, upper, query), data, margins


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OF_LIBRARY)
def test_metrics_are_the_library_s(name: str, weighted: bool) -> None:
    targets, data, margins = given(name, weighted=weighted)
    asked = OF_LIBRARY[name]
    theirs: dict[str, dict[str, list[float]]] = {}
    settings = {"objective": name, "eta": 0, "max_depth": 1, "base_score": 0.5, "eval_metric": asked}
    more = {"num_class": 4} if name.startswith("multi") else {"quantile_alpha": 0.5} if "quantile" in name else {}
    xgboost.train({**settings, **more}, data, 1, evals=[(data, "x")], evals_result=theirs, verbose_eval=False)
    objective = objectives.Objective(name, num_class=4)
    wanted = [Score.named(metric) for metric in asked]

    figures = scores.ScoredChannel.of(objective, targets, Alone(), wanted).values(wanted, margins)

    for metric in asked:
        np.testing.assert_allclose(figures[metric], theirs["x"][metric][0], rtol=1e-5, err_msg=metric)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["binary:logistic", "multi:softprob"])
def test_metrics_of_classes_are_scikit_learn_s(name: str, weighted: bool) -> None:
    targets, _, margins = given(name, weighted=weighted)
    y, answer = targets.label, margins.argmax(axis=1) if margins.shape[1] > 1 else (margins[:, 0] > 0)
    how = {"sample_weight": targets.weight if len(targets.weight) else None}
    want = {
        "accuracy": metrics.accuracy_score(y, answer, **how),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, answer, **how),
        "f1": metrics.f1_score(y, answer, average="macro", **how),
        "f1_macro": metrics.f1_score(y, answer, average="macro", **how),
        "precision_macro": metrics.precision_score(y, answer, average="macro", zero_division=0, **how),
        "precision_micro": metrics.precision_score(y, answer, average="micro", **how),
        "recall_macro": metrics.recall_score(y, answer, average="macro", zero_division=0, **how),
        "recall_micro": metrics.recall_score(y, answer, average="micro", **how),
    }
    if margins.shape[1] == 1:
        want |= {
            "f1_binary": metrics.f1_score(y, answer, **how),
            "precision": metrics.precision_score(y, answer, **how),
            "recall": metrics.recall_score(y, answer, **how),
        }
    wanted = [Score.named(metric) for metric in want]

    figures = scores.ScoredChannel.of(objectives.Objective(name, num_class=4), targets, Alone(), wanted).values(
        wanted, margins
    )

    for metric, value in want.items():
        np.testing.assert_allclose(figures[metric], value, rtol=1e-12, err_msg=metric)


def test_squares_and_r2_are_scikit_learn_s() -> None:
    targets, _, margins = given("reg:squarederror", weighted=True)
    wanted = [Score.named(metric) for metric in ("mse", "r2")]

    figures = scores.ScoredChannel.of(objectives.Objective("reg:squarederror"), targets, Alone(), wanted).values(
        wanted, margins
    )

    how = {"sample_weight": targets.weight}
    np.testing.assert_allclose(
        figures["mse"], metrics.mean_squared_error(targets.label, margins[:, 0], **how), rtol=1e-6
    )
    np.testing.assert_allclose(figures["r2"], metrics.r2_score(targets.label, margins[:, 0], **how), rtol=1e-6)


@pytest.mark.parametrize("name", OF_LIBRARY)
def test_every_member_measures_all_rows(name: str) -> None:
    targets, _, margins = given(name, weighted=True)
    names = [*OF_LIBRARY[name], *(["f1", "accuracy", "balanced_accuracy"] if "multi" in name else [])]
    wanted = [Score.named(metric) for metric in names]
    objective = objectives.Objective(name, num_class=4)

    def member(group) -> dict[str, float]:
        mine = np.arange(N)[group.rank :: group.size]
        return scores.ScoredChannel.of(objective, targets.at(mine), group, wanted).values(wanted, margins[mine])

    alone, shared = member(Alone()), together(3, member)

    for figures in shared:
        assert figures == shared[0]
        # The log losses of 256 rows are added up in float32.
        np.testing.assert_allclose(list(figures.values()), list(alone.values()), rtol=1e-6)


@pytest.mark.parametrize("labels_", [[0.0, 0.0], [1.0, 1.0], []])
@pytest.mark.parametrize("metric", ["auc", "aucpr"])
def test_there_is_no_area_where_there_is_one_class(metric: str, labels_: list[float]) -> None:
    targets = Targets(np.array(labels_, np.float32))
    wanted = [Score.named(metric)]
    margins = np.ones((len(labels_), 1), np.float32)

    figures = scores.ScoredChannel.of(objectives.Objective("binary:logistic"), targets, Alone(), wanted).values(
        wanted, margins
    )

    assert np.isnan(figures[metric])


@pytest.mark.parametrize(
    "written", ["error@", "error@x", "auc@3", "ndcg@0", "map@1.5", "tweedie-nloglik@2", "nothing", "rmse-"]
)
def test_what_is_no_metric_is_none(written: str) -> None:
    with pytest.raises(ValueError):
        Score.named(written)


def test_logarithms_are_right_to_float32() -> None:
    values = np.concatenate([np.exp(np.linspace(-36, 30, 5000)), 1 + np.linspace(-1e-3, 1e-3, 999)]).astype(np.float32)

    logarithms = np.array([_logged(value) for value in values])

    np.testing.assert_allclose(logarithms, np.log(values.astype(np.float64)), rtol=3e-7, atol=3e-8)


@numba.njit
def _logged(value: float) -> float:
    return kernels.log(np.float32(value))
