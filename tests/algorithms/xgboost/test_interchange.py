"""Model files of the library and ours: each reads the other's, and answers alike."""

from __future__ import annotations

import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.xgboost import interchange, links
from algoport.algorithms.xgboost.booster import Booster
from algoport.algorithms.xgboost.interchange import ubjson
from tests.algorithms.xgboost import trained

FORMS = ("ubj", "json")
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    *((objective, {}) for objective in trained.LABELS),
    *(
        (objective, {"base_score": 0.3})
        for objective in ("binary:logistic", "reg:gamma", "multi:softprob", "rank:ndcg")
    ),
    ("binary:logistic", {"booster": "dart", "rate_drop": 0.4, "one_drop": 1}),
    ("multi:softprob", {"booster": "dart", "rate_drop": 0.4}),
    ("reg:squarederror", {"booster": "gblinear"}),
    ("binary:logistic", {"booster": "gblinear"}),
    ("multi:softprob", {"booster": "gblinear"}),
    ("binary:logistic", {"num_parallel_tree": 3, "subsample": 0.6}),
    ("multi:softmax", {"num_parallel_tree": 2, "subsample": 0.6}),
    ("binary:logistic", {"tree_method": "exact"}),
    ("reg:squarederror", {"tree_method": "approx", "max_depth": 0, "max_leaves": 9, "grow_policy": "lossguide"}),
]


def raw(model: xgboost.Booster, form: str) -> bytes:
    return bytes(model.save_raw(form))


def load(data: bytes) -> xgboost.Booster:
    model = xgboost.Booster()
    model.load_model(bytearray(data))
    return model


def facts(model: xgboost.Booster) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(model.save_raw("json"))
    return document


