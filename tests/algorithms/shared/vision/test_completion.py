"""What lacks its end mark alone is read whole; of what lacks pixels nothing is made up."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.vision.completion import complete
from algoport.algorithms.shared.vision.decoding import decode, pixels
from algoport.algorithms.shared.vision.headers import head


def photograph(seed: int = 0, side: int = 61) -> Image.Image:
    """Noise over a slope, so that each part of the file matters."""
    noise = np.random.default_rng(seed).integers(0, 60, (side, side + 3, 3))
    return Image.fromarray((noise + np.linspace(0, 190, side)[:, None, None]).astype(np.uint8))


def saved(kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    photograph().save(out, kind, **how)
    return out.getvalue()


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"subsampling": 0, "restart_marker_blocks": 3}], ids=str)
def test_a_jpeg_without_its_end_mark_is_read_whole(how):
    data = saved("JPEG", quality=90, **how)
    assert data.endswith(b"\xff\xd9")

    for end in (data[:-2], data[:-1], data + b"\0" * 9):
        np.testing.assert_array_equal(decode(end, 3, "a"), decode(data, 3, "a"))


def test_a_jpeg_that_lacks_pixels_is_refused():
    """At every place of the scan; the last bytes of it hold the last pixels."""
    data = saved("JPEG", quality=90)

    for end in [len(data) - 4, *range(len(data) // 2, len(data) - 4, 97)]:
        assert complete(data[:end], pixels) is None
        with pytest.raises(UserError, match="a: is cut off: the end of the picture is missing"):
            decode(data[:end], 3, "a")


def test_a_png_is_read_whole_where_its_compressed_pixels_are():
    data = saved("PNG")
    assert data[-8:-4] == b"IEND"

    for missing in (1, 4, 8, 12):
        np.testing.assert_array_equal(decode(data[:-missing], 3, "a"), np.asarray(photograph()))
    for missing in (13, 14, 40, len(data) // 2):
        assert complete(data[:-missing], pixels) is None


@pytest.mark.parametrize(
    "how", [{"lossless": True}, {"quality": 80}, {"lossless": True, "exif": b"Exif\0\0MM\0*\0\0\0\b\0\0"}]
)
def test_a_webp_says_its_size_and_whether_it_is_whole(how):
    data = saved("WEBP", **how)

    known, cut = head(data), head(data[:-3])

    assert known is not None and cut is not None
    assert (known.height, known.width, known.whole, cut.whole) == (61, 64, True, False)
    assert np.abs(decode(data, 3, "a").astype(int) - np.asarray(photograph())).mean() < 20
    with pytest.raises(UserError, match="is cut off"):
        decode(data[:-3], 3, "a")


def test_compressed_pixels_without_end_are_not_all_decompressed():
    """A chunk of zeros that would inflate a thousandfold is given up where no picture of that size has so much."""
    import struct
    import zlib

    body = zlib.compress(bytes(1 << 26))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)), (b"IDAT", body)]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(x)) + n + x + b"\0" * 4 for n, x in parts)

    assert complete(data, pixels) is None
