"""What is odd about the requests and answers of an algorithm, found in its folder by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from algoport import algorithms
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.wire import AnswerForm, RequestForm, Wire
from algoport.serving.openapi import api_document
from algoport.serving.prediction import Predictor
from algoport.serving.refusals import Refusal

JSON = "application/json"


def test_an_algorithm_without_the_module_is_odd_in_nothing() -> None:
    name = next(name for name in algorithms.names() if not (algorithms.folder(name) / "wire.py").exists())

    assert Wire.of(algorithms.optional_part(name, "wire")) == Wire()


@pytest.mark.parametrize("name", algorithms.names())
def test_what_a_module_defines_is_of_types_that_are_declared(name: str) -> None:
    wire = Wire.of(algorithms.optional_part(name, "wire"))
    answer = algorithms.find(name).answer

    assert set(wire.requests) <= set(answer.accepts)
    assert set(wire.answers) <= set(answer.responses)
    assert not wire.batch_response or wire.batch_response in answer.responses


def test_a_fault_inside_the_module_is_no_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "broken_wire"
    folder.mkdir()
    for module in ("__init__", "hyperparameters", "train"):
        (folder / f"{module}.py").write_text("")
    (folder / "wire.py").write_text("import a_module_that_is_not_there")
    monkeypatch.setenv("ALGORITHM_PATH", str(tmp_path))

    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        algorithms.optional_part("broken-wire", "wire")
    assert algorithms.optional_part("broken-wire", "options") is None


@dataclass(frozen=True)
class Doubling:
    """A model that doubles what it is given."""

    width: int = 2

    def predict(self, records: Any, options: Any) -> dict[str, Any]:
        return {"closest_cluster": 2 * records.dense()[:, 0], "distance_to_cluster": 2 * records.dense()[:, 1]}


def pairs(body: bytes, name: str) -> Rows:
    """Bodies such as `1;2 3;4`."""
    try:
        return Rows(features=np.array([pair.split(b";") for pair in body.split()], np.float32).reshape(-1, 2))
    except ValueError:
        raise UserError(f"{name}: must be pairs of numbers.") from None


ODD = Wire(
    requests={
        JSON: RequestForm(
            read=pairs,
            write=lambda rows: b" ".join(b"%g;%g" % (x, y) for x, y in rows.dense()),
            schema={"type": "string", "description": "pairs"},
        )
    },
    answers={
        JSON: AnswerForm(
            content=lambda prediction: [prediction.columns["distance_to_cluster"], len(prediction.records)],
            entries=lambda content: [{"distance_to_cluster": value} for value in content[0]],
            schema={"type": "array"},
        )
    },
)


@pytest.fixture
def odd() -> Predictor:
    """A predictor of an algorithm whose JSON is another."""
    name = next(
        name for name in algorithms.names() if "distance_to_cluster" in str(algorithms.find(name).answer.columns)
    )
    return replace(Predictor.of(name), wire=ODD, options=None)


def test_requests_and_answers_of_one_type_are_read_and_written_as_the_algorithm_says(odd: Predictor) -> None:
    rows = Rows(features=np.array([[1, 2], [3, 4]], np.float32))

    body = odd.request(JSON, rows)

    assert body == b"1;2 3;4"
    assert odd.answer(Doubling(), body, JSON, JSON).body == b"[[4.0,8.0],2]"
    assert odd.answer(Doubling(), b"1,2\n3,4\n", "text/csv", "text/csv").body == b"2.0,4.0\n6.0,8.0\n"
    with pytest.raises(Refusal, match="the request: must be pairs of numbers") as refused:
        odd.answer(Doubling(), b"1;2;3", JSON, JSON)
    assert refused.value.code == 400
    odd.warm_up(Doubling())


def test_the_description_of_the_server_tells_of_it(odd: Predictor) -> None:
    ask = json.loads(json.dumps(api_document(odd, many=False)))["paths"]["/invocations"]["post"]

    assert ask["requestBody"]["content"][JSON]["schema"] == {"type": "string", "description": "pairs"}
    assert ask["responses"]["200"]["content"][JSON]["schema"] == {"type": "array"}
    assert ask["requestBody"]["content"]["text/csv"]["schema"] == {"type": "string"}


def test_a_module_may_define_some_of_it() -> None:
    wire = Wire.of(SimpleNamespace(BATCH_RESPONSE="application/jsonlines"))  # type: ignore[arg-type]

    assert wire == Wire(batch_response="application/jsonlines")
