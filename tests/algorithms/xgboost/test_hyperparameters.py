"""The settings of boosted trees as today's clients write them, and what is said where they do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.xgboost.hyperparameters import Hyperparameters


def read(**given: Any) -> Hyperparameters:
    return Hyperparameters.read({"num_round": "3", **given})


def refused(**given: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(**given)
    (sentence,) = caught.value.findings
    return sentence


@pytest.mark.parametrize(
    "written", ['{"1": -1}', "{'1': -1}", '{"f1": -1}', "(0,-1)", "[0, -1]", "0,-1", {"1": -1}, (0, -1), '"(0, -1)"']
)
def test_monotone_constraints_are_read_by_position_number_or_name(written: object) -> None:
    assert read(monotone_constraints=written).monotone_constraints == (0, -1)


@pytest.mark.parametrize("written", ["[[0,2],[1]]", "((0, 2), (1,))", '[["f0","f2"],["f1"]]', [[0, 2], [1]]])
def test_interaction_constraints_are_read_by_number_or_name(written: object) -> None:
    assert read(interaction_constraints=written).interaction_constraints == ((0, 2), (1,))


@pytest.mark.parametrize("name", ["monotone_constraints", "interaction_constraints"])
def test_auto_is_no_constraint(name: str) -> None:
    assert getattr(read(**{name: "auto"}), name) == ()


@pytest.mark.parametrize("written", ['{"age": 1}', '{"1": "up"}', "rising", '{"9999999": 1}'])
def test_monotone_constraints_of_other_names_are_refused_with_how_to_write_them(written: str) -> None:
    sentence = refused(monotone_constraints=written)

    assert sentence.startswith("monotone_constraints: must be a list of whole numbers; it is ")
    assert sentence.endswith('or name features by their numbers from 0, {"0": 1, "2": -1}.')


def test_a_number_of_classes_that_changes_nothing_is_passed_over_with_a_note() -> None:
    for objective in ("binary:logistic", "reg:squarederror"):
        for count in ("0", "1"):
            settings = read(objective=objective, num_class=count)
            assert settings.num_class is None
            (notice,) = settings.notices()
            assert notice == f"num_class: '{count}' is passed over, as num_class is of the objectives multi: alone."


def test_one_class_of_several_is_refused_with_the_objective_that_is_meant() -> None:
    sentence = refused(objective="multi:softmax", num_class="1")

    assert sentence.startswith("num_class: must be a whole number at least 2; it is '1'.")
    assert "binary:logistic" in sentence


def test_a_metric_that_does_not_fit_is_refused_with_those_that_do() -> None:
    sentence = refused(objective="multi:softmax", num_class="3", eval_metric="rmse")

    assert sentence.startswith("eval_metric: rmse must be used with one number a row; objective is multi:softmax,")
    assert "merror" in sentence and "mlogloss" in sentence and "logloss, mae" not in sentence
    assert read(objective="multi:softmax", num_class="3", eval_metric="merror")
    assert "rmse" in refused(eval_metric="merror") and "rmse" in refused(eval_metric="no_metric")


def test_lists_of_clients_in_python_are_read() -> None:
    settings = read(eval_metric="['rmse', 'mae']", csv_weights="True", quantile_alpha="[np.float64(0.25)]")

    assert settings.eval_metric == ("rmse", "mae")
    assert settings.csv_weights == 1 and settings.quantile_alpha == (0.25,)
