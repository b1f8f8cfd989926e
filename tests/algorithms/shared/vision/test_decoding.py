"""Pictures as people send them, and as nobody should."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.vision import decoding, headers
from tests.algorithms.shared.vision.pictures import gradients

Image = pytest.importorskip("PIL.Image", reason="Pillow makes the pictures of these tests")


def saved(image, kind: str = "PNG", **how) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def test_a_png_is_read_as_it_is():
    pixels = gradients()

    np.testing.assert_array_equal(decoding.decode(saved(Image.fromarray(pixels)), 3, "a"), pixels)
    np.testing.assert_array_equal(decoding.decode(decoding.encode(pixels), 3, "a"), pixels)
    gray = gradients(channels=1)
    np.testing.assert_array_equal(decoding.decode(decoding.encode(gray), 1, "a"), gray)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.fromarray(gradients()), "JPEG"),
        (Image.fromarray(gradients()).convert("CMYK"), "JPEG"),
        (Image.fromarray(gradients()).convert("RGBA"), "PNG"),
        (Image.fromarray(gradients()).convert("P", palette=1, colors=256), "PNG"),
    ],
    ids=["jpeg", "cmyk", "alpha", "palette"],
)
def test_colors_come_out_whatever_they_are_written_as(image, kind):
    pixels = decoding.decode(saved(image, kind), 3, "a")

    want = np.asarray(image.convert("RGB"), int)
    assert pixels.shape == want.shape
    assert np.abs(pixels.astype(int) - want).mean() < 12


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_of_one_two_eight_and_sixteen_bits(channels):
    gray = gradients(channels=1)[:, :, 0]
    wide = Image.fromarray(gray.astype(np.uint16) * 257)
    for data in (saved(Image.fromarray(gray)), saved(wide)):
        pixels = decoding.decode(data, channels, "a")
        assert pixels.shape == (24, 32, channels)
        assert np.abs(pixels.astype(int) - gray[:, :, None]).max() <= 1
    bits = Image.fromarray(gray > 90)
    np.testing.assert_array_equal(decoding.decode(saved(bits), 1, "a")[:, :, 0] > 127, gray > 90)


def test_a_picture_is_turned_as_its_camera_was():
    """Orientation 6: to be turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(gradients()), "JPEG", exif=exif)

    assert decoding.decode(data, 3, "a").shape == (32, 24, 3)
    assert headers.size(data) == (24, 32)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_is_cut_off_is_reported(kind):
    data = saved(Image.fromarray(gradients(100, 100)), kind)

    for end in (len(data) - 20, len(data) // 2, 40):
        with pytest.raises(UserError, match="train/a: "):
            decoding.decode(data[:end], 3, "train/a")


def test_a_thumbnail_s_end_is_not_that_of_the_picture():
    small = saved(Image.fromarray(gradients(8, 8)), "JPEG")
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0\0\0\0\0" + small
    data = saved(Image.fromarray(gradients(100, 100)), "JPEG", exif=exif)
    assert decoding.decode(data, 3, "a").shape == (100, 100, 3)

    with pytest.raises(UserError, match="is cut off"):
        decoding.decode(data[: len(data) // 2 + 300], 3, "a")


def test_a_picture_that_would_be_too_large_is_never_decoded():
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 16))
    chunks = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(own)) + name + own + struct.pack(">I", zlib.crc32(name + own)) for name, own in chunks
    )

    with pytest.raises(UserError, match=r"a: has 60000 x 60000 pixels, where at most 67,108,864 are allowed"):
        decoding.decode(data, 3, "a")


@pytest.mark.parametrize("length", [1_373_195_604, 0xFFFFFFFF])
def test_a_chunk_that_says_it_is_longer_than_the_file_gets_no_room(length):
    whole = saved(Image.fromarray(gradients(8, 8)), "PNG")
    head, rest = whole[:33], whole[33:]
    before = machine.peak_memory()

    with pytest.raises(UserError, match="a: is cut off"):
        decoding.decode(head + struct.pack(">I", length) + rest[4:], 3, "a")
    assert machine.peak_memory() - before < 100_000 * 1024


@settings(deadline=None, max_examples=150)
@given(some.data())
def test_damage_is_reported_or_harmless(data):
    """Whatever bytes are changed: a picture, or a sentence."""
    kind = data.draw(some.sampled_from(["JPEG", "PNG"]))
    whole = bytearray(saved(Image.fromarray(gradients()), kind))
    for _ in range(data.draw(some.integers(1, 5))):
        whole[data.draw(some.integers(0, len(whole) - 1))] = data.draw(some.integers(0, 255))
    try:
        pixels = decoding.decode(bytes(whole), 3, "a", most=1 << 20)
    except UserError as error:
        assert str(error).startswith("a: ")
    else:
        assert pixels.ndim == 3 and pixels.shape[2] == 3


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0\0\0", b"x" * 99]
)
def test_what_is_no_picture_is_reported(data):
    with pytest.raises(UserError, match="a: "):
        decoding.decode(data, 3, "a")


@settings(deadline=None, max_examples=60)
@given(
    some.tuples(some.integers(1, 150), some.integers(1, 150)),
    some.sampled_from(["L", "RGB", "CMYK"]),
    some.sampled_from(["1x1", "4:4:4", "4:2:2", "4:2:0"]),
    some.booleans(),
    some.booleans(),
)
def test_no_jpeg_has_fewer_bytes_than_its_pixels_take_at_least(size, mode, subsampling, progressive, level):
    """The smallest that there are: of one color, of the lowest quality, of codes of their own."""
    how = {} if mode == "L" or subsampling == "1x1" else {"subsampling": subsampling}
    image = Image.new(mode, size, 128 if mode == "L" else (128,) * len(mode))
    data = saved(image, "JPEG", quality=1 if level else 100, optimize=True, progressive=progressive, **how)

    assert headers.head(data).enough
    assert decoding.decode(data, 3, "it").shape == (size[1], size[0], 3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_says_it_is_larger_than_its_bytes_can_be_is_refused_before_it_is_decoded(progressive):
    """Four kilobytes of which a decoder would make 67 million pixels, most of them its own."""
    data = bytearray(saved(Image.fromarray(gradients()), "JPEG", progressive=progressive))
    frame = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 8192, 8192)

    with pytest.raises(UserError, match="^it: is cut off: the end of the picture is missing"):
        decoding.decode(bytes(data), 3, "it")
