"""Whole jobs: quality beside scikit-learn on real data, and what is said of bad settings and rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.knn.hyperparameters import Hyperparameters
from algoport.algorithms.knn.model import Model
from algoport.algorithms.knn.options import Options
from algoport.algorithms.knn.train import fit
from tests.algorithms.knn.jobs import job, labeled, trained
from tests.data import diamonds, digits, letters


@pytest.mark.parametrize("load", [letters, digits])
def test_a_classifier_has_scikit_learns_accuracy(load: Any) -> None:
    rows, label = load()
    order = np.random.default_rng(0).permutation(len(rows))[:6000]
    rows, label = rows[order], label[order]
    half = len(rows) * 3 // 4
    metrics: dict[str, float] = {}

    model = trained(labeled(rows[:half], label[:half]), labeled(rows[half:], label[half:]), metrics=metrics)

    theirs = KNeighborsClassifier(5, algorithm="brute").fit(rows[:half], label[:half])
    own = model.predict(Rows(features=rows[half:]))["predicted_label"]
    far = theirs.kneighbors(rows[half:], 6)[0]
    # Where the fifth neighbor is as far as the sixth, scikit-learn takes either, as its rounding has it.
    clear = far[:, 4] * (1 + 1e-5) < far[:, 5]
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(own[clear], theirs.predict(rows[half:])[clear])
    assert metrics["test:accuracy"] == pytest.approx((own == label[half:]).mean())
    assert metrics["test:macro_f_1.000"] > 0.8


def test_a_regressor_has_scikit_learns_error() -> None:
    rows, price = diamonds()
    rows, price = rows[:6000], price[:6000]
    metrics: dict[str, float] = {}

    trained(
        labeled(rows[:5000], price[:5000]), labeled(rows[5000:], price[5000:]), metrics=metrics,
        predictor_type="regressor",
    )  # fmt: skip

    theirs = KNeighborsRegressor(5, algorithm="brute").fit(rows[:5000], price[:5000]).predict(rows[5000:])
    assert metrics["test:mse"] == pytest.approx(((theirs - price[5000:]) ** 2).mean(), rel=0.01)


def test_verbose_answers_have_distances_labels_and_row_numbers() -> None:
    train = labeled([[0, 0], [1, 0], [0, 3], [9, 9]], [4, 5, 5, 6])
    model = trained(train, k=3)

    answer = model.predict(Rows(features=np.array([[0.25, 0]], np.float32)), Options(verbose=True))

    assert answer["predicted_label"].tolist() == [5]
    assert answer["distances"].tolist() == [[0.0625, 0.5625, 9.0625]]
    assert answer["labels"].tolist() == [[4, 5, 5]]
    assert answer["neighbors"].tolist() == [[0, 1, 2]]


def test_lists_recall_most_of_the_exact_neighbors() -> None:
    rows, label = letters()
    train = labeled(rows[:8000], label[:8000])
    exact = trained(train).index.search(rows[8000:8500], 10)[1]

    for kind, least in (({"index_type": "faiss.IVFFlat"}, 0.9), ({"index_type": "faiss.IVFPQ"}, 0.6)):
        settings = {**kind, "faiss_index_ivf_nlists": 40, "faiss_index_pq_m": 8, "_faiss_index_nprobe": 8}
        own = trained(train, **settings).index.search(rows[8000:8500], 10)[1]
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(own, exact, strict=True)])
        assert recall > least, f"{kind}: {recall}"


@pytest.mark.parametrize("kind", ["sign", "fjlt"])
def test_a_reduction_keeps_distances_nearly(kind: str) -> None:
    rows, label = digits()
    model = trained(
        labeled(rows[:1500], label[:1500]), dimension_reduction_type=kind, dimension_reduction_target=40, k=3
    )

    answer = model.predict(Rows(features=rows[1500:]))["predicted_label"]

    assert (answer == label[1500:]).mean() > 0.9
    reduced = model.preparation(rows[:200], "A row")
    square = ((rows[:200] - rows[1]) ** 2).sum(axis=1)
    ratio = ((reduced - reduced[1]) ** 2).sum(axis=1)[square > 0] / square[square > 0]
    assert abs(ratio.mean() - 1) < 0.15


def test_edited_metadata_changes_the_answers(tmp_path: Path) -> None:
    trained(labeled([[0], [1], [2.5], [9]], [1, 2, 2, 7]), k=1).save(tmp_path)
    path = tmp_path / "model_algo-1.json"
    facts = json.loads(path.read_text())
    assert facts["k"] == 1 and facts["normalize"] is False

    path.write_text(str({**facts, "k": 4, "predictor_type": "regressor"}))  # with Python's words, as on AWS's page

    answer = Model.load(tmp_path).predict(Rows(features=np.zeros((1, 1), np.float32)))
    assert answer["predicted_label"].tolist() == [3]


def sentence(error: pytest.ExceptionInfo[UserError]) -> str:
    return " ".join(error.value.findings)


BASE = {"feature_dim": 6, "k": 3, "predictor_type": "classifier", "sample_size": 100}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"k": 101}, "k: must be at most sample_size (100); it is 101."),
        (
            {"dimension_reduction_type": "sign", "dimension_reduction_target": 6},
            "dimension_reduction_target: must be less than feature_dim (6); it is 6.",
        ),
        ({"dimension_reduction_type": "fjlt"}, "dimension_reduction_target: is required"),
        (
            {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": 2, "index_metric": "COSINE"},
            "index_metric: must be L2 where index_type is faiss.IVFPQ; it is COSINE.",
        ),
        ({"index_type": "faiss.IVFPQ"}, "those that divide the 6 numbers of a row are 1, 2, 3."),
        ({"faiss_index_pq_m": 5}, "faiss_index_pq_m: must be one of 1, 2, 3, 4, 8"),
        ({"_faiss_index_nprobe": 0}, "_faiss_index_nprobe: must be at least 1; it is 0."),
    ],
)
def test_bad_settings_have_their_sentences(settings: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as error:
        Hyperparameters.read({**BASE, **settings})

    assert said in sentence(error)


def test_codes_that_do_not_divide_a_row_fill_it_up_and_the_nearest_that_do_are_named() -> None:
    settings = Hyperparameters.read({**BASE, "index_type": "faiss.IVFPQ", "faiss_index_pq_m": 4})

    assert settings.indexed_width == 8
    assert any("4 does not divide the 6 numbers of a row" in notice and "3" in notice for notice in settings.notices())
    rows = np.random.default_rng(0).normal(size=(400, 6))
    model = trained(labeled(rows, np.arange(400) % 2), **{**BASE, "index_type": "faiss.IVFPQ", "faiss_index_pq_m": 4})
    assert model.index.width == 8 and model.width == 6


def test_bad_rows_and_labels_have_their_sentences() -> None:
    rows = np.array([[1, 2], [0, 0], [3, 1]], np.float32)

    angles = {"k": 3, "sample_size": 9, "index_metric": "COSINE"}
    whole = (
        "label: must be a whole number up to 16,777,216, above or below 0, where predictor_type is classifier; it is"
    )
    for train, settings, said in (
        (labeled(rows, [1, 2, 3]), angles, "row 1, counted from 0, has only"),
        (labeled(rows, [1, 2, 3]), {"k": 4, "sample_size": 9}, "must have at least k (4) rows; it has 3"),
        (labeled(rows, [1, 2.5, 3]), {"k": 1}, whole),
        (labeled(rows, [1, np.nan, 3]), {"k": 1, "predictor_type": "regressor"}, "label: must be a finite number"),
        (Rows(features=rows), {"k": 1}, "every record must have a label"),
    ):
        with pytest.raises(UserError) as error:
            trained(train, **settings)
        assert said in sentence(error), sentence(error)


def test_where_there_are_fewer_rows_than_sample_size_all_are_used_and_the_log_says_so() -> None:
    notes: list[str] = []

    model = trained(labeled([[1], [2], [3]], [1, 2, 3]), k=2, sample_size=50, notes=notes)

    assert model.index.size == 3
    assert "sample_size: 50 is more than the 3 rows of the channel 'train'; all are used." in notes


def test_the_log_has_the_lines_of_the_original() -> None:
    notes: list[str] = []
    train = labeled([[1], [2], [3]], [1, 2, 3])

    fit(job(train, train, k=1, notes=notes))

    for line in (
        "Getting reservoir sample from algo-1...",
        "...Got reservoir sample from algo-1: data=(3, 1), labels=(3,), NaNs=0",
        "Training index...",
        "Adding data to index...",
        "Searching index...",
        "...Done searching index in 0 second(s)",
        "#test_score (algo-1) : ('accuracy', 1.0)",
        "#test_score (algo-1) : ('macro_f_1.000', 1.0)",
    ):
        assert line in notes, notes


def test_a_model_of_coded_rows_cannot_be_trained_on() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 4))
    start = trained(labeled(rows, np.zeros(300)), index_type="faiss.IVFPQ", faiss_index_pq_m=2)

    with pytest.raises(UserError, match="must keep the rows"):
        trained(labeled(rows, np.zeros(300)), start=start)
