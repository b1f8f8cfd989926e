"""Rows that lack a feature, where the algorithm takes no such rows: the place is named."""

import io

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.training import formats
from algoport.training.formats import ContentType, Layout

ROWS = np.arange(400, dtype=np.float32).reshape(100, 4)


def read(body, kind, block=1 << 24, missing=False):
    layout = Layout(name="train/a", width=4, missing=missing, block=block)
    return list(formats.records(io.BytesIO(body), ContentType.parse(kind), layout))


@pytest.mark.parametrize("block", [64, 1 << 24])
def test_csv_names_the_line_also_after_blank_ones(block):
    lines = ["1,2,3,4"] * 5000 + ["", "1,2,,4"]

    with pytest.raises(UserError, match=r"train/a, line 5002: feature 3 has no value"):
        read("\n".join(lines).encode(), "text/csv", block)


def test_csv_with_an_empty_label_is_complete():
    (rows,) = read(b",1,2,3,4\n", "text/csv;label_size=1")

    np.testing.assert_array_equal(rows.features, [[1, 2, 3, 4]])


@pytest.mark.parametrize("field", ["inf", "-Infinity", "1e39"])
def test_csv_names_the_line_of_a_number_beyond_all_bounds(field):
    with pytest.raises(UserError, match=r"train/a, line 2: feature 3 must be a finite float32 number"):
        read(f"1,2,3,4\n1,2,{field},4\n".encode(), "text/csv")


def test_an_infinite_number_of_a_record_is_named():
    rows = ROWS.copy()
    rows[7, 3] = np.inf

    with pytest.raises(UserError, match=r"train/a, record 8: feature 4 must be a finite float32 number; it is inf"):
        read(formats.find("recordio-protobuf").write(Rows(features=rows)), "application/x-recordio-protobuf")


@pytest.mark.parametrize("media", ["application/x-recordio-protobuf", "application/x-parquet", "application/x-npy"])
@pytest.mark.parametrize("block", [256, 1 << 24])
def test_other_formats_name_the_record(media, block):
    rows = ROWS.copy()
    rows[77, 1] = np.nan

    with pytest.raises(UserError, match=r"train/a, record 78: feature 2 has no value"):
        read(formats.find(media).write(Rows(features=rows)), media, block)


def test_values_whose_sum_is_no_number_are_complete():
    """The check is a sum, which these take beyond float32 and back."""
    rows = np.full((2, 4), 3e38, np.float32)
    rows[1] = -3e38

    for media in ("text/csv", "application/x-recordio-protobuf"):
        blocks = read(formats.find(media).write(Rows(features=rows)), media)
        np.testing.assert_array_equal(np.concatenate([block.features for block in blocks]), rows)


def test_an_algorithm_that_takes_missing_values_gets_them():
    (rows,) = read(b"1,2,,4\n", "text/csv", missing=True)

    assert np.isnan(rows.features[0, 2])


@pytest.mark.parametrize(
    ("body", "record", "feature"),
    [
        ("0 0:1 2147483646:nan\n0 0:1\n", 1, 2147483647),  # of rows that no memory holds all features of
        ("0 0:1\n0 2:nan 1:nan 3:1\n", 2, 2),
        ("0 0:1\n0 0:3 3:inf\n", 2, 4),
    ],
)
def test_sparse_rows_name_the_record_and_are_not_spread_out(body, record, feature):
    layout = Layout(name="train/a", labels=1, missing=False)

    with pytest.raises(UserError, match=rf"train/a, .*{record}: feature {feature} "):
        list(formats.records(io.BytesIO(body.encode()), ContentType.parse("text/libsvm"), layout))
