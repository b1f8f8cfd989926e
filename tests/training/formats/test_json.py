"""JSON and JSON Lines requests: every shape of an instance, and what is refused."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.training.formats import ContentType, Layout, records, whole
from algoport.training.formats.layout import Notes
from tests.training.formats.streams import assert_canonical, rows

BODY, LINES = "application/json", "application/jsonlines"
SPARSE = {"keys": [26, 182, 3], "shape": [200], "values": [1, 1.5, 4]}


def request(body: object, media: str = BODY, **layout):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return whole(text, ContentType(media), Layout("request", **layout))


def instances(*given, **beside):
    return request({"instances": list(given), **beside})


def fault(body: object, media: str = BODY, **layout) -> str:
    with pytest.raises(UserError) as caught:
        request(body, media, **layout)
    return str(caught.value)


@pytest.mark.parametrize(
    "instance",
    [
        {"features": [1.5, 16]},
        {"features": {"values": [1.5, 16]}},
        {"data": {"features": [1.5, 16]}},
        {"data": {"features": {"values": [1.5, 16]}}},
        {"data": {"features": {"values": [1.5, 16], "shape": [2]}}},
        {"data": {"features": {"values": [16, 1.5], "keys": [1, 0], "shape": [2]}}},
        {"configuration": {"k": 1}, "data": {"features": [1.5, 16]}},
    ],
)
def test_an_instance_has_many_shapes(instance):
    assert instances(instance).dense().tolist() == [[1.5, 16]]
    assert request(instance).dense().tolist() == [[1.5, 16]]
    line = json.dumps(instance).encode()
    assert request(line + b"\n" + line, LINES).dense().tolist() == [[1.5, 16]] * 2


def test_sparse_instances_are_sorted_and_mix_with_dense_ones():
    one = instances({"data": {"features": SPARSE}})
    assert (one.width, one.features.indices.tolist()) == (200, [3, 26, 182])
    assert one.features.data.tolist() == [4, 1, 1.5]

    mixed = instances({"features": [1, 0, 3]}, {"features": {"keys": [], "values": [], "shape": [3]}})
    assert mixed.dense().tolist() == [[1, 0, 3], [0, 0, 0]]
    assert_canonical(mixed.features)


def test_options_come_with_the_body_or_with_an_instance():
    plain = {"features": [1]}
    assert instances(plain).configuration is None
    assert instances(plain, configuration={"k": 2}).configuration == [{"k": 2}]
    own = instances(plain, {**plain, "configuration": {"k": 3}}, configuration={"k": 2, "verbose": True})
    assert own.configuration == [{"k": 2, "verbose": True}, {"k": 3, "verbose": True}]


@settings(deadline=None)
@given(
    values=some.lists(
        some.lists(
            some.none() | some.integers(-(1 << 53), 1 << 53) | some.floats(width=32, allow_infinity=False), max_size=3
        ),
        max_size=4,
    ),
    configuration=some.none() | some.just({"k": 1}),
    width=some.none() | some.integers(1, 3),
)
def test_instances_with_nothing_but_features_are_read_as_if_something_stood_beside_them(values, configuration, width):
    values = [[None if value != value else value for value in row] for row in values]

    def read(beside):
        body = {"instances": [{"features": row, **beside} for row in values]}
        body |= {} if configuration is None else {"configuration": configuration}
        try:
            return request(body, width=width)
        except UserError as error:
            return str(error)

    simple, general = read({}), read({"metadata": {}})

    if isinstance(general, str):
        assert simple == general
    else:
        np.testing.assert_array_equal(simple.features, general.features)
        assert simple.features.dtype == np.float32 and simple.features.shape == general.features.shape
        assert simple.configuration == general.configuration


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [{"features": [[1], 2]}]}',
        '{"instances": [{"features": [1, 2]}], "other": 3}',
        '{"instances": [{"features": [1, true]}]}',
        '{"instances": [{"features": [1, {"x": 2}]}]}',
        '{"instances": [{"features": [1, 2]}, [3, 4]]}',
        '{"instances": {"features": [1, 2]}}',
        '{"instances": [{"features": [1, 1e39]}]}',
        '{"instances": [{"features": [1, 2], "features": [1, 2]}], "configuration": []}',
    ],
)
def test_what_only_looks_like_plain_instances_is_read_with_all_care(body):
    text = json.loads(
        body,
        object_pairs_hook=lambda pairs: {**dict(pairs), "metadata": 1} if "features" in dict(pairs) else dict(pairs),
    )

    def read(some):
        try:
            records = request(some, width=2)
        except UserError as error:
            return str(error)
        return records.features.tolist(), records.configuration

    assert read(body.encode()) == read(json.dumps(text).encode())


def test_null_is_missing_and_labels_and_weights_come_along():
    assert np.isnan(instances({"features": [1, None]}).features[0, 1])
    labeled = request(b'{"features": [1], "label": 3}\n{"features": [2], "label": [4], "weight": 0.5}\n', LINES)
    assert (labeled.label.tolist(), labeled.weight.tolist()) == ([[3], [4]], [1, 0.5])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            b'{"instances": [{"features": [1, nan]}]}',
            "request: is not JSON from letter 33 on, 'nan]}]}'; a missing value is null.",
        ),
        (b'{"instances": [{"features": [1, -inf]}]}', "a missing value is null."),
        (b'{"instances": [{"features": [1, 1e999]}]}', "it is beyond all numbers."),
        (b'{"instances": [{"features": [1, ' + b"9" * 400 + b"]}]}", "it is beyond all numbers."),
        (b'{"instances": [{"features": [1, 1_000]}]}', "it has underscores: leave them out."),
        (b'{"instances": [{"features": [1, 0x10]}]}', "it is hexadecimal: write it in decimal digits."),
        (b'{"instances": [{"features": [1, 1e]}]}', "behind the e of a number must be digits."),
        (b'{"instances": [{"features": [1, 1.]}]}', "JSON's numbers are such as -0.5, 12 and 1e-3"),
        (b'{"instances": [{"features": [1, 007]}]}', "JSON's numbers are such as -0.5, 12 and 1e-3"),
        (b'{"instances": [{"features": [1, 2024-01-01]}]}', "it is a date: write it as a number"),
        (b'{"instances": [{"features": [1,]}]}', "a comma before a closing bracket is too much."),
        (b"{'instances': []}", "from letter 2 on, \"'instances': []}\"; JSON has double quotation marks."),
        (b'{"instances": [{"features": [True]}]}', "; JSON writes true, false and null."),
        (b'{"instances": [{"features": [1, 2]}', "it ends before its last bracket or quotation mark is closed."),
        (b'{"instances": [{"features": [.5]}]}', "JSON's numbers are such as -0.5, 12 and 1e-3"),
        (b'{"instances": "\xff"}', "its letters are not UTF-8."),
        (b"[" * 100_000 + b"]" * 100_000, "request: is not JSON: it has too many brackets within brackets."),
        (b"1,2,3\n", "It is plainly CSV (text/csv)."),
        ({"instances": [{"features": [1e39]}]}, "instance 1: must hold numbers that float32 can hold; it has '1e+39'."),
        ({"instances": [{"features": [10**40]}]}, "instance 1: must hold numbers that float32 can hold"),
        (
            {"instances": [{"features": [1]}, {"features": ["1"]}]},
            'instance 2: must hold numbers that float32 can hold; it has the text "1"; leave out its quotation marks.',
        ),
        (
            {"instances": [{"features": [True]}]},
            "instance 1: must hold numbers that float32 can hold; it has true; write 1.",
        ),
        ({"instances": [{"features": [[1]]}]}, "instance 1: must hold numbers"),
        (
            {"instances": [{"features": [1, 2]}, {"features": [1]}]},
            "instance 2: 1 features, where the first row has 2.",
        ),
        ({"instances": [{"features": []}]}, "instance 1: has no values."),
        ({"instances": [{"features": 3}]}, 'instance 1: "features" must be a list of numbers'),
        ({"instances": [{"x": 3}]}, "instance 1: must have \"features\"; it has 'x'."),
        ({"instances": ["1, 2"]}, "instance 1: must be an object such as"),
        ({"instances": {}}, 'request: must be an object with a list "instances"'),
        ([1, 2], "request: must be a list of rows, such as [[1.5, 2], [3, 4]]"),
        ({"instances": [{"features": {**SPARSE, "keys": [3, 3, 4]}}]}, "instance 1: has a key twice."),
        ({"instances": [{"features": {**SPARSE, "keys": [1, 2]}}]}, "instance 1: has 2 keys for 3 values."),
        ({"instances": [{"features": {**SPARSE, "keys": [1, 2, 200]}}]}, "has a key outside its shape, 200."),
        (
            {"instances": [{"features": {**SPARSE, "keys": [1, 2, -1]}}]},
            '"keys" must be a list of whole numbers from 0.',
        ),
        ({"instances": [{"features": {**SPARSE, "keys": [1, 2, 1.0]}}]}, '"keys" must be a list of whole numbers'),
        ({"instances": [{"features": {**SPARSE, "shape": [10**18]}}]}, '"shape" must be a list of sizes'),
        ({"instances": [{"features": {**SPARSE, "shape": None}}]}, "instance 1: has keys and no shape"),
        ({"instances": [{"features": {"values": [1], "shape": [2]}}]}, "has 1 values, where its shape is for 2."),
        ({"instances": [{"features": [1], "weight": "x"}]}, "instance 1: must hold numbers"),
    ],
)
def test_what_is_refused_is_said(body, sentence):
    assert sentence in fault(body)


def test_bare_nan_of_python_is_missing():
    features = request(b'{"instances": [{"features": [1, NaN]}, {"features": [-Infinity, Infinity]}]}').features
    np.testing.assert_array_equal(features, [[1, np.nan], [-np.inf, np.inf]])
    assert np.isnan(request(b'{"features": [1, NaN]}\n', LINES).features[0, 1])
    assert "it has 'inf'" in fault(b'{"instances": [{"features": [Infinity]}]}', missing=False)


@pytest.mark.parametrize("media", [BODY, LINES])
def test_keys_without_a_shape_are_of_the_width_that_is_known(media):
    def body(features) -> bytes:
        instance = json.dumps({"data": {"features": features}})
        return (f'{{"instances": [{instance}]}}' if media == BODY else instance).encode()

    assert request(body({"keys": [1], "values": [5.0]}), media, width=3).dense().tolist() == [[0, 5, 0]]
    assert request(body({"keys": [], "values": []}), media, width=3).dense().tolist() == [[0, 0, 0]]
    refusal = fault(body({"keys": [3], "values": [5.0]}), media, width=3, width_name="feature_dim")
    assert "has key 3, where feature_dim is 3 and keys count from 0." in refusal
    assert "has keys and no shape, and the width is not known: give its shape." in fault(
        body({"keys": [1], "values": [5.0]}), media
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{\n "features": [1]\n}\n', "here one goes on over several lines. Write each into a line of its own"),
        ('[\n {"features": [1]},\n {"features": [2]}\n]\n', "here one goes on over several lines."),
        ('{"features": [\n1\n]}\n', "here one goes on over several lines."),
        ('[{"features": [1]}, {"features": [2]}]\n', "it is a list of records. Write each into a line of its own"),
    ],
)
@pytest.mark.parametrize("kind", ["rows", "objects"])
def test_json_over_several_lines_is_no_json_lines(text, sentence, kind):
    with pytest.raises(UserError) as caught:
        list(records(io.BytesIO(text.encode()), ContentType(LINES), Layout("train/a.json"), kind))
    assert str(caught.value).startswith("train/a.json, line 1: must be one record a line; ")
    assert sentence in str(caught.value)


def test_a_blank_line_of_a_request_would_lose_an_answer():
    text = b'\n{"features": [1]}\n\n{"features": [2]}\n\n'
    assert "request, line 3: is blank, where each line must be a record" in fault(text, LINES)
    assert len(rows(LINES, text)) == 2
    assert len(request(text.replace(b"\n\n", b"\n"), LINES)) == 2


def test_fields_that_are_not_read_are_named_once():
    notes = Notes()
    request({"instances": [{"features": [1], "feature": 2}, {"features": [1], "feature": 2, "id": 3}]}, notes=notes)
    assert list(notes) == [
        "field 'feature', which is not read (request and 1 more)",
        "field 'id', which is not read (request)",
    ]


def test_the_wrong_width_names_the_instance_or_the_line():
    two = {"features": [1, 2]}
    assert fault({"instances": [two]}, width=3) == "request, instance 1: 2 features, where the width is 3."
    text = b'\n{"features": [1, 2, 3]}\n{"features": [1, 2]}'
    assert fault(text, LINES, width=3) == "request, line 3: 2 features, where the width is 3."
    assert fault(b'{"features": [1]}\n{"features": [1', LINES).startswith("request, line 2: is not JSON: ")


def test_a_byte_order_mark_is_no_content():
    assert request(b'\xef\xbb\xbf{"features": [1]}').features.tolist() == [[1]]
    assert request(b'\xef\xbb\xbf{"features": [1]}', LINES).features.tolist() == [[1]]


def test_no_instances_are_no_rows():
    assert len(instances()) == 0
    assert len(request(b"\n\n", LINES, width=2)) == 0


def test_lines_keep_their_numbers_from_block_to_block():
    good = b'{"features": [1, 2]}\n'
    data = good * 30_000 + b"\n" + b'{"features": [1]}\n'
    with pytest.raises(UserError, match="train/x, line 30002: 1 features, where the first row has 2"):
        rows(LINES, data, name="train/x", block=1 << 14)
