"""Masks against Pillow, which gives places in a palette as they are."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records.images import png
from algoport.algorithms.shared.vision.masks import decode_mask, encode_mask

RANDOM = np.random.default_rng(0)


def saved(image: Image.Image, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **how)
    return file.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (40, 33)])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_places_in_a_palette_are_the_numbers_whatever_the_colors(size, bits):
    numbers = RANDOM.integers(0, 1 << bits, size).astype(np.uint8)
    image = Image.fromarray(numbers, "P")
    image.putpalette(RANDOM.integers(0, 256, 768).astype(np.uint8).tobytes())

    for how in ({}, {"transparency": 0}, {"optimize": True}):
        data = saved(image, bits=bits, **({} if how.get("optimize") else how))

        np.testing.assert_array_equal(decode_mask(data, "a"), np.asarray(Image.open(io.BytesIO(data))))


def gray(numbers: np.ndarray, bits: int) -> bytes:
    """A gray PNG file of so many bits a pixel, written by hand."""
    height, width = numbers.shape
    whole = np.zeros((height, -(-width * bits // 8) * 8 // bits), np.uint8)
    whole[:, :width] = numbers
    spread = np.unpackbits(whole[..., None], axis=2)[..., 8 - bits :].reshape(height, -1)
    lines = b"".join(b"\0" + row.tobytes() for row in np.packbits(spread, axis=1))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)), (b"IDAT", zlib.compress(lines))]
    chunks = [*parts, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_gray_levels_are_the_numbers_of_the_file(bits):
    numbers = RANDOM.integers(0, 1 << bits, (9, 11)).astype(np.uint8)

    np.testing.assert_array_equal(decode_mask(gray(numbers, bits), "a"), numbers)


@pytest.mark.parametrize("way", range(1, 9))
def test_a_mask_lies_as_it_is_stored_whatever_a_viewer_would_do(way):
    """Turned by its own tag, it would have the classes of other pixels, or not the size of its header."""
    numbers, exif = RANDOM.integers(0, 256, (6, 9)).astype(np.uint8), Image.Exif()
    exif[0x0112] = way

    np.testing.assert_array_equal(decode_mask(saved(Image.fromarray(numbers), exif=exif), "a"), numbers)


def test_what_is_written_is_read():
    numbers = RANDOM.integers(0, 256, (6, 9)).astype(np.uint8)

    np.testing.assert_array_equal(decode_mask(encode_mask(numbers), "a"), numbers)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff\xd8\xff\xe0", "must be a PNG file"),
        (png(4, 5), "must be gray or have a palette"),
        (png(4, 5, b"", "gray")[:-12], "is cut off"),
        (png(4, 5, b"", "gray")[:41] + b"\0" * 8 + png(4, 5, b"", "gray")[49:], "is damaged"),
    ],
)
def test_what_is_no_mask_is_refused_in_a_sentence(data, sentence):
    with pytest.raises(UserError, match=f"^train/a.jpg: its mask .*{sentence}"):
        decode_mask(data, "train/a.jpg")
