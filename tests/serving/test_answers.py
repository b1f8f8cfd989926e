"""Answers against the plainest way to write them."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from algoport.algorithms.contract import Answer, Column
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.wire import AnswerForm, Message, Prediction, Wire
from algoport.algorithms.shared.vision.decoding import decode
from algoport.serving.answers import Writer, encode
from algoport.training.formats.layout import Layout
from algoport.training.formats.record import message
from algoport.training.formats.recordio import frames

CSV, JSON, LINES, PROTOBUF, NPY, PNG = (
    "text/csv",
    "application/json",
    "application/jsonlines",
    "application/x-recordio-protobuf",
    "application/x-npy",
    "image/png",
)


def answer(key: str = "predictions", **numbers: str) -> Answer:
    columns = tuple(Column(name=name, meaning="", number=number) for name, number in numbers.items())
    return Answer(columns=columns, key=key, accepts=(CSV,), responses=(CSV, JSON, LINES, PROTOBUF, NPY, PNG))


def nothing(count: int) -> Rows:
    return Rows(features=np.zeros((count, 1), np.float32))


def plainly(value: np.float32) -> float | None:
    """The number with the fewest digits that is the same float32."""
    return None if not np.isfinite(value) else float(str(value))


@given(some.lists(some.floats(width=32), max_size=30))
def test_float32_is_written_in_the_fewest_digits_that_give_it_back(numbers: list[float]) -> None:
    values = np.array(numbers, np.float32)

    as_json = encode({"x": values}, answer(x="float"), JSON, nothing(len(values)))
    as_csv = encode({"x": values}, answer(x="float"), CSV, nothing(len(values))).decode().splitlines()

    numbers_read = [entry["x"] for entry in json.loads(as_json)["predictions"]]
    assert numbers_read == [plainly(value) for value in values]
    assert all(value is None or isinstance(value, float) for value in numbers_read)
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

    body = json.loads(encode(columns, declared, JSON, nothing(n)))
    lines = encode(columns, declared, LINES, nothing(n)).decode()
    table = encode(columns, declared, CSV, nothing(n)).decode()

    entries = body[key] if key else body
    want = [{name: np.asarray(columns[name][i]).tolist() for name in entries[i]} for i in range(n)]
    assert entries == want
    assert all(list(entry) == ["double", "whole", "ragged", "table"] for entry in entries)
    assert [json.loads(line) for line in lines.splitlines()] == entries
    assert lines.endswith("\n") or not n
    flat = [[entry["double"], entry["whole"], *entry["ragged"], *entry["table"]] for entry in entries]
    # A vector of no numbers leaves an empty field.
    assert [[float(text) for text in line.split(",") if text] for line in table.splitlines()] == flat


def test_tables_of_differing_sizes_stay_whole_in_json_and_are_a_line_each_in_csv() -> None:
    tables = [np.array([[1, 2], [3, np.nan]]), np.empty((0, 2)), np.array([[5.0, 6.0]])]

    body = json.loads(encode({"x": tables}, answer("", x="float"), JSON, nothing(3)))
    table = encode({"x": tables}, answer(x="float"), CSV, nothing(3))

    assert [entry["x"] for entry in body] == [[[1.0, 2.0], [3.0, None]], [], [[5.0, 6.0]]]
    assert table == b"1.0,2.0,3.0,nan\n\n5.0,6.0\n"


@pytest.mark.parametrize("media", [CSV, JSON, LINES])
def test_answers_of_batch_mode_can_be_joined_with_newlines_or_without(media: str) -> None:
    """As AssembleWith Line and None do; blank lines are read over."""
    declared = answer(x="float")
    sizes = (2, 1, 3)
    answers = [encode({"x": np.arange(size)}, declared, media, nothing(size), batch=True) for size in sizes]

    for joined in (b"\n".join(answers) + b"\n", b"".join(answers)):
        lines = [line for line in joined.decode().splitlines() if line]
        if media == JSON:
            entries = [entry["x"] for line in lines for entry in json.loads(line)["predictions"]]
        else:
            entries = [json.loads(line)["x"] if media == LINES else float(line) for line in lines]
        assert entries == [x for size in sizes for x in range(size)]


@pytest.mark.parametrize("media", [CSV, JSON, LINES, PROTOBUF, NPY])
def test_an_answer_in_parts_is_the_answer_at_once(media: str) -> None:
    random = np.random.default_rng(1)
    columns: dict[str, Any] = {"x": random.normal(size=9), "y": random.normal(size=(9, 2)).astype(np.float32)}
    declared, records = answer(x="float", y="float"), nothing(9)
    writer = Writer(declared, media)

    sizes = []
    for part in (slice(0, 4), slice(4, 4), slice(4, 9)):
        sizes.append(writer.add({name: column[part] for name, column in columns.items()}, records[part]))
    text = writer.body(records)

    assert text == encode(columns, declared, media, records)
    assert sum(sizes) >= len(text)


def test_a_vector_is_one_field_of_csv_where_it_is_declared_so() -> None:
    declared = Answer(
        columns=(Column(name="label", meaning="", number="int"), Column(name="p", meaning="", bracketed=True))
    )
    table = np.array([[0.2, 0.8], [1, np.nan]], np.float32)

    assert encode({"label": [1, 0], "p": table}, declared, CSV, nothing(2)) == b'1,"[0.2, 0.8]"\n0,"[1.0, nan]"\n'
    assert encode({"p": table[:, 0]}, declared, CSV, nothing(2)) == b"0.2\n1.0\n"
    assert encode({"p": table[:0]}, declared, CSV, nothing(0)) == b""


def test_a_csv_answer_can_be_one_line_as_older_images_have_it() -> None:
    declared, numbers = answer(x="float"), np.array([0.5, 1.5, 2.5], np.float32)
    table = np.array([[0.2, 0.8], [0.5, 0.5]], np.float32)

    def written(column: Any, batch: bool) -> bytes:
        writer = Writer(declared, CSV, batch=batch, joined=True)
        writer.add({"x": column[:1]}, nothing(1))
        writer.add({"x": column[1:]}, nothing(len(column) - 1))
        return writer.body(nothing(len(column)))

    assert written(numbers, batch=False) == b"0.5,1.5,2.5\n"
    assert written(numbers, batch=True) == b"0.5\n1.5\n2.5\n"
    assert written(table, batch=False) == b"[0.2, 0.8],[0.5, 0.5]\n"
    assert written(table, batch=True) == b"[0.2, 0.8]\n[0.5, 0.5]\n"


def test_what_is_not_finite_is_null_in_json_and_a_word_in_csv() -> None:
    columns = {"x": np.array([np.nan, -np.inf, 1], np.float32), "y": [np.array([np.inf]), np.array([]), np.ones(2)]}

    assert json.loads(encode(columns, answer("", x="float", y="float"), JSON, nothing(3))) == [
        {"x": None, "y": [None]},
        {"x": None, "y": []},
        {"x": 1.0, "y": [1.0, 1.0]},
    ]
    assert encode(columns, answer(x="float", y="float"), CSV, nothing(3)) == b"nan,inf\n-inf,\n1.0,1.0,1.0\n"


def test_a_whole_number_that_is_missing_is_reported_as_missing() -> None:
    text = encode({"x": np.array([1.0, np.nan])}, answer(x="int"), JSON, nothing(2))

    assert json.loads(text) == {"predictions": [{"x": 1.0}, {"x": None}]}


def test_a_prediction_of_too_few_entries_is_not_sent() -> None:
    for media in (CSV, JSON, LINES):
        with pytest.raises(ValueError, match="3 records"):
            encode({"x": np.ones(2)}, answer(x="float"), media, nothing(3))


def test_a_hundred_thousand_records_take_less_than_two_seconds() -> None:
    """They take a tenth of a second; a Python loop over every number takes several."""
    random = np.random.default_rng(0)
    columns = {"x": random.normal(size=100_000).astype(np.float32), "y": np.arange(100_000)}
    for media in (CSV, JSON, LINES, PROTOBUF):
        began = time.process_time()
        encode(columns, answer(x="float", y="float"), media, nothing(100_000))
        assert time.process_time() - began < 2


def test_an_array_has_a_row_a_record_and_the_columns_side_by_side() -> None:
    random = np.random.default_rng(0)
    cube, whole = random.normal(size=(3, 2, 4)).astype(np.float32), np.arange(3)

    alone = np.load(io.BytesIO(encode({"x": cube}, answer(x="float"), NPY, nothing(3))), allow_pickle=False)
    beside = encode({"x": cube, "y": whole}, answer(y="int", x="float"), NPY, nothing(3))

    np.testing.assert_array_equal(alone, cube)
    assert alone.dtype == np.float32
    want = np.column_stack([whole, cube.reshape(3, 8)])
    np.testing.assert_array_equal(np.load(io.BytesIO(beside), allow_pickle=False), want)


def test_an_array_of_lists_needs_lists_of_one_length_and_none_make_an_array_of_none() -> None:
    declared = answer(x="float")
    pairs, ragged = [np.ones(2), np.zeros(2)], [np.ones(2), np.ones(3)]

    stacked = np.load(io.BytesIO(encode({"x": pairs}, declared, NPY, nothing(2))), allow_pickle=False)
    empty = np.load(io.BytesIO(encode({"x": []}, declared, NPY, nothing(0))), allow_pickle=False)

    np.testing.assert_array_equal(stacked, pairs)
    assert len(empty) == 0
    with pytest.raises(UserError, match="'x' has entries of several shapes"):
        encode({"x": ragged}, declared, NPY, nothing(2))
    with pytest.raises(UserError, match="'x' has entries of several shapes"):
        encode({"x": ["a", {"b": 1}]}, answer(x="json"), NPY, nothing(2))


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (3, 5, 3), (4, 4, 1)])
def test_a_picture_is_a_png_of_the_same_pixels_in_every_type_of_answer(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    columns, declared = {"score": np.ones(1), "mask": [pixels]}, answer(score="float", mask="pixels")

    data = encode(columns, declared, PNG, nothing(1))

    channels = shape[2] if len(shape) > 2 else 1
    np.testing.assert_array_equal(decode(data, channels, "it").reshape(shape), pixels)
    assert json.loads(encode(columns, declared, JSON, nothing(1)))["predictions"][0]["mask"] == pixels.tolist()


@pytest.mark.parametrize("count", [0, 2])
def test_a_png_is_refused_where_it_would_have_to_be_no_picture_or_several(count: int) -> None:
    columns = {"mask": [np.zeros((2, 2), np.uint8)] * count}

    with pytest.raises(UserError, match=f"is one picture; the request has {count} records"):
        encode(columns, answer(mask="pixels"), PNG, nothing(count))


def arranged(content: Any) -> Wire:
    """What is odd in every type of answer."""
    form = AnswerForm(content=content, entries=lambda value: [value], schema={})
    return Wire(answers=dict.fromkeys((CSV, JSON, LINES, PROTOBUF, NPY, PNG), form))


def test_what_an_algorithm_arranges_becomes_bytes_of_the_type() -> None:
    """A value, lines, an array, a picture, and bytes as they are; each from the columns in their declared order."""
    columns, declared = {"b": np.ones(1), "a": np.array([2])}, answer(a="int", b="float")
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)

    def written(content: Any, media: str) -> bytes:
        def arrange(prediction: Prediction) -> Any:
            assert list(prediction.columns) == ["a", "b"] and len(prediction.records) == 1
            return content

        return encode(columns, declared, media, nothing(1), wire=arranged(arrange))

    assert json.loads(written({"x": np.ones(2, np.float32)}, JSON)) == {"x": [1.0, 1.0]}
    assert written([{"x": 1}, [2]], LINES) == b'{"x":1}\n[2]\n'
    np.testing.assert_array_equal(np.load(io.BytesIO(written(pixels, NPY)), allow_pickle=False), pixels)
    np.testing.assert_array_equal(decode(written(pixels, PNG), 1, "it")[..., 0], pixels)
    assert written(b"as it is", CSV) == b"as it is"


def test_messages_hold_features_and_labels_of_both_kinds_of_numbers() -> None:
    content = [
        Message(features={"target": np.array([[0.5, 0.25]], np.float32), "shape": np.array([1, 2])}),
        Message(label={"x": np.array([-1], np.int32)}),
    ]

    body = encode({"x": np.ones(2)}, answer(x="float"), PROTOBUF, nothing(2), wire=arranged(lambda _: content))

    first, second = (message().FromString(data) for data in frames(io.BytesIO(body), Layout(name="it")))
    assert list(first.features["target"].float32_tensor.values) == [0.5, 0.25]
    assert list(first.features["shape"].int32_tensor.values) == [1, 2]
    assert not first.label and list(second.label["x"].int32_tensor.values) == [-1]
