"""Tables of texts and numbers: CSV with and without quotes against Python's own reader, and JSON in both forms."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract import Field
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.table import Table
from algoport.training import formats
from algoport.training.formats import ContentType, Layout

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
PAIR = (Field(name="entity", meaning="who"), Field(name="address", meaning="where"))
MIXED = (Field(name="entity", meaning="who"), Field(name="bytes", meaning="how many", number=True))


def read(body: bytes, media: str = CSV, **layout: object) -> Table:
    whole: Table = formats.whole(body, ContentType.parse(media), Layout("train/a", **layout), "table")
    return whole


def rows_of(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(table.texts(number).strings() for number in range(table.width)), strict=True))


def test_pairs_are_read_with_blanks_quotes_and_any_end_of_a_line() -> None:
    body = b'alice, 203.0.113.7\r\n\n"Smith, John" ,"198.51.100.20"\n" say ""hi""\n",007\n \t\n'

    table = read(body, fields=PAIR)

    assert rows_of(table) == [
        ("alice", "203.0.113.7"),
        ("Smith, John", "198.51.100.20"),
        (' say "hi"\n', "007"),
    ]
    assert [table.place(row) for row in range(3)] == ["train/a, line 1", "train/a, line 3", "train/a, line 4"]


@settings(deadline=None, max_examples=150)
@given(some.lists(some.lists(some.text('ab ,"\n\r\t1é', max_size=5), min_size=2, max_size=2), min_size=1, max_size=6))
def test_python_s_own_reader_and_writer_agree(rows: list[list[str]]) -> None:
    """All fields in quotes, as Python writes them, also with blocks that end anywhere."""
    sink = io.StringIO()
    csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    body = sink.getvalue().encode()

    for block in (1, 1 << 20):
        assert rows_of(read(body, block=block)) == [tuple(row) for row in rows]
    ours = formats.find(CSV, "table").write(read(body)).decode()
    assert list(csv.reader(io.StringIO(ours, newline=""), strict=True)) == rows


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"a,b\nc\n", "line 2: 1 column, where there must be 2: entity, address."),
        (b"a,b\n\nc,d,e\n", "line 3: 3 columns, where there must be 2: entity, address."),
        (b'a,b\n"c,d\n', "line 2: has a quote that is not closed."),
        (b'a,b\n"c" d,e\n', "line 2: has a field that goes on after its closing quote"),
        (b'a,b\nc "d" e,f\n', "line 2: has a quote within a field that does not begin with one"),
        (b"a,b\nc,\xff\n", "line 2: must be UTF-8; its bytes ff 0a are not."),
        (b'a,b\n"x\ny",\0\n', "line 3: must be text; it has a byte that is zero."),
        (b'"x\ny",1\na\n', "line 3: 1 column,"),
    ],
)
def test_a_line_that_is_no_row_is_named(body: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as fault:
        read(body, fields=PAIR)

    assert str(fault.value).startswith(f"train/a, {sentence}")


def test_without_declared_fields_the_first_row_decides() -> None:
    assert read(b"a,b,c\n").width == 3
    with pytest.raises(UserError, match="line 2: 2 columns, where the first row has 3"):
        read(b"a,b,c\nd,e\n", block=1)


def test_columns_of_numbers_are_float32_and_may_lack_some() -> None:
    table = read(b"a,1.5\nb,\nc,nan\nd, 3e9 \n", fields=MIXED)
    asked = {"instances": [{"features": ["a", 1.5]}, {"features": [7, None]}], "configuration": {"verbose": "true"}}
    request = read(json.dumps(asked).encode(), JSON, fields=MIXED)

    np.testing.assert_array_equal(table.numbers(1), np.array([1.5, np.nan, np.nan, 3e9], np.float32))
    np.testing.assert_array_equal(request.numbers(1), np.array([1.5, np.nan], np.float32))
    assert request.texts(0).strings() == ["a", "7"]
    assert request.configuration == [{"verbose": "true"}] * 2


@pytest.mark.parametrize("number", ["x", "1e39", "-inf", "1_000", "0x10", "99999999999999999999999999999999999999999"])
def test_a_column_of_numbers_with_something_else_is_named(number: str) -> None:
    for media, body in {
        CSV: f"a,1\nb,{number}\n",
        LINES: f'{{"features": ["a", 1]}}\n{{"features": ["b", "{number}"]}}',
    }.items():
        with pytest.raises(UserError, match="train/a, line 2: bytes must be a number that float32 can hold"):
            read(body.encode(), media, fields=MIXED)


def test_the_forms_of_json_may_be_mixed() -> None:
    pair, long = ["alice", "1.2.3.4"], {"data": {"features": {"values": ["bob", "5.6.7.8"]}}}
    body = json.dumps({"instances": [{"features": pair}, long, {"data": {"features": pair}}]}).encode()

    assert rows_of(read(body, JSON, fields=PAIR)) == [("alice", "1.2.3.4"), ("bob", "5.6.7.8"), ("alice", "1.2.3.4")]
    assert rows_of(read(json.dumps(long).encode(), LINES)) == [("bob", "5.6.7.8")]


@pytest.mark.parametrize(
    "body",
    [
        [["alice", "1.2.3.4"]],
        {"instances": [["alice", "1.2.3.4"]]},
        {"features": ["alice", "1.2.3.4"]},
        {"dataframe_split": {"columns": ["entity", "address"], "data": [["alice", "1.2.3.4"]]}},
        {"inputs": [["alice", "1.2.3.4"]]},
    ],
)
def test_rows_are_read_from_the_bodies_of_other_clients(body: object) -> None:
    assert rows_of(read(json.dumps(body).encode(), JSON, fields=PAIR)) == [("alice", "1.2.3.4")]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"1", 'must be an object such as {"features"'),
        (b'{"feature": ["a", "b"]}', "must have \"features\"; it has 'feature'."),
        (b'{"features": []}', '"features" must be a list of texts and numbers'),
        (b'{"features": "a"}', '"features" must be a list of texts and numbers'),
        (b'{"features": ["a", true]}', "address must be a text; it is 'True'."),
        (b'{"features": ["a", ["b"]]}', "address must be a text"),
        (b'{"features": ["a\\u0000", "b"]}', "entity must be a text"),
        (b'{"features": ["a", "b", "c"]}', "3 columns, where there must be 2: entity, address."),
    ],
)
def test_an_instance_that_is_no_row_is_a_sentence(line: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as fault:
        read(line, LINES, fields=PAIR)

    assert str(fault.value).startswith(f"train/a, line 1: {sentence}")


@pytest.mark.parametrize("blanks", [1, 3, 4, 5, 9, 100_000])
def test_any_number_of_blanks_around_a_field_is_not_part_of_it(blanks: int) -> None:
    """Also of so many that a look at each for all fields would never end."""
    space = (" \t\r" * blanks)[:blanks]

    assert rows_of(read(f"{space}a{space},{space}b c{space}\n{space},{space}\n".encode())) == [("a", "b c"), ("", "")]


@pytest.mark.parametrize("media", [CSV, LINES])
def test_a_line_of_commas_is_no_table(media: str) -> None:
    body = b"," * 200_000 if media == CSV else json.dumps({"features": ["a"] * 200_000}).encode()

    with pytest.raises(UserError, match="line 1: 200,00[01] columns, where a table of texts has at most 10,000"):
        read(body, media)
