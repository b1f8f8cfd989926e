"""Pictures as people send them, and as nobody should."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared import machine
from algoport.algorithms.shared.vision import decoding as pictures
from algoport.algorithms.shared.vision import prefetch as pictures_ahead
from algoport.algorithms.shared.vision import transforms as pictures_transforms
from algoport.algorithms.shared.vision.transforms import LEVELS, Preparation

Image = pytest.importorskip("PIL.Image", reason="Pillow makes the pictures of these tests")


def saved(image, kind: str = "PNG", **how) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def noise(height: int = 24, width: int = 32, channels: int = 3) -> np.ndarray:
    """Smooth enough for JPEG to keep it nearly as it is."""
    y, x = np.mgrid[:height, :width]
    return np.stack([(x * 3 + y * 2 + 40 * c) % 200 for c in range(channels)], axis=2).astype(np.uint8)


def test_a_png_is_read_as_it_is():
    pixels = noise()

    np.testing.assert_array_equal(pictures.decoded(saved(Image.fromarray(pixels)), 3, "a"), pixels)
    np.testing.assert_array_equal(pictures.decoded(pictures.encoded(pixels), 3, "a"), pixels)
    gray = noise(channels=1)
    np.testing.assert_array_equal(pictures.decoded(pictures.encoded(gray), 1, "a"), gray)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.fromarray(noise()), "JPEG"),
        (Image.fromarray(noise()).convert("CMYK"), "JPEG"),
        (Image.fromarray(noise()).convert("RGBA"), "PNG"),
        (Image.fromarray(noise()).convert("P", palette=1, colors=256), "PNG"),
    ],
    ids=["jpeg", "cmyk", "alpha", "palette"],
)
def test_colors_come_out_whatever_they_are_written_as(image, kind):
    found = pictures.decoded(saved(image, kind), 3, "a")

    want = np.asarray(image.convert("RGB"), int)
    assert found.shape == want.shape
    assert np.abs(found.astype(int) - want).mean() < 12


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_of_one_two_eight_and_sixteen_bits(channels):
    gray = noise(channels=1)[:, :, 0]
    wide = Image.fromarray(gray.astype(np.uint16) * 257)
    for data in (saved(Image.fromarray(gray)), saved(wide)):
        found = pictures.decoded(data, channels, "a")
        assert found.shape == (24, 32, channels)
        assert np.abs(found.astype(int) - gray[:, :, None]).max() <= 1
    bits = Image.fromarray(gray > 90)
    np.testing.assert_array_equal(pictures.decoded(saved(bits), 1, "a")[:, :, 0] > 127, gray > 90)


def test_a_picture_is_turned_as_its_camera_was():
    """Orientation 6: to be turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(noise()), "JPEG", exif=exif)

    assert pictures.decoded(data, 3, "a").shape == (32, 24, 3)
    assert pictures.size(data) == (24, 32)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_that_is_cut_off_is_told(kind):
    data = saved(Image.fromarray(noise(100, 100)), kind)

    for end in (len(data) - 8, len(data) // 2, 40):
        with pytest.raises(UserError, match="train/a: "):
            pictures.decoded(data[:end], 3, "train/a")


def test_a_thumbnail_s_end_is_not_that_of_the_picture():
    small = saved(Image.fromarray(noise(8, 8)), "JPEG")
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0\0\0\0\0" + small
    data = saved(Image.fromarray(noise(100, 100)), "JPEG", exif=exif)
    assert pictures.decoded(data, 3, "a").shape == (100, 100, 3)

    with pytest.raises(UserError, match="is cut off"):
        pictures.decoded(data[: len(data) // 2 + 300], 3, "a")


def test_a_picture_that_would_be_too_large_is_never_decoded():
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 16))
    chunks = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(own)) + name + own + struct.pack(">I", zlib.crc32(name + own)) for name, own in chunks
    )

    with pytest.raises(UserError, match=r"a: has 60000 x 60000 pixels, where at most 67,108,864 are allowed"):
        pictures.decoded(data, 3, "a")


@pytest.mark.parametrize("length", [1_373_195_604, 0xFFFFFFFF])
def test_a_chunk_that_says_it_is_longer_than_the_file_gets_no_room(length):
    whole = saved(Image.fromarray(noise(8, 8)), "PNG")
    head, rest = whole[:33], whole[33:]
    before = machine.peak_memory()

    with pytest.raises(UserError, match="a: is cut off"):
        pictures.decoded(head + struct.pack(">I", length) + rest[4:], 3, "a")
    assert machine.peak_memory() - before < 100_000 * 1024


@settings(deadline=None, max_examples=150)
@given(some.data())
def test_damage_is_told_or_harmless(data):
    """Whatever bytes are changed: a picture, or a sentence."""
    kind = data.draw(some.sampled_from(["JPEG", "PNG"]))
    whole = bytearray(saved(Image.fromarray(noise()), kind))
    for _ in range(data.draw(some.integers(1, 5))):
        whole[data.draw(some.integers(0, len(whole) - 1))] = data.draw(some.integers(0, 255))
    try:
        found = pictures.decoded(bytes(whole), 3, "a", most=1 << 20)
    except UserError as error:
        assert str(error).startswith("a: ")
    else:
        assert found.ndim == 3 and found.shape[2] == 3


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0\0\0", b"x" * 99]
)
def test_what_is_no_picture_is_told(data):
    with pytest.raises(UserError, match="a: "):
        pictures.decoded(data, 3, "a")


