"""Which way up a picture is to be seen, against Pillow's reading of the same files."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.shared.vision.decoding import decode, encode
from algoport.algorithms.shared.vision.orientation import orientation, upright_size

Image = pytest.importorskip("PIL.Image", reason="Pillow makes the pictures of these tests")
ImageOps = pytest.importorskip("PIL.ImageOps")
PIXELS = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def tagged(tag: int, value: int, kind: str = "JPEG") -> bytes:
    """A file as Pillow writes it, with one tag beside another."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x010F], exif[tag] = "maker", value
    Image.fromarray(PIXELS).save(file, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("value", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(value: int, kind: str) -> None:
    data = tagged(0x0112, value, kind)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))

    pixels = decode(data, 3, "it")

    assert orientation(data) == value
    assert upright_size(data) == (upright.height, upright.width) == pixels.shape[:2]
    assert np.abs(np.asarray(upright, int) - pixels).max() <= (16 if kind == "JPEG" else 0)  # two decoders of JPEG
    assert decode(data, 3, "it", upright=False).shape == PIXELS.shape


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_block_of_tags_may_begin_as_one_of_jpeg_does(kind: str) -> None:
    data = tagged(0x0112, 6, kind)
    start = data.index(b"II*\0") if b"II*\0" in data else data.index(b"MM\0*")
    size = int.from_bytes(data[start - 8 : start - 4], "big") if kind == "PNG" else len(data) - start

    if kind == "PNG":  # the length of its chunk stands in front, and a sum behind that the reader does not check
        grown = data[: start - 8] + struct.pack(">I", size + 6) + data[start - 4 : start] + b"Exif\0\0" + data[start:]
        assert orientation(grown) == 6
    elif kind == "WEBP":
        grown = data[: start - 4] + struct.pack("<I", size + 6) + b"Exif\0\0" + data[start:]
        assert orientation(grown) == 6
    else:
        assert data[start - 6 : start] == b"Exif\0\0" and orientation(data) == 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("tag", "value"), [(0x0112, 0), (0x0112, 9), (0x0100, 6)])
def test_other_tags_and_values_say_nothing(tag: int, value: int, kind: str) -> None:
    assert orientation(tagged(tag, value, kind)) == 1


@pytest.mark.parametrize("data", [tagged(0x0112, 0), tagged(0x0112, 9), tagged(0x0100, 6), encode(PIXELS, 90)])
def test_a_picture_that_says_nothing_of_it_is_upright(data: bytes) -> None:
    assert orientation(data) == 1
    assert upright_size(data) == (4, 5)


def test_what_is_no_picture_has_no_size() -> None:
    assert upright_size(b"GIF89a") is None and orientation(b"GIF89a") == 1
    assert upright_size(encode(PIXELS)) == (4, 5)


def block(order: str, at: int, count: int, entries: bytes) -> bytes:
    """A JPEG file with a block of tags, made by hand."""
    tags = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at) + struct.pack(f"{order}H", count)
    body = b"Exif\0\0" + tags + entries
    jpeg = encode(PIXELS, 90)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("at", [0, 8, 2**16, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("count", [0, 1, 2**16 - 1])
def test_tags_that_lead_nowhere_say_nothing(order: str, at: int, count: int) -> None:
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, 6, 0)

    code = orientation(block(order, at, count, entry))

    assert code == (6 if (at, count > 0) == (8, True) else 1)


@settings(deadline=None, max_examples=200)
@given(
    some.binary(max_size=30),
    some.integers(0, 80),
    some.sampled_from(range(1, 9)),
    some.sampled_from(["JPEG", "PNG", "WEBP"]),
)
def test_damage_is_harmless(noise: bytes, at: int, value: int, kind: str) -> None:
    damaged: Any = bytearray(tagged(0x0112, value, kind))
    damaged[at : at + len(noise)] = noise

    assert orientation(bytes(damaged)) in range(1, 9)
    assert upright_size(bytes(damaged)) is None or len(upright_size(bytes(damaged)) or ()) == 2
