"""Objects in JSON, JSON Lines and Parquet: what is written is read back, and faults are reported with their place."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Objects, concatenate
from algoport.training import formats
from algoport.training.formats import ContentType, Layout

JSON, LINES, PARQUET = "application/json", "application/jsonlines", "application/x-parquet"
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
series = st.fixed_dictionaries(
    {"start": st.text(), "target": st.lists(st.none() | numbers), "cat": st.lists(st.integers(0, 9))},
    optional={"dynamic_feat": st.lists(st.lists(numbers))},
)


def read(body: bytes, media: str, name: str = "the request") -> Objects:
    return formats.whole(body, ContentType.parse(media), Layout(name=name), "objects")


@pytest.mark.parametrize("media", [JSON, LINES])
@given(values=st.lists(series, max_size=5))
def test_objects_are_read_back_as_they_were_written(media, values):
    body = formats.find(media, "objects").write(Objects(values=values))

    assert list(read(body, media).values) == values


@given(values=st.lists(series, min_size=1, max_size=5))
def test_parquet_gives_arrays_with_nan_for_what_is_missing(values):
    body = formats.find(PARQUET, "objects").write(Objects(values=values))

    objects = read(body, PARQUET).values

    assert len(objects) == len(values)
    for value, got in zip(values, objects, strict=True):
        assert got["start"] == value["start"]
        want = np.array([np.nan if number is None else number for number in value["target"]], float)
        np.testing.assert_array_equal(np.asarray(got["target"], float), want)
        assert list(got["cat"]) == value["cat"]
        assert [list(feature) for feature in got.get("dynamic_feat", [])] == value.get("dynamic_feat", [])


def test_times_in_parquet_are_texts():
    table = pa.table({"start": pa.array([0], pa.timestamp("s")), "target": [[1.0]]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)

    assert read(bytes(sink.getvalue()), PARQUET).values[0]["start"] == "1970-01-01 00:00:00"


def test_options_come_with_the_body_and_with_single_instances():
    body = {"instances": [{"a": 1}, {"a": 2, "configuration": {"n": 3}}], "configuration": {"n": 1, "m": 2}}

    objects = read(json.dumps(body).encode(), JSON)

    assert list(objects.values) == [{"a": 1}, {"a": 2}]
    assert objects.configuration == [{"n": 1, "m": 2}, {"n": 3, "m": 2}]


@pytest.mark.parametrize(
    ("media", "body", "words"),
    [
        (LINES, b'{"a": 1}\n[1]\n', "x, line 2: must be an object"),
        (LINES, b'\n{"a": 1}\n{"a": nan}\n', "x, line 3: is not JSON"),
        (JSON, b'{"instances": [{}, 3]}', "x, instance 2: must be an object"),
        (JSON, b"[1]", 'list "instances"'),
        (PARQUET, b"a,b\n", "x: "),
    ],
)
def test_faults_are_reported_where_they_are(media, body, words):
    with pytest.raises(UserError) as error:
        read(body, media, "x")

    assert words in str(error.value)


def test_records_say_where_they_stood():
    lines = b"".join(b'{"a": %d}\n' % number for number in range(3000))
    layout = Layout(name="train/part-0.json", block=1 << 10)
    parts = list(formats.records(io.BytesIO(lines), ContentType.parse(LINES), layout, "objects"))

    objects = concatenate(parts)

    assert len(parts) > 1 and [value["a"] for value in objects.values] == list(range(3000))
    assert objects.place(2999) == "train/part-0.json, line 3000"
    assert objects[10:20:5].place(1) == "train/part-0.json, line 16"
    assert 0 < objects[:100].nbytes < objects.nbytes < 2 * len(lines)