def test_draws_are_a_function_of_seed_pass_and_number():
    numbers = np.arange(2000)
    whole = pictures_transforms.draws(3, 5, numbers)

    np.testing.assert_array_equal(pictures_transforms.draws(3, 5, numbers[7:9]), whole[7:9])
    assert not (pictures_transforms.draws(3, 6, numbers) == whole).any()
    assert not (pictures_transforms.draws(4, 5, numbers) == whole).any()
    assert ((whole >= 0) & (whole < 1)).all()
    np.testing.assert_allclose(whole.mean(axis=0), 0.5, atol=0.03)
    np.testing.assert_allclose(np.corrcoef(whole.T), np.eye(whole.shape[1]), atol=0.09)


def prepared(pixels: np.ndarray, draws=None, **how) -> np.ndarray:
    preparation = Preparation(**{"channels": 3, "height": 8, "width": 6, **how})
    if draws is None:
        return preparation.judged(pixels, "a")
    return preparation.trained(pixels, np.asarray(draws, float), "a")


def test_without_augmentation_the_center_is_taken():
    pixels = noise(12, 10)

    np.testing.assert_array_equal(prepared(pixels), pixels[2:10, 2:8])
    np.testing.assert_array_equal(prepared(pixels, np.zeros(10)), pixels[2:10, 2:8])


def test_crops_reach_every_corner_and_half_of_them_are_mirrored():
    pixels = noise(9, 8)

    first = prepared(pixels, [0, 0, 0.9, *[0.5] * 7], augmentation="crop")
    last = prepared(pixels, [0.999, 0.999, 0.1, *[0.5] * 7], augmentation="crop")

    np.testing.assert_array_equal(first, pixels[:8, :6])
    np.testing.assert_array_equal(last, pixels[1:, 2:][:, ::-1])


def test_the_middle_of_all_draws_changes_nothing():
    pixels = noise(8, 6)

    for level in LEVELS:
        found = prepared(pixels, np.full(10, 0.5), augmentation=level)
        assert np.abs(found.astype(int) - pixels).max() <= 4, level  # colors are rounded on the way there and back


@pytest.mark.parametrize("channels", [1, 3])
def test_lightness_moves_by_as_much_as_is_drawn(channels):
    pixels = np.full((4, 4, channels), 100, np.uint8)

    found = pictures_transforms.recolored(pixels, np.array([0.5, 0.5, 1.0]))

    np.testing.assert_allclose(found, 150, atol=2)


def test_a_turn_is_about_the_middle_and_edges_are_repeated():
    pixels = np.zeros((21, 21, 3), np.uint8)
    pixels[10, 10] = 200

    found = pictures_transforms.transformed(pixels, np.array([1.0, 0.2, 0.9, 0.5]))

    assert found.shape == pixels.shape and found[10, 10, 0] > 120
    np.testing.assert_array_equal(pictures_transforms.transformed(np.full((9, 9, 1), 7, np.uint8), np.ones(4)), 7)


@pytest.mark.parametrize(
    ("shape", "length", "want"), [((100, 50), 20, (40, 20)), ((5, 7), 10, (10, 14)), ((8, 8), 8, (8, 8))]
)
def test_the_shorter_side_gets_its_length(shape, length, want):
    assert pictures_transforms.shorter_side(noise(*shape), length).shape == (*want, 3)


def test_a_picture_that_shrinks_far_is_averaged():
    """Every second pixel is white: what is left is gray, wherever one looks."""
    pixels = np.zeros((64, 64, 1), np.uint8)
    pixels[:, ::2] = 200

    np.testing.assert_array_equal(pictures_transforms.resized(pixels, 8, 8), 100)


def test_batches_come_in_order_and_as_they_were(request):
    parts = [noise(8, 6) + np.uint8(number) for number in range(40)]
    images = Images(encoded=[pictures.encoded(each) for each in parts], label=np.arange(40, dtype=np.float32)[:, None])
    batches = (images[first : first + 7] for first in range(0, 40, 7))

    found = list(
        pictures_ahead.prepared(batches, (8, 6, 3), lambda number: lambda pixels, at, place: pixels, threads=3)
    )

    assert [len(batch) for batch in found] == [7] * 5 + [5]
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in found]), np.stack(parts))
    np.testing.assert_array_equal(np.concatenate([batch.label for batch in found]), images.label)


def test_whoever_stops_looking_lets_go_of_the_threads_and_of_the_source():
    closed = []

    def batches():
        try:
            while True:
                yield Images(encoded=[pictures.encoded(noise(8, 6))])
        finally:
            closed.append(True)

    ahead = pictures_ahead.prepared(batches(), (8, 6, 3), lambda number: lambda pixels, at, place: pixels)
    next(ahead)
    ahead.close()

    assert closed == [True]
