"""Integer sequences: records as the clients of the originals write them, and numbers that are none."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from algoport.algorithms.contract import Field
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.joining import concatenate
from algoport.algorithms.contract.records.sequences import LARGEST, Sequences
from algoport.training import formats
from algoport.training.formats import ContentType, Layout, record
from algoport.training.formats.recordio import frame
from tests.training.formats.streams import Trickle

PROTOBUF, JSON, LINES = "application/x-recordio-protobuf", "application/json", "application/jsonlines"
PAIR = (Field(name="in0", meaning="one"), Field(name="in1", meaning="other"))


def read(body: bytes, media: str, **layout: object) -> Sequences:
    whole: Sequences = formats.whole(body, ContentType.parse(media), Layout("train/a", **layout), "sequences")
    return whole


def lists(records: Sequences, name: str) -> list[list[int] | None]:
    return [
        records.tokens(name)[number].tolist() if has else None for number, has in enumerate(records.has(name).tolist())
    ]


def message(**features: Any) -> Any:
    """A record whose features are int32 tensors; None: a feature that says nothing."""
    built = record.message()()
    for name, values in features.items():
        built.features[name].SetInParent()
        if values is not None:
            built.features[name].int32_tensor.SetInParent()
            built.features[name].int32_tensor.values.extend(values)
    return built


def packed(*messages: Any) -> bytes:
    return b"".join(frame(each.SerializeToString()) for each in messages)


def test_pairs_of_int32_features_are_read_by_their_names() -> None:
    body = packed(message(source=[4, 5, 300], target=[7]), message(source=[LARGEST], target=None))

    records = read(body, PROTOBUF)

    assert lists(records, "source") == [[4, 5, 300], [LARGEST]]
    assert lists(records, "target") == [[7], []]
    assert lists(records, "other") == [None, None]
    assert records.place(1) == "train/a, record 2"


def test_the_bytes_of_a_record_are_those_of_the_contract() -> None:
    """Field numbers by hand: features 1, key 1, value 2, int32_tensor 7, values 1, packed varints."""
    tensor = bytes([0x0A, 4, 0x01, 0xAC, 0x02, 0x05])
    value = bytes([0x3A, len(tensor)]) + tensor
    entry = b"\x0a\x06source\x12" + bytes([len(value)]) + value
    payload = bytes([0x0A, len(entry)]) + entry
    body = struct.pack("<II", 0xCED7230A, len(payload)) + payload + bytes(-len(payload) % 4)

    records = read(body, PROTOBUF)

    assert lists(records, "source") == [[1, 300, 5]]
    assert formats.find(PROTOBUF, "sequences").write(records) == body


def test_whole_numbers_of_another_type_are_read_too_and_labels_of_any() -> None:
    built = message(in0=[1])
    built.features["in1"].float32_tensor.values.extend([2.0, 3.0])
    built.label["values"].int32_tensor.values.append(-3)

    records = read(packed(built), PROTOBUF)

    assert lists(records, "in1") == [[2, 3]]
    np.testing.assert_array_equal(records.label, [[-3]])


def test_json_lines_have_labels_and_either_sequence() -> None:
    body = b'\n{"label": 0, "in0": [6, 17, 606], "in1": [16]}\n{"label": 2.5, "in0": [], "note": "x"}\n'

    records = read(body, LINES, fields=PAIR)

    assert lists(records, "in0") == [[6, 17, 606], []]
    assert lists(records, "in1") == [[16], None]
    np.testing.assert_array_equal(records.label, np.array([[0], [2.5]], np.float32))
    assert records.place(1) == "train/a, line 3"


def test_requests_have_the_short_and_the_long_form_and_options() -> None:
    body = {
        "instances": [
            {"in0": [1]},
            {"data": {"in1": {"values": [2, 3]}}, "configuration": {"k": 1}},
            {"data": {"in0": [4]}},
        ],
        "configuration": {"k": 0},
    }

    records = read(json.dumps(body).encode(), JSON, fields=PAIR)

    assert lists(records, "in0") == [[1], None, [4]]
    assert lists(records, "in1") == [None, [2, 3], None]
    assert records.configuration == [{"k": 0}, {"k": 1}, {"k": 0}]


@pytest.mark.parametrize(
    "number", ["2147483648", "4294967296", "9223372036854775808", "-1", "1.0", "true", '"1"', "null"]
)
def test_what_is_no_number_of_a_sequence_is_named(number: str) -> None:
    body = f'{{"in0": [1]}}\n{{"in0": [1, {number}]}}\n'.encode()

    with pytest.raises(
        UserError, match='^train/a, line 2: "in0" must be a list of whole numbers from 0 to 2,147,483,647'
    ):
        read(body, LINES)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b'{"in2": [1]}', 'must have "in0" or "in1"; it has \'in2\'.'),
        (b'{"in0": 5}', '"in0" must be a list of whole numbers'),
        (b"[1, 2]", 'must be an object such as {"in0"'),
        (b'{"in0": [1], "label": "a"}', '"label" must be a number; it is'),
        (b'{"in0": [1], "label": 1e39}', '"label" must be a number; it is'),
    ],
)
def test_a_value_that_is_no_record_is_a_sentence(value: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as fault:
        read(value, LINES, fields=PAIR)

    assert str(fault.value).startswith(f"train/a, line 1: {sentence}")


def test_labels_of_some_records_only_are_refused() -> None:
    with pytest.raises(UserError, match='line 2: "label" must be a number; it is nothing'):
        read(b'{"in0": [1], "label": 1}\n{"in0": [1]}', LINES)
    labeled = message(in0=[1])
    labeled.label["values"].float32_tensor.values.append(1)
    with pytest.raises(UserError, match="record 2: 0 labels, where the first record has 1"):
        read(packed(labeled, message(in0=[1])), PROTOBUF)


def test_tensors_that_are_no_sequence_are_named() -> None:
    sparse, shaped, blob, half = message(in0=[1]), message(in0=[1, 2]), message(), message()
    sparse.features["in0"].int32_tensor.keys.append(0)
    shaped.features["in0"].int32_tensor.shape.append(1 << 40)
    blob.features["in0"].bytes.value.append(b"x")
    half.features["in0"].float32_tensor.values.append(0.5)
    cases = [(sparse, "must be dense"), (shaped, "its shape is not for"), (blob, "it is bytes"), (half, "it has 0.5")]

    for built, sentence in cases:
        with pytest.raises(UserError, match=f"^train/a, record 2: its 'in0' .*{sentence}"):
            read(packed(message(in0=[]), built), PROTOBUF)


def test_many_records_are_handed_on_in_batches_with_their_numbers() -> None:
    body = packed(*(message(in0=range(n % 7)) for n in range(5000)))

    parts = list(formats.find(PROTOBUF, "sequences").read(Trickle(body, 1 << 16), Layout("train/a")))

    assert len(parts) > 1
    assert lists(concatenate(parts), "in0") == [list(range(n % 7)) for n in range(5000)]
    assert concatenate(parts).place(4999) == "train/a, record 5000"


@pytest.mark.parametrize("media", [LINES, PROTOBUF])
def test_a_name_for_each_record_is_refused(media: str) -> None:
    """Every record has a place for every name: ten thousand of both would fill the memory."""
    names = [f"n{number}" for number in range(5000)]
    lines = b"".join(json.dumps({name: [1]}).encode() + b"\n" for name in names)
    body = lines if media == LINES else packed(*(message(**{name: [1]}) for name in names))

    with pytest.raises(UserError, match="at most 16 sequences have names of their own"):
        read(body, media)
    with pytest.raises(UserError, match="at most 16 sequences have names of their own"):
        read(body, media, block=1)
