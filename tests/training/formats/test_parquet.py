"""Parquet, as pyarrow and pandas write it."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from algorithms.errors import UserError
from tests.training.formats.streams import Trickle, rows

MEDIA = "application/x-parquet"


def written(columns: dict | pa.Table, **how) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), sink, **how)
    return sink.getvalue()


def fault(data: bytes, **layout) -> str:
    with pytest.raises(UserError) as caught:
        rows(MEDIA, data, name="train/x.parquet", **layout)
    return str(caught.value)


def test_numbers_of_every_type_become_float32():
    table = {
        "label": pa.array([1, 0, 1], pa.int8()),
        "double": pa.array([0.1, None, 3]),
        "half": pa.array(np.array([1, 2, 3], np.float16)),
        "bool": pa.array([True, False, None]),
        "int": pa.array([1, None, 2**40]),
        "decimal": pa.array([1, 2, 3]).cast(pa.decimal128(20, 1)),
    }

    found = rows(MEDIA, written(table), labels=1)

    assert found.label.tolist() == [[1], [0], [1]]
    nan = np.nan
    expected = [[0.1, 1, 1, 1, 1], [nan, 2, 0, nan, 2], [3, 3, nan, 2**40, 3]]
    np.testing.assert_array_equal(found.features, np.array(expected, np.float32))


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float32(), 3), pa.large_list(pa.int64())])
def test_a_column_of_lists_is_a_row_of_features(kind):
    table = {"y": [1.0, 2.0], "x": pa.array([[1, 2, 3], [4, 5, 6]], kind)}
    found = rows(MEDIA, written(table), labels=1)
    assert (found.features.tolist(), found.label.tolist()) == ([[1, 2, 3], [4, 5, 6]], [[1], [2]])


def test_row_groups_come_one_after_another_and_in_small_blocks(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(5000, 4)))
    frame.columns = list("abcd")
    path = tmp_path / "x.parquet"
    frame.to_parquet(path, row_group_size=700)

    for block in (1 << 24, 1 << 10):
        found = rows(MEDIA, path.read_bytes(), block=block)
        np.testing.assert_array_equal(found.features, frame.to_numpy(np.float32))
    np.testing.assert_array_equal(rows(MEDIA, Trickle(path.read_bytes(), 999)).features, frame.to_numpy(np.float32))


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"a": ["x"], "b": [1]}, "train/x.parquet, column 'a': must be of numbers"),
        ({"a": [[1.0]], "b": [1]}, "column 'a': must be of numbers"),
        ({"a": [[1.0], [1.0, 2.0]]}, "row 2: 2 features, where the first row has 1."),
        ({"a": [[1.0], None]}, "row 2: has null in the place of its features."),
        ({"a": pa.array([[1.0], [2.0, 3.0]])}, "row 2: 2 features"),
        ({"a": pa.array([0], pa.timestamp("s"))}, "column 'a': must be of numbers"),
    ],
)
def test_what_is_no_row_of_numbers_is_named(table, sentence):
    assert sentence in fault(written(table))


def test_lists_keep_one_width_over_all_blocks():
    table = {"x": [[1.0, 2.0]] * 1000 + [[1.0, 2.0, 3.0]] * 1000}
    assert fault(written(table), block=1 << 8).endswith("row 1001: 3 features, where the first row has 2.")


def test_a_damaged_file_is_refused():
    data = written({"a": np.arange(100.0)})
    assert "cannot be read as Parquet" in fault(data[:-20])
    assert "cannot be read as Parquet" in fault(data[:4] + b"\xff" * 40 + data[44:])


def test_there_must_be_features_beside_the_labels():
    assert "has 1 columns and no features, where label_size is 1" in fault(written({"a": [1.0]}), labels=1)


def test_a_label_that_is_missing_is_a_likely_cause():
    told = fault(written({"a": [1.0], "b": [2.0]}), labels=1, width=2)
    assert told.endswith("If the rows have no label, their content type is application/x-parquet;label_size=0.")


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is():
    """Ten million equal numbers take a few kilobytes."""
    bomb = written({"a": np.zeros(10_000_000)}, use_dictionary=True)
    assert len(bomb) < 100_000
    assert "where at most 1,000,000 are allowed" in fault(bomb, limit=1_000_000)
    assert len(rows(MEDIA, bomb)) == 10_000_000
