"""The artifact, the ensemble, and what a request may choose."""

from __future__ import annotations

import csv
import io
import json
import pickle
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost import interchange
from algoport.algorithms.xgboost.model import Model
from algoport.algorithms.xgboost.options import Options
from algoport.serving.prediction import Predictor
from algoport.serving.refusals import Refusal
from tests.algorithms.xgboost import jobs, trained


def put(folder: Path, **files: xgboost.Booster) -> None:
    for name, booster in files.items():
        (folder / name).write_bytes(booster.save_raw("json" if name.endswith("json") else "ubj"))


def several(objective: str, folder: Path, models: int = 3) -> tuple[list[xgboost.Booster], Any, Rows]:
    """Models of different rows, their matrix and these rows."""
    boosters = [trained.model(objective, data=trained.rows(seed=seed))[0] for seed in range(models)]
    _, matrix, rows = trained.model(objective)
    put(folder, **{f"part_{number}": booster for number, booster in enumerate(boosters)})
    return boosters, matrix, Rows(features=rows)


def asked(**options: Any) -> Options:
    return Options.read(options)


def test_the_library_reads_our_artifact_by_its_name(tmp_path):
    theirs, matrix, rows = trained.model("multi:softprob")
    put(tmp_path, any_name=theirs)
    model = Model.load(tmp_path)

    model.save(tmp_path / "saved")

    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["xgboost-model"]
    again = xgboost.Booster()
    again.load_model(tmp_path / "saved" / "xgboost-model")
    np.testing.assert_allclose(model.predict(Rows(features=rows))["score"], again.predict(matrix), rtol=1e-5, atol=1e-6)
    assert model.width == 6


def test_of_several_files_the_predictions_are_averaged(tmp_path):
    boosters, matrix, rows = several("binary:logistic", tmp_path)

    score = Model.load(tmp_path).predict(rows)["score"]

    np.testing.assert_allclose(score, np.mean([one.predict(matrix) for one in boosters], axis=0), rtol=1e-5, atol=1e-6)
    first = Model.load(tmp_path).predict(rows, asked(SAGEMAKER_INFERENCE_ENSEMBLE="false"))["score"]
    np.testing.assert_allclose(first, boosters[0].predict(matrix), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("objective", ["multi:softmax", "binary:hinge"])
@pytest.mark.parametrize("models", [2, 3])
def test_of_several_files_classes_are_voted_and_the_lowest_of_equals_wins(objective, models, tmp_path):
    boosters, matrix, rows = several(objective, tmp_path, models)

    score = Model.load(tmp_path).predict(rows)["score"]

    each = np.stack([one.predict(matrix) for one in boosters]).astype(int)
    np.testing.assert_array_equal(score, [np.bincount(votes).argmax() for votes in each.T])
    assert len(set(map(tuple, each.T))) > 3


def test_several_models_are_saved_as_several_files(tmp_path):
    several("reg:squarederror", tmp_path)
    model = Model.load(tmp_path)

    model.save(tmp_path / "saved")

    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [f"xgboost-model-{i}" for i in range(3)]
    rows = Rows(features=trained.rows())
    np.testing.assert_array_equal(Model.load(tmp_path / "saved").predict(rows)["score"], model.predict(rows)["score"])


def test_dot_files_and_folders_are_passed_over(tmp_path):
    theirs, _, _ = trained.model()
    put(tmp_path, model=theirs)
    (tmp_path / ".sagemaker").write_text("not a model")
    (tmp_path / "code").mkdir()

    assert len(Model.load(tmp_path).boosters) == 1


def test_archives_that_lie_beside_a_model_are_passed_over(tmp_path):
    """As the local endpoint of the SageMaker SDK leaves them: it unpacks in place."""
    theirs, _, _ = trained.model()
    put(tmp_path, model=theirs)
    for name in ("model.tar.gz", "output.tar.gz"):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(tmp_path / "model", arcname=name)

    assert len(Model.load(tmp_path).boosters) == 1


def test_a_folder_without_a_model_and_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(UserError, match="there is no model"):
        Model.load(tmp_path)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([]))
    with pytest.raises(UserError, match=r"model.pkl: is a Python pickle.*save it again"):
        Model.load(tmp_path)


def test_models_that_cannot_answer_together_are_refused(tmp_path):
    put(tmp_path, one=trained.model("binary:logistic")[0], two=trained.model("reg:squarederror")[0])

    with pytest.raises(UserError, match="two: must have the objective"):
        Model.load(tmp_path)


