"""Requests as clients send them, from bytes to bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from algoport.algorithms.shared import log
from algoport.serving.prediction import Predictor
from algoport.serving.refusals import Refusal
from tests.algorithms.forecasting_deepar.test_train import steady, trained

NAME, JSON, LINES = "forecasting-deepar", "application/json", "application/jsonlines"


@pytest.fixture(scope="module")
def model() -> Any:
    return trained(steady())


def asked(model: Any, configuration: object, **more: Any) -> Any:
    body = {"instances": [{**steady(1)[0], **more}], "configuration": configuration}
    return json.loads(Predictor.of(NAME).answer(model, json.dumps(body).encode(), JSON, JSON).body)["predictions"][0]


def test_quantiles_come_as_numbers_in_a_body(model: Any) -> None:
    answer = asked(model, {"output_types": ["quantiles"], "quantiles": [0.1, 0.9], "num_samples": 5})

    assert list(answer["quantiles"]) == ["0.1", "0.9"]


def test_quantiles_come_as_numbers_in_the_environment(model: Any) -> None:
    asking = '{"output_types": ["quantiles"], "quantiles": [0.1, 0.9], "num_samples": 5}'
    predictor = Predictor.of(NAME, batch=True, environment={"DEEPAR_INFERENCE_CONFIG": asking})

    answer = predictor.answer(model, json.dumps(steady(1)[0]).encode(), LINES, LINES)

    assert list(json.loads(answer.body)["quantiles"]) == ["0.1", "0.9"]


@pytest.mark.parametrize(
    ("configuration", "sentence"),
    [
        ({"quantiles": [2]}, "quantiles: must be numbers from 0 to 1; one is '2'."),
        ({"quantiles": {"a": 1}}, "quantiles: must be"),
        ({"num_samples": "many"}, "num_samples: must be a whole number"),
        ({"num_samples": 10**9}, "num_samples: must be a whole number from 1 to 100000; it is 1000000000"),
        ({"output_types": [0.5]}, "output_types: must be a list of mean, quantiles, samples"),
        ({"output_type": "mean"}, "output_type: is not an option of this model"),
    ],
)
def test_options_are_refused_in_our_words(model: Any, configuration: object, sentence: str) -> None:
    with pytest.raises(Refusal) as refusal:
        asked(model, configuration)

    assert sentence in str(refusal.value) and "nput should" not in str(refusal.value)


def test_fields_that_are_not_read_are_logged_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(log, "note", notes.append)

    for _ in range(3):
        asked(model, None, item_id="x", feat_static_real=[1], cat=[3])

    assert notes == [
        "a request: fields that are not read: 'feat_static_real', 'item_id'.",
        "a request: fields that the model does not use: 'cat'.",
    ]
