"""Whole pictures and masks of every form that decoders know, as seeds: small ones, made by Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

SIZE = (12, 17)  # height and width


@cache
def picture_files() -> list[bytes]:
    """JPEG, PNG and WebP files of all kinds of colors, turned or not, of one frame or several; none without Pillow."""
    try:
        from PIL import Image
    except ImportError:
        return []
    plain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8))
    return [*_still(Image, plain), *_turned(Image, plain), *_moving(plain)]


@cache
def mask_files() -> list[bytes]:
    """PNG files of numbers, gray or of a palette; none without Pillow."""
    try:
        from PIL import Image
    except ImportError:
        return []
    numbers = np.random.default_rng(1).integers(0, 4, SIZE).astype(np.uint8)
    gray, exif = Image.fromarray(numbers), Image.Exif()
    colors = gray.convert("P")
    colors.putpalette(list(range(12)))
    exif[0x0112] = 6
    few = [_saved(colors, "PNG", bits=bits) for bits in (2, 4, 8)]
    odd = [_saved(colors, "PNG", transparency=1), _saved(gray, "PNG", exif=exif), _saved(gray.convert("1"), "PNG")]
    return [_saved(gray, "PNG"), *few, *odd]


def _still(image: Any, plain: Any) -> Iterator[bytes]:
    wide = image.fromarray(np.random.default_rng(2).integers(0, 1 << 16, SIZE).astype(np.uint16))
    colors = plain.quantize(8)
    for mode in ("RGB", "L", "CMYK"):
        yield _saved(plain.convert(mode), "JPEG")
    yield _saved(plain, "JPEG", progressive=True, restart_marker_blocks=1)
    for mode in ("RGB", "RGBA", "LA", "1"):
        yield _saved(plain.convert(mode), "PNG")
    yield from (_saved(wide, "PNG"), _saved(colors, "PNG"), _saved(colors, "PNG", transparency=3))
    yield from (_saved(plain, "WEBP"), _saved(plain.convert("RGBA"), "WEBP"), _saved(plain, "WEBP", lossless=True))


def _turned(image: Any, plain: Any) -> Iterator[bytes]:
    exif = image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP"):
        yield _saved(plain, kind, exif=exif)


def _moving(plain: Any) -> Iterator[bytes]:
    for kind in ("PNG", "WEBP"):
        yield _saved(plain, kind, save_all=True, append_images=[plain.rotate(90), plain])


def _saved(picture: Any, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()