def test_what_is_chosen_of_two_classes(tmp_path):
    theirs, matrix, rows = trained.model("binary:logistic")
    put(tmp_path, model=theirs)
    keys = "predicted_label, labels, probability, probabilities, raw_score, raw_scores, predicted_score"

    answer = Model.load(tmp_path).predict(Rows(features=rows), asked(SAGEMAKER_INFERENCE_OUTPUT=keys))

    want = theirs.predict(matrix)
    assert list(answer) == keys.split(", ")
    np.testing.assert_array_equal(answer["predicted_label"], want > 0.5)
    np.testing.assert_array_equal(answer["labels"], [[0, 1]] * len(rows))
    for name in ("probability", "raw_score"):
        np.testing.assert_allclose(answer[name], want, rtol=1e-5, atol=1e-6)
    for name in ("probabilities", "raw_scores"):
        np.testing.assert_allclose(answer[name], np.stack([1 - want, want], axis=1), rtol=1e-5, atol=1e-6)
    assert np.isnan(answer["predicted_score"]).all()


def test_what_is_chosen_of_several_classes(tmp_path):
    theirs, matrix, rows = trained.model("multi:softprob")
    put(tmp_path, model=theirs)
    keys = ["predicted_label", "labels", "probability", "probabilities", "raw_score", "raw_scores"]

    answer = Model.load(tmp_path).predict(Rows(features=rows), asked(output=keys))

    want = theirs.predict(matrix)
    np.testing.assert_array_equal(answer["predicted_label"], want.argmax(axis=1))
    np.testing.assert_array_equal(answer["labels"], [[0, 1, 2]] * len(rows))
    for name in ("probability", "raw_score"):
        np.testing.assert_allclose(answer[name], want.max(axis=1), rtol=1e-5, atol=1e-6)
    for name in ("probabilities", "raw_scores"):
        np.testing.assert_allclose(answer[name], want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("objective", "fits", "label"),
    [
        ("reg:squarederror", {"predicted_score"}, None),
        ("reg:logistic", {"predicted_score"}, None),
        ("reg:gamma", {"predicted_score"}, None),
        ("reg:tweedie", {"predicted_score"}, None),
        ("binary:logitraw", {"predicted_label", "labels", "raw_score", "raw_scores"}, lambda score: score > 0),
        ("binary:hinge", {"predicted_label", "labels", "raw_score", "raw_scores"}, lambda score: score),
        ("multi:softmax", {"predicted_label", "labels", "raw_score", "raw_scores"}, lambda score: score),
    ],
)
def test_what_fits_no_objective_is_answered_with_nan(objective, fits, label, tmp_path):
    theirs, matrix, rows = trained.model(objective)
    put(tmp_path, model=theirs)
    keys = ["predicted_label", "labels", "probability", "probabilities", "raw_score", "raw_scores", "predicted_score"]

    answer = Model.load(tmp_path).predict(Rows(features=rows), asked(output=keys))

    assert {name for name, values in answer.items() if not np.isnan(values).any()} == fits
    if label is None:
        np.testing.assert_allclose(answer["predicted_score"], theirs.predict(matrix), rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(answer["predicted_label"], label(theirs.predict(matrix)))


@pytest.mark.parametrize(
    "objective", ["count:poisson", "rank:ndcg", "survival:cox", "survival:aft", "reg:pseudohubererror"]
)
def test_of_other_objectives_nothing_can_be_chosen(objective, tmp_path):
    put(tmp_path, model=trained.model(objective)[0])

    with pytest.raises(UserError, match=f"must not be set for a model of {objective}"):
        Model.load(tmp_path).predict(Rows(features=trained.rows(3)), asked(output="predicted_score"))
    with pytest.raises(UserError, match="SAGEMAKER_INFERENCE_OUTPUT: must not be set"):
        Predictor.of("xgboost", environment={"SAGEMAKER_INFERENCE_OUTPUT": "predicted_score"}).load(tmp_path)


def test_on_the_wire_vectors_that_were_chosen_are_one_field_of_csv(tmp_path):
    theirs, _, rows = trained.model("binary:logistic")
    put(tmp_path, model=theirs)
    predictor = Predictor.of("xgboost", environment={"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probabilities"})
    model = predictor.load(tmp_path)

    answer = predictor.answer(model, predictor.request("text/csv", Rows(features=rows[:4])), "text/csv", "text/csv")
    array = predictor.answer(
        model, predictor.request("text/csv", Rows(features=rows[:4])), "text/csv", "application/x-npy"
    )

    fields = list(csv.reader(io.StringIO(answer.body.decode())))
    numbers = np.load(io.BytesIO(array.body))
    assert [len(line) for line in fields] == [2] * 4 and numbers.shape == (4, 3)
    np.testing.assert_allclose([[float(a), *json.loads(b)] for a, b in fields], numbers, atol=1e-6)


def test_a_key_beyond_the_width_of_the_model_is_refused_in_words_that_say_so(tmp_path):
    theirs, _, rows = trained.model("binary:logistic")
    put(tmp_path, model=theirs)
    predictor = Predictor.of("xgboost")
    d = rows.shape[1]

    with pytest.raises(
        Refusal, match=rf"has key {d}, where the model's number of features is {d} and keys count from 0"
    ):
        predictor.answer(predictor.load(tmp_path), b"0:1.5 %d:2" % d, "text/libsvm", None)


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob"])
def test_contributions_come_beside_the_score_where_they_are_asked_for(objective, tmp_path):
    theirs, matrix, rows = trained.model(objective)
    put(tmp_path, model=theirs)

    answer = Model.load(tmp_path).predict(Rows(features=rows), asked(contributions="shapley"))

    assert list(answer) == ["score", "contributions"]
    np.testing.assert_allclose(
        answer["contributions"], theirs.predict(matrix, pred_contribs=True), rtol=1e-4, atol=1e-5
    )


def test_no_rows_have_no_answers(tmp_path):
    several("multi:softmax", tmp_path)
    keys = ["predicted_label", "labels", "raw_scores"]

    answer = Model.load(tmp_path).predict(Rows(features=trained.rows(5)[:0]), asked(output=keys))

    assert {len(values) for values in answer.values()} == {0}


def test_prediction_uses_the_best_round(tmp_path):
    theirs, matrix, rows = trained.model("binary:logistic", rounds=9)
    theirs.set_attr(best_iteration="2", best_score="0.1")
    put(tmp_path, model=theirs)

    score = Model.load(tmp_path).predict(Rows(features=rows))["score"]

    np.testing.assert_allclose(score, theirs.predict(matrix, iteration_range=(0, 3)), rtol=1e-5, atol=1e-6)


def test_a_model_of_every_booster_survives_being_saved(tmp_path):
    for kind in ("gbtree", "dart", "gblinear"):
        theirs, _, rows = trained.model("multi:softprob", booster=kind)
        model = Model(boosters=(interchange.read(bytes(theirs.save_raw("ubj")), kind),))

        model.save(tmp_path / kind)
        again = Model.load(tmp_path / kind)

        records = Rows(features=rows)
        np.testing.assert_array_equal(again.predict(records)["score"], model.predict(records)["score"])
        again.save(tmp_path / "twice" / kind)
        assert (tmp_path / kind / "xgboost-model").read_bytes() == (
            tmp_path / "twice" / kind / "xgboost-model"
        ).read_bytes()


def test_leaves_are_the_library_s(tmp_path):
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 4)).astype(np.float32)
    matrix = xgboost.DMatrix(rows, rows[:, 0] + rows[:, 1])
    theirs = xgboost.train({"max_depth": 3}, matrix, 5)
    theirs.save_model(tmp_path / "model.ubj")

    answer = Model.load(tmp_path).predict(Rows(features=rows), asked(leaves=True))

    np.testing.assert_array_equal(answer["leaves"], theirs.predict(matrix, pred_leaf=True))


