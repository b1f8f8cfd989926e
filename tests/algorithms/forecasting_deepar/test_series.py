"""Records become series, or are refused in a sentence that names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Objects
from algoport.algorithms.forecasting_deepar.dataset import note_unread
from algoport.algorithms.forecasting_deepar.frequency import Frequency
from algoport.algorithms.forecasting_deepar.series import Reader, Schema


def read(*values: dict[str, Any], likelihood: str = "student-T", **schema: Any) -> Any:
    given = {"categories": None, "features": None, **schema}
    reader = Reader(Schema(frequency=Frequency("D"), likelihood=likelihood, **given))
    reader.add(Objects(values=[{"start": "2024-01-01", "target": [1, 2, 3], **value} for value in values]))
    return reader.series()


def test_missing_targets_are_the_last_before_and_not_observed() -> None:
    series = read({"target": [None, 1, "NaN", None, 4]}, {"target": np.array([np.nan, 2.0])})

    assert series.values.tolist() == [0, 1, 1, 1, 4, 0, 2]
    assert series.observed.tolist() == [0, 1, 0, 0, 1, 0, 1]
    assert series.lengths.tolist() == [5, 2]


def test_the_same_series_has_the_same_key_and_others_another() -> None:
    keys = read({}, {}, {"start": "2024-01-02"}, {"target": [1, 2, 4]}).keys

    assert keys[0] == keys[1] and len(set(keys.tolist())) == 3


@pytest.mark.parametrize(
    ("value", "more", "sentence"),
    [
        ({"target": None}, {}, "target is required"),
        ({"target": "1,2"}, {}, "target must be a list"),
        ({"target": [1, "two"]}, {}, "target must be numbers"),
        ({"target": [[1], [2]]}, {}, "target must be numbers"),
        ({"target": [1e300]}, {}, "finite"),
        ({"target": [-1]}, {"likelihood": "negative-binomial"}, "must not be negative"),
        ({"target": [1.5]}, {"likelihood": "beta"}, "from 0 to 1"),
        ({"start": "soon"}, {}, "start must be a time"),
        ({"start": 5}, {}, "start is required"),
        ({"start": "20240101000000"}, {}, "start must be a time"),
        ({"start": "0024-01-01"}, {}, "in the years 1678 to 2261; they lie from 0024-01-01 to 0024-01-"),
        ({"start": "20240-01-01"}, {}, "in the years 1678 to 2261"),
        ({"start": "2261-12-31"}, {}, "in the years 1678 to 2261; they lie from 2261-12-31 to 2262-01-"),
        ({"cat": [0.5]}, {}, "whole numbers from 0"),
        ({"cat": [-1]}, {}, "whole numbers from 0"),
        ({"cat": [2]}, {"categories": [2]}, "below its cardinality, 2; it is 2"),
        ({"cat": [0, 1]}, {"categories": [2]}, "1 entries"),
        ({}, {"categories": [2]}, "cat is required"),
        ({"cat": [1]}, {"categories": [2], "seen": [np.array([0])]}, "seen; it is 1"),
        ({"dynamic_feat": [[1, 2, 3]]}, {"features": 2}, "must have 2 series"),
        ({"dynamic_feat": [[1, 2]]}, {}, "as long as target"),
        ({"dynamic_feat": [[1, 2, 3]]}, {"ahead": 2}, "prediction_length (2)"),
        ({"dynamic_feat": [[1, None, 3]]}, {}, "no missing"),
        ({"dynamic_feat": [0, 1, 0]}, {}, "a list of lists, one a feature, [[0, 1, 0], [3, 1, 2]]; it is [0, 1, 0]"),
        ({"dynamic_feat": np.zeros(3)}, {}, "a list of lists, one a feature"),
        ({"dynamic_feat": "0,1,0"}, {}, "a list of lists, one a feature"),
        ({"dynamic_feat": 5}, {}, "a list of lists, one a feature"),
        ({"dynamic_feat": [[1, True, 3]]}, {}, "dynamic_feat[0][1] is true"),
        ({"dynamic_feat": [["1", 2, 3]]}, {}, 'dynamic_feat[0][0] is "1"'),
        ({"target": ["1", "2"]}, {}, 'target[0] is "1"'),
        ({"target": [1, 2, True]}, {}, "target[2] is true"),
        ({"target": [1, [2]]}, {}, "target[1] is [2]"),
        ({"target": [1, 10**400]}, {}, "target[1] is 1"),
        ({"target": {"a": 1}}, {}, "target must be a list"),
        ({"start": 1388534400}, {}, 'it is "2014-01-01 00:00:00"'),
        ({"start": "2020-01-01T23:00:00-05:00"}, {}, "leave out '-05:00'"),
        ({"category": [1], "item_id": "a"}, {"categories": [2]}, "fields that are not read: 'category', 'item_id'."),
        ({"cat": [1], "feat_static_cat": [1]}, {}, "cat must be given once; it is given again as feat_static_cat"),
    ],
)
def test_a_faulty_record_is_named(value: dict[str, Any], more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        read(value, **more)

    assert str(error.value).startswith("record 1: ") and sentence in str(error.value)


def test_records_that_differ_in_what_they_have_are_refused() -> None:
    with pytest.raises(UserError, match="record 2: cat must have as many entries"):
        read({"cat": [1]}, {})
    with pytest.raises(UserError, match="record 2: dynamic_feat must have 1 series"):
        read({"dynamic_feat": [[1, 2, 3]]}, {})


def test_gluonts_names_of_fields_are_read() -> None:
    series = read({"feat_static_cat": [3], "feat_dynamic_real": [[1, 2, 3]]}, {"cat": 4, "dynamic_feat": [[4, 5, 6]]})

    assert series.categories.tolist() == [[3], [4]] and series.features.tolist() == [1, 2, 3, 4, 5, 6]


def test_fields_that_are_not_read_are_counted_and_named_once() -> None:
    reader = Reader(Schema(frequency=Frequency("D"), likelihood="student-T", categories=0, features=0))
    value = {"start": "2024-01-01", "target": [1], "item_id": "a\nb", "cat": [1], "dynamic_feat": [[1]]}
    reader.add(Objects(values=[value, {**value, "feat_static_real": [1]}]))

    notes: list[str] = []
    note_unread(reader, "Channel 'train'", notes.append)
    assert notes == [
        "Channel 'train': fields that are not read: 'feat_static_real' (records: 1), 'item_id' (records: 2).",
        "Channel 'train': fields that the settings leave unused: 'cat' (records: 2), 'dynamic_feat' (records: 2).",
    ]
    assert len(reader.series().features) == 0


def test_numbers_of_any_kind_make_a_target() -> None:
    parts = [[1, 2.5, None], np.array([1, 2], np.int64), np.array([True, False]), ["NaN", "nan", 3]]
    series = read(*({"target": part} for part in parts))

    assert series.values.tolist() == [1, 2.5, 2.5, 1, 2, 1, 0, 0, 0, 3]
    assert series.observed.tolist() == [1, 1, 0, 1, 1, 1, 1, 0, 0, 1]
