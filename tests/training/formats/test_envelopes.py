"""Bodies of other servers' clients."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.training import formats
from algoport.training.formats import ContentType, Layout

ROWS = [[1.5, 2.0], [3.0, 4.0]]
TENSOR = {"name": "input-0", "shape": [2, 2], "datatype": "FP32"}


def read(body: Any, width: int | None = 2) -> Any:
    text = json.dumps(body).encode()
    return formats.whole(text, ContentType("application/json"), Layout("the request", width=width))


@pytest.mark.parametrize(
    "body",
    [
        ROWS,
        {"instances": ROWS},
        [{"features": row} for row in ROWS],
        {"dataframe_split": {"columns": ["a", "b"], "index": [0, 1], "data": ROWS}},
        {"dataframe_split": {"data": ROWS}},
        {"columns": ["a", "b"], "data": ROWS},
        {"inputs": ROWS},
        {"id": "7", "inputs": [{**TENSOR, "data": ROWS}]},
        {"inputs": [{**TENSOR, "data": [1.5, 2.0, 3.0, 4.0]}]},
        {"inputs": [{**TENSOR, "shape": [2, 1, 2], "data": [[[1.5, 2.0]], [[3.0, 4.0]]]}]},
    ],
)
def test_rows_are_read_from_the_bodies_that_are_well_known(body: Any) -> None:
    np.testing.assert_array_equal(read(body).dense(), ROWS)


def test_truth_values_of_a_tensor_of_them_are_numbers() -> None:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "BOOL"}
    for data in ([True, False], [[True, False]], [1, 0]):
        assert read({"inputs": [{**tensor, "data": data}]}).dense().tolist() == [[1, 0]]
    with pytest.raises(UserError, match="it has true; write 1"):
        read({"inputs": [{**tensor, "datatype": "FP32", "data": [True, False]}]})


def test_no_rows_are_none() -> None:
    for body in ([], {"instances": []}, {"dataframe_split": {"data": []}}, {"inputs": []}):
        assert len(read(body)) == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([1.5, 2.0], "must be a list of rows, such as [[1.5, 2], [3, 4]]"),
        ([[1.5, 2.0, 3.0]], "instance 1: 3 features, where the width is 2"),
        ([[1.5, "x"]], "instance 1"),
        ([[[1.5], [2.0]]], "instance 1"),
        ({"dataframe_records": [{"a": 1.5}]}, "knows only their order"),
        ({"inputs": {"a": [1.5]}}, "knows only their order"),
        ({"inputs": 7}, "must be a list of rows, or of one tensor"),
        ({"dataframe_split": {"columns": ["a"], "data": ROWS}}, "instance 1: has 2 numbers, where 1 columns are named"),
        ({"dataframe_split": {"columns": ["a"]}}, 'must have a list "data"'),
        ({"inputs": [{**TENSOR, "data": ROWS}, {**TENSOR, "data": ROWS}]}, "must hold one tensor"),
        ({"inputs": [{**TENSOR, "data": [1.5]}]}, "has 1 numbers, where its shape [2, 2] says 4"),
        ({"inputs": [{**TENSOR, "datatype": "BYTES", "data": ["a"]}]}, "must have a datatype of numbers"),
        ({"inputs": [{**TENSOR, "shape": [2, True], "data": ROWS}]}, 'must have a "shape" such as [2, 4]'),
        ({"inputs": [TENSOR]}, "binary data is not read"),
        ({"inputs": [{**TENSOR, "data": [[1.5], [2.0, 3.0, 4.0]]}]}, "lists within lists are not as its shape [2, 2]"),
        ({"inputs": [{**TENSOR, "shape": [1, 4], "data": ROWS}]}, "lists within lists are not as its shape [1, 4]"),
        ({"inputs": [{**TENSOR, "shape": [2, 0], "data": []}]}, "has rows without features: its shape is [2, 0]"),
        ({"inputs": None}, "must be a list of rows, or of one tensor; it is null"),
    ],
)
def test_what_cannot_be_read_of_them_is_named(body: Any, says: str) -> None:
    with pytest.raises(UserError) as refused:
        read(body)

    assert says in str(refused.value) and str(refused.value).startswith("the request")
