"""Masks: the class of every pixel of a picture, in a PNG file of one small number a pixel.    h height   w width"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.vision.decoding import MOST, library
from algoport.algorithms.shared.vision.headers import PNG, chunks, head

Mask = NDArray[np.uint8]  # (h, w)

IGNORED = 255  # the class of pixels that count for nothing
_DEPTH, _COLOR = 24, 25  # bytes of the header that give bits of a number, and what it is
_GRAY, _PALETTE = 0, 3
_DROPPED = (b"PLTE", b"tRNS", b"gAMA", b"sBIT", b"iCCP", b"cHRM", b"sRGB", b"bKGD", b"hIST")


def decode_mask(data: bytes, place: str) -> Mask:
    """The numbers of the pixels as the file holds them: gray levels, or places in a palette whatever their colors. How
    a viewer would turn them (EXIF) says nothing: a mask lies as its picture does once that is upright.

    `UserError` begins with the place where it is no such file, is cut off or damaged, or has too many pixels.
    """
    known = head(data) if data.startswith(PNG) else None
    if known is None:
        raise UserError(f"{place}: its mask must be a PNG file; it is none.")
    if not known.whole:
        raise UserError(f"{place}: its mask is cut off: the end of the PNG file is missing.")
    if known.height * known.width > MOST:
        raise UserError(
            f"{place}: its mask has {known.width} x {known.height} pixels, where at most {MOST:,} are allowed."
        )
    depth, color = data[_DEPTH], data[_COLOR]
    if color not in (_GRAY, _PALETTE) or depth not in (1, 2, 4, 8):
        raise UserError(
            f"{place}: its mask must be gray or have a palette, with at most 8 bits a pixel; save the classes as "
            "numbers, not as colors."
        )
    levels = _decoded(_as_gray(data))
    if levels is None or levels.shape != (known.height, known.width):
        raise UserError(f"{place}: its mask cannot be decoded; the PNG file is damaged.")
    # Decoders spread few bits over all of a byte: 15 of 4 bits becomes 255.
    return levels // np.uint8(255 // ((1 << depth) - 1)) if depth < 8 else levels


def encode_mask(mask: Mask) -> bytes:
    """A gray PNG file."""
    return bytes(library().imencode(".png", np.ascontiguousarray(mask, np.uint8))[1])


def _as_gray(data: bytes) -> bytes:
    """The same file without its palette, so that a decoder gives numbers and not colors."""
    parts = [PNG]
    for kind, start, stop in chunks(data):
        if kind == b"IHDR":
            body = kind + data[start + 8 : start + 17] + bytes([_GRAY]) + data[start + 18 : start + 21]
            parts.append(struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)))
        elif kind not in _DROPPED:
            parts.append(data[start:stop])
    return b"".join(parts)


def _decoded(data: bytes) -> Mask | None:
    cv2: Any = library()
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if array is None or array.dtype != np.uint8 or array.ndim != 2 else np.asarray(array)
