"""RecordIO and the protobuf records in it, against the test vectors of the format and the protobuf library."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import sparse

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Rows
from algoport.training.formats import record, recordio
from algoport.training.formats.layout import Layout
from algoport.training.formats.template import template
from tests.training.formats.streams import Trickle, assert_canonical, assert_same, rows

MEDIA = recordio.MEDIA[0]
DENSE = (
    "0a23d7ce 2c000000 0a160a06 76616c75 6573120c 120a0a08 0000c03f 000000c0 "
    "12120a06 76616c75 65731208 12060a04 0000803f"
)
SPARSE = "0a23d7ce 21000000 0a1f0a06 76616c75 65731215 12130a08 0000803f 00008040 120303ac 021a02e8 07000000"


def read(data: bytes, **layout) -> Rows:
    return rows(MEDIA, data, name="train/x.pbr", **layout)


def fault(data: bytes, **layout) -> str:
    with pytest.raises(UserError) as caught:
        read(data, **layout)
    return str(caught.value)


def payloads(data: bytes, step: int = 1 << 20) -> list[bytes]:
    return list(recordio.frames(Trickle(data, step), Layout("train/x.rec", block=8)))


def framed(*messages) -> bytes:
    return b"".join(recordio.frame(message.SerializeToString()) for message in messages)


def message(values=(), keys=(), shape=(), label=None, kind="float32_tensor", label_kind="float32_tensor"):
    made = record.message()()
    tensor = getattr(made.features["values"], kind)
    tensor.values.extend(values)
    tensor.keys.extend(keys)
    tensor.shape.extend(shape)
    getattr(made.features["values"], kind).SetInParent()
    if label is not None:
        getattr(made.label["values"], label_kind).values.extend(label)
    return made


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        ("0a23d7ce 03000000 61626300", b"abc"),
        ("0a23d7ce 00000000", b""),
        ("0a23d7ce 04000020 5758595a 0a23d7ce 05000060 31323334 35000000", b"WXYZ\x0a\x23\xd7\xce12345"),
        ("0a23d7ce 00000020 0a23d7ce 02000060 31320000", b"\x0a\x23\xd7\xce12"),
    ],
)
def test_frames_are_those_of_the_format(data, payload):
    data = bytes.fromhex(data)
    assert payloads(data) == [payload]
    assert payloads(data * 3, step=1) == [payload] * 3
    assert payloads(data.rstrip(b"\0") if payload == b"abc" else data) == [payload]  # a missing pad at the end
    if b"\x0a\x23\xd7\xce" not in payload:
        assert recordio.frame(payload) == data


def test_three_parts_are_joined_and_a_whole_record_is_left_alone():
    magic = b"\x0a\x23\xd7\xce"
    parts = [(1, b"abcd"), (2, b""), (2, b"efgh"), (3, b"i")]
    split = b"".join(
        struct.pack("<II", recordio.MAGIC, flag << 29 | len(p)) + p + bytes(-len(p) % 4) for flag, p in parts
    )
    assert payloads(split) == [b"abcd" + magic + magic + b"efgh" + magic + b"i"]
    assert payloads(recordio.frame(magic * 3)) == [magic * 3]


def test_records_are_those_of_the_format():
    dense, scattered = read(bytes.fromhex(DENSE)), read(bytes.fromhex(SPARSE))
    assert (dense.features.tolist(), dense.label.tolist()) == ([[1.5, -2.0]], [[1.0]])
    assert scattered.width == 1000
    assert scattered.features.indices.tolist() == [3, 300]
    assert scattered.features.data.tolist() == [1.0, 4.0]
    assert recordio.write(dense) == bytes.fromhex(DENSE)
    assert recordio.write(scattered) == bytes.fromhex(SPARSE)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x0a\x23\xd7\xcf" + bytes(4), "train/x.pbr, record 1 (byte 0): does not begin with the magic"),
        (bytes.fromhex(DENSE) + b"\1" * 8, "train/x.pbr, record 2 (byte 52): does not begin with the magic"),
        (bytes.fromhex(DENSE)[:-1], "train/x.pbr, record 1 (byte 0): is cut off: 1 bytes"),
        (bytes.fromhex(DENSE) + b"\x0a\x23\xd7", "train/x.pbr, record 2 (byte 52): is cut off: 5 bytes"),
        (
            struct.pack("<II", recordio.MAGIC, 0x1FFFFFFF) + b"abcd",
            "train/x.pbr, record 1 (byte 0): is cut off: 536,870,907",
        ),
        (struct.pack("<II", recordio.MAGIC, 3 << 29), "(byte 0): has a part with flag 3 outside a split record"),
        (struct.pack("<II", recordio.MAGIC, 1 << 29) * 2, "(byte 8): has a part with flag 1 inside a split record"),
        (struct.pack("<II", recordio.MAGIC, 1 << 29) + bytes.fromhex(DENSE), "(byte 8): has a part with flag 0 inside"),
        (recordio.frame(b"\xff\xff"), "train/x.pbr, record 1: is not an aialgs.data.Record"),
        (b"1,2,3\n4,5,6\n", "train/x.pbr: is plainly CSV (text/csv)"),
        (
            framed(message([1, 2], label=[1]), message([1, 2, 3], label=[1])),
            "record 2: 3 features, where the first row has 2",
        ),
        (framed(message([1, 2], label=[1]), message([1, 2])), "record 2: 0 labels, where the first record has 1"),
        (framed(message([1, 2], [3, 3], [9])), "record 1: has a key twice"),
        (framed(message([1, 2], [3, 9], [9])), "record 1: has a key outside its shape, 9"),
        (framed(message([1, 2], [3, 1 << 63], [9])), "record 1: has a key outside its shape, 9"),
        (framed(message([1, 2], [3], [9])), "record 1: has 1 keys for 2 values"),
        (framed(message([1, 2], [3, 4])), "record 1: has keys and no shape"),
        (framed(message([1, 2], [3, 4], [1 << 62, 4])), "record 1: its shape is too large"),
        (framed(message([1, 2], (), [3])), "record 1: has 2 values, where its shape is for 3"),
        (framed(message()), "record 1: has no values"),
        (framed(record.message()()), "record 1: must have a feature named 'values'; it has none"),
    ],
)
@pytest.mark.parametrize("small", [0, 1 << 16])
def test_a_fault_names_the_record(data, sentence, small, monkeypatch):
    monkeypatch.setattr(recordio, "SMALL", small)
    assert sentence in fault(data)
    assert sentence in fault(data, block=16)


def test_the_size_in_a_header_reserves_no_memory():
    """Half a gigabyte is promised, four bytes come: the window grows with what comes."""
    window = recordio.Window(io.BytesIO(struct.pack("<II", recordio.MAGIC, 0x1FFFFFFF) + bytes(100)), 1 << 10)
    reader = recordio._Reader(window, Layout("train/x"))
    window.fill()
    with pytest.raises(UserError, match="is cut off"):
        reader.advance(0) if reader.frame(0) else None
    assert len(window._buffer) < 1 << 12


@pytest.mark.parametrize("kind", ["float32_tensor", "float64_tensor", "int32_tensor"])
@pytest.mark.parametrize("label_kind", ["float32_tensor", "float64_tensor", "int32_tensor"])
@pytest.mark.parametrize("small", [0, 1 << 30])
def test_every_number_type_is_read(kind, label_kind, small, monkeypatch):
    """Negative integers take ten bytes, large ones five: rows of one width have frames of many lengths."""
    monkeypatch.setattr(recordio, "SMALL", small)
    random = np.random.default_rng(0)
    table = random.choice([0, 1, -1, 127, 128, -(2**31), 2**31 - 1, 300], (200, 5))
    label = random.choice([0, 5, 127, 128, -3], 200)

    back = read(
        framed(
            *(message(row, label=[y], kind=kind, label_kind=label_kind) for row, y in zip(table, label, strict=True))
        )
    )

    np.testing.assert_array_equal(back.features, table.astype(np.float32))
    np.testing.assert_array_equal(back.label[:, 0], label.astype(np.float32))


def test_unpacked_numbers_are_read():
    """Field 1 again and again with wire type 5 or 0, which old writers may send."""

    def sized(tag: int, data: bytes) -> bytes:
        return bytes([tag, len(data)]) + data

    def entry(tag: int, tensor: bytes) -> bytes:
        return sized(10, sized(10, b"values") + sized(18, sized(tag, tensor)))

    floats = b"".join(b"\x0d" + struct.pack("<f", value) for value in (1.5, -2))
    integers = b"\x08\x03\x08" + b"\xff" * 9 + b"\x01"
    assert read(recordio.frame(entry(18, floats))).features.tolist() == [[1.5, -2.0]]
    assert read(recordio.frame(entry(58, integers))).features.tolist() == [[3, -1]]


def test_a_sparse_row_of_zeros_and_dense_rows_stand_beside_sparse_ones():
    back = read(framed(message([], [], [4]), message([5, 6], [3, 0], [4]), message([1, 2, 3, 4])))
    assert back.dense().tolist() == [[0, 0, 0, 0], [6, 0, 0, 5], [1, 2, 3, 4]]
    assert_canonical(back.features)


def test_keys_of_a_matrix_count_through_it():
    """Rank 2 with shape [R, C]: row = key // C, column = key % C, so that a flat row has the keys as they are."""
    assert read(framed(message([7], [5], [2, 3]))).dense().tolist() == [[0, 0, 0, 0, 0, 7]]