@pytest.mark.parametrize("first", [0, 1])
def test_a_model_remembers_that_its_training_data_counts_from_one(tmp_path, first):
    """As libsvm's own data sets do; a request in CSV with a column fewer is told so."""
    rows = jobs.table(200, missing=0)["train"]
    features = np.hstack([np.zeros((len(rows), first), np.float32), rows.dense() + 9])
    keyed = {"train": Rows(features=sparse.csr_array(features), label=rows.label)}
    model = jobs.trained(keyed, {"objective": "binary:logistic", "num_round": 2})
    model.save(tmp_path)

    loaded = Model.load(tmp_path)
    with pytest.raises(Refusal) as caught:
        Predictor.of("xgboost").answer(loaded, b",".join([b"1"] * (model.width - 1)), "text/csv", None)

    assert loaded.first_feature == first
    remedy = "The data that the model was trained on counts its keys from 1, so that feature 0 is empty: put a missing"
    assert (remedy in str(caught.value)) == bool(first)


def test_files_that_are_no_model_are_passed_over_with_a_note(tmp_path, caplog):
    put(tmp_path, **{"xgboost-model": trained.model()[0]})
    (tmp_path / "README.txt").write_text("of last week")
    (tmp_path / "config.json").write_text('{"a": 1}')

    with caplog.at_level("INFO", logger="algoport"):
        assert len(Model.load(tmp_path).boosters) == 1

    assert {"README.txt: is no XGBoost model in JSON or UBJSON, and is passed over."} <= set(caplog.messages)


def test_a_small_file_that_names_millions_of_features_is_warmed_up_within_a_few_megabytes(tmp_path):
    document = json.loads(bytes(trained.model()[0].save_raw("json")))
    document["learner"]["learner_model_param"]["num_feature"] = str(1 << 24)
    document["learner"]["feature_names"] = document["learner"]["feature_types"] = []
    (tmp_path / "xgboost-model").write_text(json.dumps(document))
    predictor = Predictor.of("xgboost", limit=1 << 28)
    tracemalloc.start()

    predictor.warm_up(predictor.load(tmp_path))

    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
