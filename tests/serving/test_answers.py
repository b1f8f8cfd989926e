"""Answers against the plainest way to write them."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from algoport.algorithms.contract import Answer, Column
from algoport.algorithms.contract.records import Rows
from algoport.serving.answers import encoded

CSV, JSON, LINES, PROTOBUF = (
    "text/csv",
    "application/json",
    "application/jsonlines",
    "application/x-recordio-protobuf",
)


def answer(key: str = "predictions", **numbers: str) -> Answer:
    columns = tuple(Column(name=name, meaning="", number=number) for name, number in numbers.items())
    return Answer(columns=columns, key=key, accepts=(CSV,), responses=(CSV, JSON, LINES, PROTOBUF))


def nothing(count: int) -> Rows:
    return Rows(features=np.zeros((count, 1), np.float32))


def plainly(value: np.float32) -> float | None:
    """The number with the fewest digits that is the same float32."""
    return None if not np.isfinite(value) else float(str(value))


@given(some.lists(some.floats(width=32), max_size=30))
def test_float32_is_told_in_the_fewest_digits_that_give_it_back(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)

    as_json = encoded({"x": values}, answer(x="float"), JSON, nothing(len(values)))
    as_csv = encoded({"x": values}, answer(x="float"), CSV, nothing(len(values))).decode().splitlines()

    found = [entry["x"] for entry in json.loads(as_json)["predictions"]]
    assert found == [plainly(value) for value in values]
    assert all(value is None or isinstance(value, float) for value in found)
    np.testing.assert_array_equal(np.array(as_csv, np.float32), values)
    assert all("." in text or "e" in text or text.strip("-") in ("nan", "inf") for text in as_csv)


@given(
    counts=some.lists(some.integers(0, 4), max_size=8),
    vector=some.integers(1, 4),
    seed=some.integers(0, 99),
    key=some.sampled_from(["predictions", ""]),
)
def test_every_column_stands_in_every_record(counts: list[int], vector: int, seed: int, key: str) -> None:
    """Numbers, whole numbers, tables and vectors of many lengths, in the declared order."""
    random, n = np.random.default_rng(seed), len(counts)
    columns = {
        "table": random.integers(-9, 9, (n, vector)).astype(np.float32),
        "ragged": [random.normal(size=count) for count in counts],
        "whole": random.integers(-9, 9, n).astype(np.int32),
        "double": random.normal(size=n),
    }
    declared = answer(key, double="float", whole="int", ragged="float", table="float")

    body = json.loads(encoded(columns, declared, JSON, nothing(n)))
    lines = encoded(columns, declared, LINES, nothing(n)).decode()
    table = encoded(columns, declared, CSV, nothing(n)).decode()

    found = body[key] if key else body
    want = [{name: np.asarray(columns[name][i]).tolist() for name in found[i]} for i in range(n)]
    assert found == want
    assert all(list(entry) == ["double", "whole", "ragged", "table"] for entry in found)
    assert [json.loads(line) for line in lines.splitlines()] == found
    assert lines.endswith("\n") or not n
    flat = [[entry["double"], entry["whole"], *entry["ragged"], *entry["table"]] for entry in found]
    # A vector of no numbers leaves an empty field.
    assert [[float(text) for text in line.split(",") if text] for line in table.splitlines()] == flat


@pytest.mark.parametrize("media", [CSV, LINES])
@pytest.mark.parametrize("count", [1, 5])
def test_in_batch_mode_no_newline_ends_the_answer(media: str, count: int) -> None:
    columns, declared = {"x": np.arange(count)}, answer(x="float")

    once = encoded(columns, declared, media, nothing(count))
    batch = encoded(columns, declared, media, nothing(count), batch=True)

    assert once == batch + b"\n"
    assert batch.count(b"\n") == count - 1


def test_what_is_not_finite_is_null_in_json_and_a_word_in_csv() -> None:
    columns = {"x": np.array([np.nan, -np.inf, 1], np.float32), "y": [np.array([np.inf]), np.array([]), np.ones(2)]}

    assert json.loads(encoded(columns, answer("", x="float", y="float"), JSON, nothing(3))) == [
        {"x": None, "y": [None]},
        {"x": None, "y": []},
        {"x": 1.0, "y": [1.0, 1.0]},
    ]
    assert encoded(columns, answer(x="float", y="float"), CSV, nothing(3)) == b"nan,inf\n-inf,\n1.0,1.0,1.0\n"


def test_a_whole_number_that_is_missing_is_told_as_missing() -> None:
    text = encoded({"x": np.array([1.0, np.nan])}, answer(x="int"), JSON, nothing(2))

    assert json.loads(text) == {"predictions": [{"x": 1.0}, {"x": None}]}


def test_a_prediction_of_too_few_entries_is_not_sent() -> None:
    for media in (CSV, JSON, LINES):
        with pytest.raises(ValueError, match="3 records"):
            encoded({"x": np.ones(2)}, answer(x="float"), media, nothing(3))


def test_a_hundred_thousand_records_take_less_than_two_seconds() -> None:
    """They take a tenth of a second; a Python loop over every number takes several."""
    random = np.random.default_rng(0)
    columns = {"x": random.normal(size=100_000).astype(np.float32), "y": np.arange(100_000)}
    for media in (CSV, JSON, LINES, PROTOBUF):
        began = time.process_time()
        encoded(columns, answer(x="float", y="float"), media, nothing(100_000))
        assert time.process_time() - began < 2
