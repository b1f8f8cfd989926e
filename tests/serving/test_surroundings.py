"""Options that the environment sets are checked at start, for every algorithm."""

from __future__ import annotations

import pytest

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.serving.prediction import Predictor

VARIABLES = [(name, variable) for name in algorithms.names() for variable in algorithms.find(name).environment]


def options(name: str, **environment: str) -> object:
    return Predictor.of(name, environment=environment)._chosen({}, None)


@pytest.mark.parametrize(("name", "variable"), VARIABLES)
def test_a_value_that_cannot_be_ends_the_start_with_a_sentence(name: str, variable: str) -> None:
    with pytest.raises(UserError, match=f"^{variable}: ") as refused:
        Predictor.of(name, environment={variable: "nonsense"})

    assert "nonsense" in str(refused.value) and "must be" in str(refused.value)


@pytest.mark.parametrize("text", ["Predicted_Label, PROBABILITIES", '["predicted_label", "Probabilities"]'])
def test_the_case_of_words_does_not_matter(text: str) -> None:
    if text.startswith("["):
        text = text.lower()
    chosen = options("xgboost", SAGEMAKER_INFERENCE_OUTPUT=text, SAGEMAKER_INFERENCE_ENSEMBLE="FALSE")

    assert chosen.output == ("predicted_label", "probabilities") and chosen.ensemble is False  # type: ignore[attr-defined]
    assert options("randomcutforest", RCF_ATTRIBUTION="Total").attribution == "total"  # type: ignore[attr-defined]


def test_the_nearest_word_is_named() -> None:
    with pytest.raises(
        UserError, match="it is 'probability,predicted_lables'. The nearest of them is predicted_label."
    ):
        options("xgboost", SAGEMAKER_INFERENCE_OUTPUT="probability,predicted_lables")
    with pytest.raises(UserError, match=r"^DEEPAR_INFERENCE_CONFIG: num_sampels: is not an option.*num_samples"):
        options("forecasting-deepar", DEEPAR_INFERENCE_CONFIG='{"num_sampels": 3}')
    with pytest.raises(UserError, match="The nearest of them is application/jsonlines."):
        Predictor.of("kmeans", default="application/jsonline")


def test_the_environment_gives_way_to_the_request() -> None:
    predictor = Predictor.of("randomcutforest", environment={"RCF_ATTRIBUTION": "total"})

    assert predictor._chosen({}, {"attribution": "none"}).attribution == "none"
