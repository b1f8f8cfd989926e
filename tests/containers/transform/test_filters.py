"""The JSONPath of filters: every form of the API, and a sentence for what is none."""

from __future__ import annotations

import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.containers.transform import filters
from algoport.containers.transform.filters import Mismatch

ROW = list("abcdef")
RECORD = {"id": 7, "features": {"x": [1, 2, 3], "y": {"z": 5}}, "a name": [{"k": 1}, {"k": 2}]}


@pytest.mark.parametrize(
    ("text", "value", "wanted"),
    [
        ("$", RECORD, RECORD),
        ("$.id", RECORD, 7),
        ("$.features.x", RECORD, [1, 2, 3]),
        ("$.features.x[0]", RECORD, 1),
        ("$.features.x[-1]", RECORD, 3),
        ("$.features.x[0,2]", RECORD, [1, 3]),
        ("$.features.x[1:]", RECORD, [2, 3]),
        ("$.features.x[*]", RECORD, [1, 2, 3]),
        ("$['id']", RECORD, 7),
        ('$["a name"][1].k', RECORD, 2),
        ("$['a name'][*].k", RECORD, [1, 2]),
        ("$['id','features']", RECORD, {"id": 7, "features": RECORD["features"]}),
        ("$.features.['x','y']", RECORD, RECORD["features"]),
        ("$.features.*", RECORD, [[1, 2, 3], {"z": 5}]),
        ("$['it''s']", None, None),
        ("$[0]", ROW, "a"),
        ("$[-1]", ROW, "f"),
        ("$[1,3]", ROW, ["b", "d"]),
        ("$[3, 1]", ROW, ["d", "b"]),
        ("$[:2]", ROW, ["a", "b"]),
        ("$[0:2,4:]", ROW, ["a", "b", "e", "f"]),
        ("$[0,-1]", ROW, ["a", "f"]),
        ("$[-2:]", ROW, ["e", "f"]),
        ("$[4:99]", ROW, ["e", "f"]),
        ("$[:]", ROW, ROW),
    ],
)
def test_a_path_takes_what_the_api_says(text: str, value: object, wanted: object) -> None:
    if value is None:
        with pytest.raises(UserError):
            filters.parse(text, "InputFilter")
        return
    assert filters.parse(text, "InputFilter").of(value) == wanted


@pytest.mark.parametrize(
    ("text", "value", "sentence"),
    [
        ("$[6]", ROW, "there is no [6], as there are 6"),
        ("$[0,-7]", ROW, "there is no [-7], as there are 6"),
        ("$.nothing", RECORD, "there is no 'nothing'"),
        ("$.id.x", RECORD, "there is no 'x', as there is no object, but a number"),
        ("$[0]", RECORD, "there is no array where one is asked for, but an object"),
        ("$.features[*]", {"features": "text"}, "there is no array where one is asked for, but a text"),
    ],
)
def test_what_is_not_there_is_told(text: str, value: object, sentence: str) -> None:
    with pytest.raises(Mismatch) as error:
        filters.parse(text, "OutputFilter").of(value)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    "text", ["", "id", "$..id", "$[", "$[0", "$[a]", "$['a',0]", "$[::2]", "$[?(@.x)]", "$.", "$[]", "$x"]
)
def test_a_path_of_another_form_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(UserError) as error:
        filters.parse(text, "InputFilter")
    assert str(error.value).startswith("InputFilter: ")


def test_a_path_has_63_characters_at_most() -> None:
    filters.parse("$." + "a" * 61, "InputFilter")
    with pytest.raises(UserError, match="at most 63 characters; it has 64"):
        filters.parse("$." + "a" * 62, "InputFilter")


def test_only_places_are_of_columns() -> None:
    assert filters.parse("$.x", "InputFilter").columns is None
    assert filters.parse("$[0][1]", "InputFilter").columns is None
    assert filters.parse("$[*]", "InputFilter").columns == filters.ALL
    assert filters.parse("$", "InputFilter").columns == filters.ALL