def some_records():
    numbers = some.floats(width=32, allow_nan=False, allow_infinity=False)
    texts = some.none() | some.text(max_size=5)

    @some.composite
    def one(draw):
        scattered = draw(some.booleans())
        keys = draw(some.lists(some.integers(0, 5), unique=True, max_size=6)) if scattered else []
        size = len(keys) if scattered else 6
        made = message(
            draw(some.lists(some.integers(-(2**31), 2**31 - 1) | some.just(0), min_size=size, max_size=size)),
            keys,
            [6] if scattered or draw(some.booleans()) else [],
            draw(some.lists(numbers, min_size=1, max_size=1)),
            draw(some.sampled_from(["float32_tensor", "float64_tensor", "int32_tensor"])),
        )
        made.label["other"].float32_tensor.values.extend(draw(some.lists(numbers, max_size=2)))
        if draw(some.booleans()):
            made.features["other"].float32_tensor.keys.append(1)
        for name in ("uid", "metadata"):
            text = draw(texts)
            if text is not None:
                setattr(made, name, text)
        if draw(some.booleans()):
            made.configuration = json.dumps({"k": draw(some.integers(0, 9))})
        return made

    return some.lists(one(), min_size=1, max_size=8)


@settings(deadline=None, max_examples=150)
@given(records=some_records(), unknown=some.booleans())
def test_the_compiled_parser_reads_what_the_protobuf_library_reads(records, unknown):
    """With entries of other names, unsorted keys, texts beside, and a field that the schema does not know."""
    data = [made.SerializeToString() for made in records]
    if unknown:
        data = [payload + b"\x7a\x01x" for payload in data]  # an unknown field 15
    stream = b"".join(recordio.frame(payload) for payload in data)
    layout = Layout("train/x")

    parts, used = recordio.read_compiled(np.array(bytearray(stream), np.uint8), True, 0)
    ours = record.assemble(parts, layout, 1, None, None)

    assert used == len(stream)
    theirs = record.assemble(record.parse(data, layout, 1), layout, 1, None, None)
    assert_same(ours, theirs)