def alike(ours: Booster, theirs: xgboost.Booster, matrix: xgboost.DMatrix, values: np.ndarray) -> None:
    margins = ours.margin(Rows(features=values), ours.rounds)
    want = theirs.predict(matrix, output_margin=True)
    np.testing.assert_allclose(margins, want.reshape(margins.shape), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(links.transform(ours.objective, margins), theirs.predict(matrix), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("objective", "more"), FAMILIES, ids=str)
def test_the_librarys_models_are_read_and_ours_are_read_by_the_library(objective, more):
    theirs, matrix, values = trained.model(objective, **more)

    for form in FORMS:
        ours = interchange.read(raw(theirs, form), "xgboost-model")
        alike(ours, theirs, matrix, values)
        for written in FORMS:
            again = load(interchange.write(ours, written))
            np.testing.assert_array_equal(again.predict(matrix), theirs.predict(matrix))
            np.testing.assert_array_equal(
                again.predict(matrix, output_margin=True), theirs.predict(matrix, output_margin=True)
            )


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_lost_between_reading_and_writing(form):
    values = trained.rows()
    theirs, _, _ = trained.model("binary:logistic", data=values)
    theirs.set_attr(best_iteration="3", best_score="0.5")
    theirs.feature_names = ["a", "b", "c", "d", "e", "f"]
    theirs.feature_types = ["float"] * 6

    again = load(interchange.write(interchange.read(raw(theirs, form), "a model"), form))

    want, result = facts(theirs), facts(again)
    assert result == want


def test_our_ubjson_is_the_librarys_to_the_byte():
    theirs, _, _ = trained.model("multi:softprob")

    written = interchange.write(interchange.read(raw(theirs, "ubj"), "a model"))

    # All but the base score, which we write as a number where there is only one.
    assert written == raw(theirs, "ubj")


def test_a_model_can_be_trained_further_by_the_library():
    theirs, matrix, _ = trained.model("binary:logistic")
    ours = interchange.write(interchange.read(raw(theirs, "json"), "a model"))

    longer = [
        xgboost.train({"objective": "binary:logistic", "seed": 3}, matrix, 2, xgb_model=load(data))
        for data in (raw(theirs, "ubj"), ours)
    ]

    np.testing.assert_array_equal(longer[0].predict(matrix), longer[1].predict(matrix))


def test_after_early_stopping_the_best_round_answers():
    theirs, matrix, values = trained.model("binary:logistic", rounds=8)
    theirs.set_attr(best_iteration="4")

    ours = interchange.read(raw(theirs, "ubj"), "a model")

    assert (ours.best_iteration, ours.used, ours.rounds) == (4, 5, 8)
    want = theirs.predict(matrix, iteration_range=(0, 5), output_margin=True)
    np.testing.assert_allclose(ours.margin(Rows(features=values))[:, 0], want, rtol=1e-6, atol=1e-6)


def test_files_of_earlier_releases_are_read():
    """Before 3.1 the base score was a number; before 2.0 no rounds were written; 1.0 wrote words for the directions and
    had no kinds of splits, and what had been pruned kept the highest number as its feature."""
    theirs, matrix, values = trained.model("multi:softprob", base_score=0.5, rounds=3)
    old = facts(theirs)
    learner = old["learner"]
    old["version"] = [1, 0, 0]
    learner["learner_model_param"] = {"base_score": "5.000000e-01", "num_class": "3", "num_feature": "6"}
    del learner["feature_names"], learner["feature_types"]
    model = learner["gradient_booster"]["model"]
    del model["iteration_indptr"], model["cats"]
    for tree in model["trees"]:
        tree["default_left"] = [bool(side) for side in tree["default_left"]]
        for name in ("split_type", "categories", "categories_nodes", "categories_segments", "categories_sizes"):
            del tree[name]
        for name, value in (("left_children", -1), ("right_children", -1), ("split_indices", 2147483647)):
            tree[name].append(value)
        for name in ("parents", "default_left", "loss_changes", "sum_hessian", "base_weights", "split_conditions"):
            tree[name].append(0)
        tree["tree_param"]["num_deleted"] = "1"

    ours = interchange.read(json.dumps(old).encode(), "a model")

    assert ours.rounds == 3
    alike(ours, theirs, matrix, values)
    np.testing.assert_array_equal(load(interchange.write(ours)).predict(matrix), theirs.predict(matrix))


def test_splits_by_category_answer_as_in_the_library():
    random = np.random.default_rng(0)
    values = np.column_stack([random.integers(0, 40, 400), random.normal(size=400)]).astype(np.float32)
    values[random.random(values.shape) < 0.1] = np.nan
    label = np.isin(values[:, 0], [1, 5, 7, 33]) + np.nan_to_num(values[:, 1])
    matrix = xgboost.DMatrix(values, label, feature_types=["c", "float"], enable_categorical=True)
    theirs = xgboost.train({"max_cat_to_onehot": 1, "max_depth": 4}, matrix, 9)

    for form in FORMS:
        ours = interchange.read(raw(theirs, form), "a model")
        asked = np.concatenate([values, np.array([[99, 0], [-1, 0], [0.5, 1], [1e9, 1]], np.float32)])
        asked_of = xgboost.DMatrix(asked[: len(values)], feature_types=["c", "float"], enable_categorical=True)

        margins = ours.margin(Rows(features=asked))
        np.testing.assert_allclose(margins[: len(values), 0], theirs.predict(asked_of), rtol=1e-6, atol=1e-6)
        assert np.isfinite(margins).all()
        again = load(interchange.write(ours))
        np.testing.assert_array_equal(again.predict(asked_of), theirs.predict(asked_of))


REFUSED = "with XGBoost 1.3 to 3.0"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (pickle.dumps({"a": 1}), REFUSED),
        (pickle.dumps({"a": 1}, protocol=2), REFUSED),
        (b"binf" + bytes(200), REFUSED),
        (b"bs64\tAAAA", REFUSED),
        (bytes(136) + struct.pack("<Q", 15) + b"binary:logistic" + bytes(9), REFUSED),
        (b"", "is not an XGBoost model"),
        (b"<html>", "is not an XGBoost model"),
        (b"{", "is not a whole UBJSON file"),
        (b'{"learner": ', "is not whole JSON"),
        (b"{}", "learner must be an object"),
        (b'{"learner": 5}', "learner must be an object"),
        (b'{"learner": {}}', "learner.learner_model_param must be an object"),
        (b'{"a":' * 100_000, "is not whole JSON"),
        (b"{" + b"U\x01a{" * 100_000, "nested deeper"),
    ],
)
def test_what_is_no_model_is_refused_in_one_sentence(data, sentence):
    with pytest.raises(UserError, match=sentence):
        interchange.read(data, "xgboost-model")


