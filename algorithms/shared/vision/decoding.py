"""From a JPEG or PNG file to an array of pixels.    h height   w width   c channels, 1 or 3

How large a picture is is read from its head before anything is decoded, so that a small file cannot claim much memory,
and that it ends as it must is seen before too, for decoders fill up what is missing and say nothing.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError

Pixels = NDArray[np.uint8]  # (h, w, c)

MOST = 1 << 26  # pixels of a picture: 8192 x 8192
_PNG = b"\x89PNG\r\n\x1a\n"
_END = b"\xff\xd9"
# Markers of JPEG that say how large a picture is: all frames but those that are no frames.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _ALONE = 0xDA, {0x01, *range(0xD0, 0xDA)}


@dataclass(frozen=True)
class Head:
    """What a file says in front of the pixels."""

    height: int
    width: int
    whole: bool  # whether the file ends as it must


def decode(data: bytes, channels: int, place: str, most: int = MOST) -> Pixels:
    """The pixels of a file, upright, as gray or as red, green and blue; an alpha channel is left out.

    `UserError` begins with the place where the file is neither a JPEG nor a PNG, is cut off, cannot be decoded, or
    has more than `most` pixels.
    """
    known = head(data)
    if known is None:
        raise UserError(f"{place}: must be a JPEG or PNG file; it is none by its first bytes.")
    if known.height * known.width > most:
        raise UserError(f"{place}: has {known.width} x {known.height} pixels, where at most {most:,} are allowed.")
    if not known.whole:
        raise UserError(f"{place}: is cut off: the end of the picture is missing.")
    cv2 = library()
    flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype != np.uint8:
        raise UserError(f"{place}: cannot be decoded; the file is damaged.")
    if channels == 1:
        return np.ascontiguousarray(pixels).reshape(*pixels.shape[:2], 1)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def encode(pixels: Pixels, quality: int | None = None) -> bytes:
    """A PNG file of gray or of red, green and blue pixels, or a JPEG file of that quality, up to 100."""
    cv2 = library()
    turned = pixels if pixels.shape[2] == 1 else cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    if quality is not None:
        return bytes(cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
    return bytes(cv2.imencode(".png", turned)[1])


def size(data: bytes) -> tuple[int, int] | None:
    """Height and width as the header of a JPEG or PNG file gives them, or None where it does not."""
    known = head(data)
    return (known.height, known.width) if known else None


@functools.cache
def library() -> Any:
    """OpenCV, without threads of its own: many pictures are decoded at a time, each by one thread."""
    import cv2

    cv2.setNumThreads(0)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would report damaged files where we do
    return cv2


def head(data: bytes) -> Head | None:
    """What stands in front of the pixels of a JPEG or PNG file; None where it is neither, or says no size."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    return None


def _png(data: bytes) -> Head | None:
    """The first chunk has the size; the last one is called IEND.

    Each says how long it is, and for as long a one room is made before it is read: 146 bytes could ask for gigabytes.
    """
    if len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    if not width or not height:
        return None
    at, kind = 8, b""
    while at + 12 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
    return Head(height, width, kind == b"IEND" and at <= len(data))


def _jpeg(data: bytes) -> Head | None:
    """Segments have lengths up to the first scan; behind it comes the end marker."""
    size: tuple[int, int] | None = None
    for marker, start in segments(data):
        if marker in _FRAMES and start + 7 <= len(data):
            size = struct.unpack_from(">HH", data, start + 3)
        if marker == _SCAN:
            if size is None or not all(size):
                return None
            return Head(size[0], size[1], data.rfind(_END) > start)
    return Head(size[0], size[1], False) if size and all(size) else None


def segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of the length of each segment of a JPEG file, up to the first scan."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        yield marker, at + 2
        if marker == _SCAN:
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            return
        at += 2 + length
