"""Pictures in records, one a body, and in the stream of an augmented manifest."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images
from algoport.training import formats
from algoport.training.formats import ContentType, Layout
from algoport.training.formats.images import picture, recordio
from algoport.training.formats.recordio import MAGIC, frame

JPEG, PNG = b"\xff\xd8\xff\xe0 a jpeg", b"\x89PNG\r\n\x1a\n a png"


def images(count: int, labels: int = 1) -> Images:
    label = np.arange(count * labels, dtype=np.float32).reshape(count, labels)
    return Images(encoded=[(JPEG, PNG)[n % 2] + bytes([n % 256]) * (n % 7) for n in range(count)], label=label)


def read(data: bytes, media: str = "application/x-recordio", **how: Any) -> Images:
    return formats.whole(data, ContentType.parse(media), Layout(name="train/a.rec", **how), "images")


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 9])
def test_what_is_written_is_read(count, labels):
    given = images(count, labels)

    records = read(recordio.write(given))

    assert list(records.encoded) == list(given.encoded)
    if count:
        np.testing.assert_array_equal(records.label, given.label)
        assert records.place(count - 1) == f"train/a.rec, record {count}"


def test_records_are_as_mxnet_writes_them():
    """Flag 0: the label stands in the header; flag 2: two labels follow it."""
    one = struct.pack("<IfQQ", 0, 7.0, 5, 0) + JPEG
    two = struct.pack("<IfQQ", 2, 0.0, 5, 0) + struct.pack("<2f", 1, 0) + PNG

    assert read(frame(one)).label.tolist() == [[7.0]]
    assert read(frame(two)).label.tolist() == [[1.0, 0.0]]
    assert recordio.write(Images(encoded=[JPEG], label=np.array([[7]], np.float32)), 5) == frame(one)


def test_a_record_that_was_split_at_its_magic_is_joined():
    """As the tools of MXNet write a picture that has the magic number in it."""
    head = struct.pack("<IfQQ", 0, 1.0, 0, 0) + JPEG[:8]
    tail = b"the rest"
    first = struct.pack("<II", MAGIC, 1 << 29 | len(head)) + head
    last = struct.pack("<II", MAGIC, 3 << 29 | len(tail)) + tail

    records = read(first + last)

    assert records.encoded[0] == JPEG[:8] + struct.pack("<I", MAGIC) + tail


@pytest.mark.parametrize(
    ("text", "label", "how"),
    [
        ("3", [3.0], "application/x-recordio"),
        ('"3"', [3.0], "application/x-recordio"),
        ("[1, 0, 1]", [1.0, 0.0, 1.0], "application/x-recordio"),
        ('"[1, 0, 1]"', [1.0, 0.0, 1.0], "application/x-recordio; label-format=multi-hot"),
        ("[0, 2]", [1.0, 0.0, 1.0, 0.0], "application/x-recordio; label-format=class-id"),
        ("[]", [0.0] * 4, "application/x-recordio; label-format=class-id"),
        ("2", [2.0], "application/x-recordio; label-format=class-id"),
    ],
)
def test_an_augmented_manifest_has_pictures_and_labels_by_turns(text, label, how):
    stream = b"".join(frame(part) for part in (JPEG, text.encode(), PNG, text.encode()))

    records = read(stream, how, classes=4)

    assert list(records.encoded) == [JPEG, PNG]
    assert records.label.tolist() == [label, label]


def test_a_file_in_a_frame_is_read_as_the_file():
    """As pipes wrap whole objects."""
    whole = recordio.write(images(3))

    records = read(frame(whole) + frame(whole))

    assert len(records) == 6


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (frame(b"short"), "record 1: must have a header of 24 bytes; it has 5"),
        (frame(struct.pack("<IfQQ", 9, 0, 0, 0) + b"x"), "record 1: says that 9 labels follow"),
        (frame(struct.pack("<IfQQ", 2**32 - 1, 0, 0, 0) + JPEG), "labels follow, where"),
        (
            frame(struct.pack("<IfQQ", 0, 0, 0, 0) + b"GIF89a"),
            "record 1: must hold a JPEG, PNG or WebP file; it is a GIF file",
        ),
        (frame(struct.pack("<IfQQ", 0, 0, 0, 0)), "it is empty"),
        (frame(JPEG), "record 1: is a picture, and no label follows it"),
        (frame(JPEG) + frame(b"cat"), "record 2: must be a label, a number or a list of numbers; it is 'cat'"),
        (frame(JPEG) + frame(b"[[1]]"), "record 2: must be a label"),
        (frame(JPEG) + frame(b"NaN"), "record 2: must be a label"),
        (frame(JPEG) + frame(b"1") + frame(b"2") + frame(b"3"), "record 3: must be a JPEG, PNG or WebP file"),
        (recordio.write(images(1)) + recordio.write(images(1, 2)), "record 2: 2 labels, where the first record has 1"),
        (recordio.write(images(2))[:-9], "cut off"),
        (b"\x89PNG\r\n\x1a\n and more", "is plainly a PNG picture, where the content type is application/x-recordio."),
    ],
)
def test_what_is_wrong_is_reported_with_its_record(stream, message):
    with pytest.raises(UserError) as caught:
        read(stream)

    assert str(caught.value).startswith("train/a.rec") and message in str(caught.value)


def test_classes_that_there_are_not_are_reported():
    with pytest.raises(UserError, match="must name classes from 0 to 2; it is"):
        read(frame(JPEG) + frame(b"[0, 3]"), "application/x-recordio; label-format=class-id", classes=3)


@settings(deadline=None, max_examples=100)
@given(some.binary(max_size=200), some.integers(0, 100))
def test_damage_is_reported_or_harmless(noise, at):
    whole = bytearray(recordio.write(images(3, 2)))
    whole[at : at + len(noise)] = noise
    try:
        read(bytes(whole))
    except UserError as error:
        assert str(error).startswith("train/a.rec")


def test_a_stream_comes_in_blocks_whose_pictures_are_named_by_their_number():
    given = images(50)
    layout = Layout(name="a", block=256)

    blocks = list(recordio.read(io.BytesIO(recordio.write(given)), layout))

    assert len(blocks) == 3 and sum(map(len, blocks)) == 50
    assert blocks[-1].place(len(blocks[-1]) - 1) == "a, record 50"


@pytest.mark.parametrize("media", ["application/x-image", "image/jpeg", "image/PNG", "image/png; q=1"])
def test_a_body_is_one_picture(media):
    assert list(read(PNG, media).encoded) == [PNG]
    assert len(read(b"", media)) == 0
    assert picture.write(read(PNG, media)) == PNG
    with pytest.raises(UserError, match="must be a JPEG, PNG or WebP file; it is a TIFF file"):
        read(b"II*\0\0\0\0\0", media)