def _tree(model: dict[str, Any], number: int = 0) -> dict[str, Any]:
    tree: dict[str, Any] = model["learner"]["gradient_booster"]["model"]["trees"][number]
    return tree


def _set(name: str, place: int, value: Any, number: int = 2) -> Any:
    def change(model: dict[str, Any]) -> None:
        _tree(model, number)[name][place] = value

    return change


def _put(path: str, value: Any) -> Any:
    def change(model: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for step in way:
            model = model[step]
        model[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_set("left_children", 0, 0), "tree 2: every child"),
        (_set("left_children", 0, 10_000), "tree 2: every child"),
        (_set("left_children", 0, -7), "tree 2: every child"),
        (_set("right_children", 0, 1), "tree 2: every child"),
        (_set("right_children", 1, 0), "tree 2: every child"),
        (_set("right_children", 1, 2), "tree 2: every child"),
        (_set("split_indices", 0, 6), "tree 2 splits by a feature"),
        (_set("split_indices", 0, -1), "tree 2 splits by a feature"),
        (_set("split_indices", 0, 1 << 40), "tree 2 splits by a feature"),
        (_set("split_conditions", 0, float("nan")), "tree 2 splits where"),
        (_set("split_conditions", -1, float("inf")), "tree 2 has a leaf"),
        (_set("split_conditions", 0, "a"), "split_conditions must be a list of numbers"),
        (_set("left_children", 0, 1.5), "left_children must be a list of numbers"),
        (_set("left_children", 0, 10**30), "left_children must be a list of numbers"),
        (lambda model: _tree(model)["parents"].clear(), ""),
        (lambda model: _tree(model)["left_children"].pop(), "as many numbers"),
        (lambda model: _tree(model).pop("sum_hessian"), "sum_hessian must be a list"),
        (_put("learner.gradient_booster.model.tree_info", [0, 0, 0, 0, 0, 1]), "tree_info"),
        (_put("learner.gradient_booster.model.tree_info", []), "tree_info"),
        (_put("learner.gradient_booster.model.iteration_indptr", [0, 3, 2, 6]), "iteration_indptr"),
        (_put("learner.gradient_booster.model.trees", {}), "list of trees"),
        (_put("learner.gradient_booster.name", "gbforest"), "must be one of"),
        (_put("learner.learner_model_param.num_feature", "-1"), "num_feature"),
        (_put("learner.learner_model_param.num_feature", "9" * 5000), "num_feature"),
        (_put("learner.learner_model_param.num_feature", str((1 << 31) + 1)), "num_feature"),
        (_put("learner.learner_model_param.num_class", "1e9"), "num_class"),
        (_put("learner.learner_model_param.num_class", str(1 << 17)), "num_class"),
        (_put("learner.learner_model_param.base_score", "[1,2]"), "base_score"),
        (_put("learner.learner_model_param.base_score", "[" * 9999), "base_score"),
        (_put("learner.feature_names", ["a"]), "feature_names"),
        (_put("learner.objective", {"name": 5}), "objective.name"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused_in_one_sentence(change, sentence):
    theirs, matrix, values = trained.model("binary:logistic")
    document = facts(theirs)
    change(document)
    data = json.dumps(document).encode()

    if not sentence:
        alike(interchange.read(data, "xgboost-model"), theirs, matrix, values)
        return
    with pytest.raises(UserError, match=sentence) as refusal:
        interchange.read(data, "xgboost-model")
    assert str(refusal.value).startswith("xgboost-model: ")


def test_a_leaf_of_vectors_is_refused():
    random = np.random.default_rng(0)
    values = random.normal(size=(50, 3)).astype(np.float32)
    matrix = xgboost.DMatrix(values, random.normal(size=(50, 2)))
    theirs = xgboost.train({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, matrix, 2)

    with pytest.raises(UserError, match="vectors at their leaves|vectors at its leaves"):
        interchange.read(raw(theirs, "ubj"), "a model")


MODEL = raw(trained.model("multi:softprob", rounds=2)[0], "ubj")


@settings(deadline=None, max_examples=300)
@given(place=some.integers(0, len(MODEL) - 1), byte=some.integers(0, 255), cut=some.booleans())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(place, byte, cut):
    damaged = MODEL[:place] if cut else MODEL[:place] + bytes([byte]) + MODEL[place + 1 :]

    try:
        ours = interchange.read(damaged, "a model")
    except UserError:
        return
    assert len(ours.margin(Rows(features=trained.rows(3)))) == 3


VALUES = some.recursive(
    some.booleans() | some.integers(-(2**62), 2**62) | some.text() | some.none() | some.just(0.5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=20,
)


@settings(deadline=None)
@given(value=VALUES)
def test_ubjson_reads_what_it_writes(value):
    assert ubjson.loads(ubjson.dumps(value), "a file") == value


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "i4", "i8", "f4", "f8"])
def test_ubjson_reads_typed_arrays(kind):
    array = np.arange(7).astype(kind)

    values = ubjson.loads(ubjson.dumps({"a": array}), "a file")["a"]

    assert values.dtype == array.dtype
    np.testing.assert_array_equal(values, array)


@pytest.mark.parametrize(
    "data",
    [
        b"[$d#L" + struct.pack(">q", 1 << 60),
        b"[#L" + struct.pack(">q", 1 << 60),
        b"[#L" + struct.pack(">q", -1),
        b"SL" + struct.pack(">q", 1 << 40),
        b"[$T#U\xff",
        b"[$[#U\xff",
        b"{$U#U\x01",
        b"H",
        b"SU\x01\xff",
        b"[" * 100,
        b"",
    ],
)
def test_ubjson_that_promises_more_than_it_holds_is_refused(data):
    with pytest.raises(UserError, match="a file: is not a whole UBJSON file"):
        ubjson.loads(data, "a file")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("learner.objective.name", "binary:logistc", "objective.name must be one of .*near binary:logistic"),
        ("learner.learner_model_param.base_score", "2", "base_score must be above 0 and below 1 for binary:logistic"),
        ("learner.learner_model_param.base_score", "[0]", "base_score must be above 0 and below 1 for binary:logistic"),
        ("learner.learner_model_param.base_score", "-1E0", "base_score must be above 0 and below 1"),
    ],
)
def test_what_no_answer_could_be_made_of_is_refused(path: str, value: str, sentence: str) -> None:
    document = json.loads(bytes(trained.model("binary:logistic")[0].save_raw("json")))
    *above, last = path.split(".")
    place = document
    for name in above:
        place = place[name]
    place[last] = value

    with pytest.raises(UserError, match=sentence):
        interchange.read(json.dumps(document).encode(), "xgboost-model")


def test_bytes_behind_the_end_of_ubjson_are_refused_but_for_those_that_say_nothing() -> None:
    data = bytes(trained.model()[0].save_raw("ubj"))

    interchange.read(data + b"NN", "xgboost-model")
    with pytest.raises(UserError, match="must end where its UBJSON does; 3 bytes stand behind it"):
        interchange.read(data + b"abc", "xgboost-model")
