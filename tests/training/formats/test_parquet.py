"""Parquet, as pyarrow and pandas write it."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.training.formats import parquet as ours
from algoport.training.formats import parquet_footer
from algoport.training.formats.layout import Layout, Notes
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

    records = rows(MEDIA, written(table), labels=1)

    assert records.label.tolist() == [[1], [0], [1]]
    nan = np.nan
    expected = [[0.1, 1, 1, 1, 1], [nan, 2, 0, nan, 2], [3, 3, nan, 2**40, 3]]
    np.testing.assert_array_equal(records.features, np.array(expected, np.float32))


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float32(), 3), pa.large_list(pa.int64())])
def test_a_column_of_lists_is_a_row_of_features(kind):
    table = {"y": [1.0, 2.0], "x": pa.array([[1, 2, 3], [4, 5, 6]], kind)}
    records = rows(MEDIA, written(table), labels=1)
    assert (records.features.tolist(), records.label.tolist()) == ([[1, 2, 3], [4, 5, 6]], [[1], [2]])


def test_row_groups_come_one_after_another_and_in_small_blocks(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(5000, 4)))
    frame.columns = list("abcd")
    path = tmp_path / "x.parquet"
    frame.to_parquet(path, row_group_size=700)

    for block in (1 << 24, 1 << 10):
        records = rows(MEDIA, path.read_bytes(), block=block)
        np.testing.assert_array_equal(records.features, frame.to_numpy(np.float32))
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


@pytest.mark.parametrize(
    ("index", "names"),
    [
        ([7, 8, 9], ["__index_level_0__"]),
        (pd.Index([7, 8, 9], name="id"), ["id"]),
        (pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["one", "two"]), ["one", "two"]),
        (None, []),
    ],
)
def test_the_index_of_pandas_is_passed_over_with_a_note(index, names):
    frame = pd.DataFrame({"y": [1, 0, 1], "a": [0.5, 1.5, 2.5], "b": [1.0, 2.0, 3.0]}, index=index)
    sink, notes = io.BytesIO(), Notes()
    frame.to_parquet(sink)

    records = rows(MEDIA, sink.getvalue(), labels=1, notes=notes)

    np.testing.assert_array_equal(records.label, [[1], [0], [1]])
    np.testing.assert_array_equal(records.features, frame[["a", "b"]].to_numpy(np.float32))
    said = [f"column '{name}', the index of the table of pandas that was written (train/part)" for name in names]
    assert list(notes) == said


def test_facts_of_pandas_that_are_none_change_nothing():
    for facts in (b"{", b"[]", b'{"index_columns": 3}', b'{"index_columns": [["a"], {"kind": "range"}]}'):
        table = pa.table({"a": [1.0], "b": [2.0]}).replace_schema_metadata({b"pandas": facts})
        assert rows(MEDIA, written(table)).features.tolist() == [[1, 2]]


def test_a_weight_is_the_column_of_that_name():
    table = {"y": [1, 0], "a": [0.5, 1.5], "Weight": [2.0, 3.0], "b": [1.0, 2.0]}

    records = rows(MEDIA, written(table), labels=1, weighted=True)

    assert (records.weight.tolist(), records.features.tolist()) == ([2, 3], [[0.5, 1], [1.5, 2]])
    assert fault(written({"y": [1.0], "a": [2.0]}), labels=1, weighted=True, weighted_name="csv_weights") == (
        "train/x.parquet: must have a column named weight behind the label, as csv_weights says; it has 'y', 'a'."
    )
    assert fault(written({"y": [1.0], "weight": ["2"], "a": [2.0]}), labels=1, weighted=True) == (
        "train/x.parquet, column 'weight': must be of numbers, as it is the weight; it is of string."
    )


def test_a_damaged_file_is_refused():
    data = written({"a": np.arange(100.0)})
    assert "cannot be read as Parquet" in fault(data[:-20])
    assert "cannot be read as Parquet" in fault(data[:4] + b"\xff" * 40 + data[44:])


def test_there_must_be_features_beside_the_labels():
    assert "has 1 columns and no features, where label_size is 1" in fault(written({"a": [1.0]}), labels=1)


def test_a_label_that_is_missing_is_a_likely_cause():
    message = fault(written({"a": [1.0], "b": [2.0]}), labels=1, width=2)
    assert message.endswith("If the rows have no label, their content type is application/x-parquet;label_size=0.")


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is():
    """Ten million equal numbers take a few kilobytes."""
    bomb = written({"a": np.zeros(10_000_000)}, use_dictionary=True)
    assert len(bomb) < 100_000
    assert "where at most 1,000,000 are allowed" in fault(bomb, limit=1_000_000)
    assert len(rows(MEDIA, bomb)) == 10_000_000


def zigzag(number: int) -> bytes:
    """A number as Thrift's compact form has it."""
    value, data = number << 1, b""
    while value > 127:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def test_a_page_that_unpacks_to_more_than_the_footer_says_is_refused_before_it_is_read():
    """pyarrow would set aside what the page's own header asks for: two gigabytes, for a file of some hundred bytes."""
    sink = pa.BufferOutputStream()
    table = pa.table({"a": pa.array(np.zeros(1000, np.float32))})
    parquet.write_table(table, sink, compression="gzip", use_dictionary=False)
    honest = sink.getvalue().to_pybytes()
    at = parquet.ParquetFile(io.BytesIO(honest)).metadata.row_group(0).column(0).data_page_offset
    size = zigzag(4007)  # as the header has it: the values, and a word on their levels
    assert honest[at : at + 3] == b"\x15\x00\x15" and honest[at + 3 :].startswith(size)
    lying = honest[: at + 3] + zigzag(2**31 - 1) + honest[at + 3 + len(size) :]
    layout = Layout("part", limit=1 << 20)

    assert sum(len(rows) for rows in ours.read(io.BytesIO(honest), layout)) == 1000
    with pytest.raises(UserError, match="decodes to 2,147,483,647 bytes"):
        list(ours.read(io.BytesIO(lying), layout))


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("how", [{}, {"data_page_size": 100}, {"use_dictionary": False}, {"data_page_version": "2.0"}])
def test_all_pages_of_a_file_are_counted(compression, how):
    values = np.arange(5000, dtype=np.float64) % 700
    sink = pa.BufferOutputStream()
    parquet.write_table(
        pa.table({"a": values, "b": values * 2}), sink, compression=compression, row_group_size=1500, **how
    )
    file = io.BytesIO(sink.getvalue().to_pybytes())
    meta = parquet.ParquetFile(file).metadata
    columns = [meta.row_group(group).column(number) for group in range(meta.num_row_groups) for number in range(2)]

    size = parquet_footer.unpacked_size(file, 1 << 30)

    # The footer counts the pages' headers too.
    assert 0.5 * sum(column.total_uncompressed_size for column in columns) < size
    assert size <= sum(column.total_uncompressed_size for column in columns)
