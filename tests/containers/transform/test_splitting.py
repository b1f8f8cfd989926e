"""Objects come apart into whole records, and can be resumed between any two requests."""

from __future__ import annotations

import io
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from algoport.containers.transform.splitting import MAGIC, Cut, Malformed, Piece, Split, masked_crc, payload
from algoport.training.formats.recordio import frame

LINES = some.lists(some.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=30)


def cut(data: bytes, how: Cut, offset: int = 0, first: int = 1) -> list[Piece]:
    stream = io.BytesIO(data)
    stream.seek(offset)
    return list(how.pieces(stream, offset, first))


def tfrecord(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


@given(lines=LINES, ended=some.booleans(), limit=some.integers(4, 40), most=some.sampled_from([None, 1, 3]))
def test_lines_are_cut_whole_and_resumed_anywhere(
    lines: list[bytes], ended: bool, limit: int, most: int | None
) -> None:
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    how = Cut(split="Line", single=False, limit=limit, most=most)

    pieces = cut(data, how)

    numbered = dict(enumerate(data.split(b"\n"), 1))
    whole = re.findall(rb"[^\n]*\n|[^\n]+$", data)
    assert b"".join(piece.body for piece in pieces) == b"".join(line for line in whole if len(line) <= limit)
    for before, piece in zip([None, *pieces], pieces, strict=False):
        assert piece.first == (before.following if before else 1)
        assert len(piece.body) <= limit
        assert most is None or piece.following - piece.first <= most
        assert piece.body.startswith(numbered[piece.first]) or piece.fault
        if piece.fault:
            assert len(numbered[piece.first]) + 1 > limit
        assert cut(data, how, piece.stop, piece.following) == pieces[pieces.index(piece) + 1 :]
    assert not pieces or pieces[-1].stop == len(data)


def test_as_many_lines_as_fit_are_sent_together_and_one_alone_without_its_end() -> None:
    data = b"aa\nbb\r\n\ncccc\nd"

    together = cut(data, Cut(split="Line", single=False, limit=7))
    alone = cut(data, Cut(split="Line", single=True, limit=7))

    assert [(piece.body, piece.first) for piece in together] == [(b"aa\nbb\r\n", 1), (b"\ncccc\nd", 3)]
    assert [(piece.body, piece.first) for piece in alone] == [(b"aa", 1), (b"bb", 2), (b"", 3), (b"cccc", 4), (b"d", 5)]
    how = Cut(split="Line", single=False, limit=7)
    assert how.records(together[1]) == [(4, b"cccc\n"), (5, b"d\n")]


def test_a_line_that_is_too_long_is_named_and_passed_over() -> None:
    pieces = cut(b"a\n" + b"b" * 3_000_000 + b"\nc\n", Cut(split="Line", single=False, limit=10))

    assert [(piece.body, piece.first, piece.following) for piece in pieces] == [
        (b"a\n", 1, 2),
        (b"", 2, 3),
        (b"c\n", 3, 4),
    ]
    assert pieces[1].fault == "has 3,000,000 bytes, more than MaxPayloadInMB (10 bytes) allows"


@given(
    records=some.lists(some.binary(max_size=9), max_size=12),
    kind=some.sampled_from(["RecordIO", "TFRecord"]),
    limit=some.integers(40, 90),
)
def test_frames_are_sent_whole(records: list[bytes], kind: Split, limit: int) -> None:
    framed = [(frame if kind == "RecordIO" else tfrecord)(record) for record in records]
    how = Cut(split=kind, single=False, limit=limit)

    pieces = cut(b"".join(framed), how)

    assert b"".join(piece.body for piece in pieces) == b"".join(framed)
    assert [record for piece in pieces for record in how.records(piece)] == list(enumerate(framed, 1))
    assert all(len(piece.body) <= limit for piece in pieces)
    for number, piece in enumerate(pieces, 1):
        assert cut(b"".join(framed), how, piece.stop, piece.following) == pieces[number:]


def test_one_record_of_recordio_is_sent_without_its_frame() -> None:
    mark = struct.pack("<I", MAGIC)
    split = struct.pack("<II", MAGIC, 1 << 29 | 4) + b"abcd" + struct.pack("<II", MAGIC, 3 << 29 | 2) + b"ef\0\0"

    pieces = cut(frame(b"hello") + split, Cut(split="RecordIO", single=True, limit=100))

    assert [piece.body for piece in pieces] == [b"hello", b"abcd" + mark + b"ef"]
    assert payload(frame(b"")) == b""


def test_one_tfrecord_is_sent_with_its_frame() -> None:
    data = tfrecord(b"one") + tfrecord(b"two")

    pieces = cut(data, Cut(split="TFRecord", single=True, limit=100))

    assert [piece.body for piece in pieces] == [tfrecord(b"one"), tfrecord(b"two")]
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("split", "data", "sentence"),
    [
        (
            "RecordIO",
            frame(b"a") + b"1,2,3\n4,5",
            "record 2 (byte 12): does not begin with the magic number of RecordIO.",
        ),
        ("RecordIO", frame(b"abcdef")[:-4], "record 1 (byte 0): is cut off at the end."),
        ("RecordIO", frame(b"a") + b"\x0a", "record 2 (byte 12): is cut off at the end."),
        ("TFRecord", tfrecord(b"a") + b"x" * 20, "record 2 (byte 17): does not begin with a length that its checksum"),
        ("TFRecord", tfrecord(b"a")[:-1], "record 1 (byte 0): is cut off at the end."),
    ],
)
def test_a_broken_frame_is_named_by_record_and_byte(split: Split, data: bytes, sentence: str) -> None:
    with pytest.raises(Malformed) as error:
        cut(data, Cut(split=split, single=True, limit=100))

    assert sentence in str(error.value)


def test_without_splitting_an_object_is_one_request() -> None:
    how = Cut(split="None", single=False, limit=10)

    assert [piece.body for piece in cut(b"0123456789", how)] == [b"0123456789"]
    assert cut(b"", how) == [] and cut(b"0123456789", how, 10, 2) == []
    (piece,) = cut(b"0" * 11, how)
    assert piece.fault and not piece.body
