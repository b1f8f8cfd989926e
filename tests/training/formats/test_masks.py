"""Pictures with masks in the stream of an augmented manifest."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.images import png
from algoport.algorithms.contract.records.masks import Masks
from algoport.algorithms.shared.vision.decoding import encode
from algoport.training import formats
from algoport.training.formats import ContentType, Layout
from algoport.training.formats.masks import recordio
from algoport.training.formats.recordio import frame

PICTURE, MASK = png(4, 5), png(4, 5, bytes(range(20)), "palette")
JPEG = encode(np.zeros((4, 5, 3), np.uint8), 90)


def read(data: bytes, media: str = "application/x-recordio", **how: Any) -> Masks:
    records: Masks = formats.whole(data, ContentType.parse(media), Layout(name="train/a", **how), "masks")
    return records


def turned(data: bytes, orientation: int) -> bytes:
    """A JPEG file with a tag that says which way up it is."""
    tags = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tags
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


@pytest.mark.parametrize("mask", [MASK, png(4, 5, bytes(20), "gray")])
@pytest.mark.parametrize("picture", [PICTURE, JPEG])
def test_pictures_and_masks_come_by_turns(picture: bytes, mask: bytes) -> None:
    masks = read(frame(picture) + frame(mask) + frame(PICTURE) + frame(MASK))

    assert list(masks.encoded) == [picture, PICTURE] and masks.masks == [mask, MASK]
    assert masks.place(1) == "train/a, record 3"
    assert masks.nbytes == len(picture) + len(mask) + len(PICTURE) + len(MASK)


@pytest.mark.parametrize(("orientation", "size"), [(1, (4, 5)), (3, (4, 5)), (6, (5, 4)), (8, (5, 4)), (77, (4, 5))])
def test_a_mask_has_the_size_of_the_picture_as_it_is_seen(orientation: int, size: tuple[int, int]) -> None:
    mask, other = png(*size, b"", "gray"), png(*size[::-1], b"", "gray")

    assert len(read(frame(turned(JPEG, orientation)) + frame(mask))) == 1
    with pytest.raises(UserError, match="its mask must have the size of the picture"):
        read(frame(turned(JPEG, orientation)) + frame(other))


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        (frame(PICTURE), "record 1: is a picture, and no mask follows it."),
        (frame(PICTURE) + frame(JPEG), "record 2: must be a mask, a PNG file; it is a JPEG file."),
        (frame(PICTURE) + frame(b"3"), "record 2: must be a mask, a PNG file; it is something that begins b'3'."),
        (frame(PICTURE) + frame(b""), "record 2: must be a mask, a PNG file; it is empty."),
        (frame(PICTURE) + frame(MASK[:-12]), "record 2: its mask is cut off: the end of the PNG file is missing."),
        (frame(PICTURE) + frame(MASK[:20]), "record 2: its mask is cut off"),
        (
            frame(PICTURE) + frame(PICTURE),
            "must be gray or have a palette, with at most 8 bits a pixel; it has 8 bits of red, green and blue a pixel",
        ),
        (
            frame(PICTURE) + frame(png(5, 4, b"", "gray")),
            "record 2: its mask must have the size of the picture, 5 x 4 pixels; it has 4 x 5.",
        ),
        (
            frame(struct.pack("<IfQQ", 0, 3.0, 0, 0) + PICTURE),
            "record 1: has a header in front of its picture, where a picture and its mask must stand in frames",
        ),
        (frame(PICTURE) + frame(MASK)[:-30], "record 2 (byte"),
    ],
)
def test_what_is_wrong_is_refused_with_its_record(stream: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read(stream)

    assert str(caught.value).startswith("train/a") and sentence in str(caught.value)


def with_head(depth: int, color: int) -> bytes:
    """The mask, which claims another number of bits and colors."""
    return MASK[:24] + bytes([depth, color]) + MASK[26:]


@pytest.mark.parametrize(("depth", "color", "has"), [(16, 0, "16 bits of gray"), (8, 4, "gray with alpha")])
def test_masks_of_more_than_a_byte_a_pixel_are_refused(depth: int, color: int, has: str) -> None:
    with pytest.raises(UserError, match=f"with at most 8 bits a pixel; it has .*{has}"):
        read(frame(PICTURE) + frame(with_head(depth, color)))


@pytest.mark.parametrize("size", [0, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_mask_that_claims_a_huge_size_is_refused_and_costs_nothing(size: int) -> None:
    claimed = MASK[:16] + struct.pack(">II", size, size) + MASK[24:]

    with pytest.raises(UserError, match="its mask"):
        read(frame(PICTURE) + frame(claimed))


@settings(deadline=None, max_examples=200)
@given(noise=some.binary(max_size=40), at=some.integers(0, 500), orientation=some.integers(0, 2**16 - 1))
def test_damage_is_refused_or_harmless(noise: bytes, at: int, orientation: int) -> None:
    good = bytearray(frame(turned(JPEG, orientation)) + frame(MASK) + frame(PICTURE) + frame(MASK))
    good[at : at + len(noise)] = noise
    try:
        masks = read(bytes(good))
    except UserError as error:
        assert str(error).startswith("train/a")
    else:
        assert masks.masks is not None and len(masks.masks) == len(masks) > 0


def test_a_body_is_one_picture_and_has_no_mask() -> None:
    masks = read(PICTURE, "image/png")

    assert list(masks.encoded) == [PICTURE] and masks.masks is None
    with pytest.raises(ValueError, match="some of these have none"):
        recordio.write(masks)
