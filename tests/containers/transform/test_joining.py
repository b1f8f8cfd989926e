"""Filtered before, joined with what was not filtered, filtered after."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as some

from algoport.containers.transform import filters
from algoport.containers.transform.joining import Processing, Unfit, fields


def processing(
    media: str, before: str = "$", after: str = "$", *, joined: bool = True, by_line: bool = True
) -> Processing:
    return Processing(
        media=media,
        by_line=by_line,
        before=filters.parse(before, "InputFilter"),
        joined=joined,
        after=filters.parse(after, "OutputFilter"),
    )


@given(some.lists(some.text(alphabet="ab\", é'", max_size=6), min_size=1, max_size=6))
def test_columns_are_those_of_the_csv_module_as_they_are_written(row: list[str]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row)
    written = text.getvalue().encode()

    columns = fields(written)

    assert b",".join(columns) == written
    assert [next(csv.reader([column.decode()]), [""]) for column in columns] == [
        [each] if each else [] for each in row
    ] or (len(columns) == len(row))


def test_a_quote_that_nothing_closes_costs_no_time() -> None:
    assert len(fields(b"1," + b'a"' * 20_001 + b",2")) >= 2


def test_the_column_that_names_a_row_goes_round_the_model() -> None:
    rows = processing("text/csv", "$[1:]", "$[0,-1]")

    sent = rows.request(b'7,1.0,"a,b"\r\n\n8,2.0,c\n')

    assert sent == b'1.0,"a,b"\n2.0,c\n'
    assert rows.result(b'7,1.0,"a,b"\r\n\n8,2.0,c\n', b"0,9.5\n1,8.5") == b"7,9.5\n8,8.5\n"


def test_json_gets_the_answer_as_a_member_or_beside_what_is_no_object() -> None:
    rows = processing("application/jsonlines")

    result = rows.result(b'{"id":1,"x":[1.50]}\n[2]\n', b'{"score":0.5}\n\n{"score":0.25}\n')

    assert result.splitlines() == [
        b'{"id":1,"x":[1.5],"SageMakerOutput":{"score":0.5}}',
        b'{"SageMakerInput":[2],"SageMakerOutput":{"score":0.25}}',
    ]


def test_whole_numbers_of_any_length_and_letters_pass_unchanged() -> None:
    rows = processing("application/jsonlines", after="$['id','SageMakerOutput']")

    assert rows.result('{"id":123456789012345678901234567890,"x":"é"}\n'.encode(), b"1") == (
        b'{"id":123456789012345678901234567890,"SageMakerOutput":1}\n'
    )


def test_a_document_is_joined_as_a_whole() -> None:
    rows = processing("application/json", "$.instances", "$.SageMakerOutput", by_line=False)

    assert rows.request(b'{"id": 1,\n "instances": [1, 2]}') == b"[1,2]"
    assert rows.result(b'{"id": 1,\n "instances": [1, 2]}', b'{"predictions": [3]}') == b'{"predictions":[3]}'


def test_an_answer_to_one_record_may_have_several_lines() -> None:
    rows = processing("application/json")

    assert rows.result(b'{"id":1}\n', b'{\n "score": 2\n}\n') == b'{"id":1,"SageMakerOutput":{"score":2}}\n'


@pytest.mark.parametrize(
    ("rows", "body", "answer", "sentence", "number"),
    [
        (processing("text/csv"), b"1\n2\n", b"1\n", "the answer has 1 lines for 2 records", 0),
        (
            processing("text/csv", after="$[0,5]"),
            b"1\n2\n",
            b"1\n2\n",
            "$[0,5]: there is no [5], as there are 2 columns",
            0,
        ),
        (processing("application/jsonlines"), b"{}\n{]\n", b"1\n2\n", "the record is not JSON: ", 1),
        (processing("application/jsonlines"), b"{}\n{}\n", b"1\nx\n", "the answer is not JSON: ", 1),
    ],
)
def test_what_does_not_fit_is_told_of_the_record(
    rows: Processing, body: bytes, answer: bytes, sentence: str, number: int
) -> None:
    with pytest.raises(Unfit) as error:
        rows.result(body, answer)

    assert str(error.value).startswith(sentence) and error.value.number == number


def test_a_filter_that_does_not_fit_is_told_of_the_record() -> None:
    with pytest.raises(Unfit) as error:
        processing("application/jsonlines", "$.x").request(b'{"x":1}\n{"y":1}\n')

    assert str(error.value) == "$.x: there is no 'x'" and error.value.number == 1