@settings(deadline=None, max_examples=60)
@given(changes=some.lists(some.tuples(some.integers(8, 51), some.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_record_among_many_is_read_as_the_library_reads_it(changes):
    """The fast path must not take a frame that only almost looks like the others."""
    good = bytes.fromhex(DENSE)
    bad = bytearray(good)
    for place, byte in changes:
        bad[place] = byte
    data = good * 20 + bytes(bad) + good * 20
    layout = Layout("train/x.pbr")

    def outcome(how) -> object:
        try:
            back = how()
        except UserError:
            return "a sentence"
        return back.dense().tolist(), back.label.tolist(), back.uid or [None] * 41, back.metadata or [None] * 41

    def plainly() -> Rows:
        payload = list(recordio.frames(io.BytesIO(data), layout))
        return record.assemble(record.parse(payload, layout, 1), layout, 1, None, None)

    assert str(outcome(lambda: read(data))) == str(outcome(plainly))


def test_tables_are_not_parsed():
    """The layouts that writers make have a template; others have none."""

    def has_template(made) -> bool:
        payload = made.SerializeToString()
        return template(recordio.frame(payload)[: 8 + len(payload)]) is not None

    assert has_template(message([1.0] * 300, label=[3], kind="float64_tensor", label_kind="int32_tensor"))
    assert has_template(message([1.5, -2.0], label=[1]))
    assert has_template(message([1.0, 2.0], shape=[2]))
    assert not has_template(message([1.0, 4.0], [3, 300], [1000]))
    assert not has_template(message([300], kind="int32_tensor"))


def test_layouts_may_change_within_a_stream():
    """Runs of tables of different frames, sparse rows between them, in one order and without loss."""
    random = np.random.default_rng(0)
    table = random.integers(0, 100, (400, 6))
    label = random.integers(0, 300, 400)
    kinds = ["float32_tensor"] * 100 + ["float64_tensor"] * 3 + ["int32_tensor"] * 97 + ["float64_tensor"] * 200
    made = [
        message(x, label=[y], kind=k, label_kind="int32_tensor") for x, y, k in zip(table, label, kinds, strict=True)
    ]
    made[50] = message(table[50], range(6), [6], [label[50]], label_kind="int32_tensor")

    for block in (64, 1 << 12, 1 << 24):
        back = read(framed(*made), block=block)
        np.testing.assert_array_equal(back.dense(), table.astype(np.float32))
        np.testing.assert_array_equal(back.label[:, 0], label.astype(np.float32))


def test_what_came_along_is_kept():
    given_rows = Rows(
        features=np.eye(3, dtype=np.float32),
        uid=["a", None, "ü"],
        metadata=[None, '{"x": 1}', None],
        configuration=[None, {"k": 2}, None],
    )
    assert_same(read(recordio.write(given_rows)), given_rows)
    broken = message([1.0])
    broken.configuration = "{"
    assert "record 1: its configuration is not JSON" in fault(framed(broken))


def test_answers_are_labels_by_name():
    columns = {"cluster": np.array([1, 0]), "vector": np.array([[1.5, 2], [3, 4]])}
    messages = [record.message().FromString(payload) for payload in payloads(recordio.answers(columns))]
    assert [list(answer.label["cluster"].float32_tensor.values) for answer in messages] == [[1], [0]]
    assert [list(answer.label["vector"].float32_tensor.values) for answer in messages] == [[1.5, 2], [3, 4]]
    assert not any(answer.features for answer in messages)

    ragged = recordio.answers({"boxes": [np.arange(2), np.arange(3)]}, uid=["a", None])
    messages = [record.message().FromString(payload) for payload in payloads(ragged)]
    assert [list(answer.label["boxes"].float32_tensor.values) for answer in messages] == [[0, 1], [0, 1, 2]]
    assert [answer.uid for answer in messages] == ["a", ""]


def test_a_sparse_matrix_of_scipy_survives():
    matrix = sparse.random_array((300, 40), density=0.1, dtype=np.float32, rng=np.random.default_rng(0), format="csr")
    back = read(recordio.write(Rows(features=matrix)), block=1 << 12)
    assert (back.features != matrix).nnz == 0


@pytest.mark.parametrize("small", [0, 1 << 16])
def test_keys_without_a_shape_are_of_the_width_that_is_known(small, monkeypatch):
    monkeypatch.setattr(recordio, "SMALL", small)
    data = framed(message([5, 7], [1, 2]), message([3], [0]))

    assert rows("application/x-recordio-protobuf", data, width=3).dense().tolist() == [[0, 5, 7], [3, 0, 0]]
    with pytest.raises(UserError, match="record 1: has key 2, where feature_dim is 2 and keys count from 0"):
        rows("application/x-recordio-protobuf", data, width=2, width_name="feature_dim")
