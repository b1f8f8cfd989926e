"""Which way up a picture is to be seen, as a camera wrote it into the file (EXIF 2.3, tag 0x0112): a JPEG file in a
segment, PNG and WebP files in a chunk of their own.

Decoders differ in which of these they heed, by format and by version. So none is asked: pictures are decoded as they
are stored and turned here, by the same number that their size is told by before.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.shared.vision.headers import PNG, chunks, is_webp, riff_chunks, segments, size

_APP1, _EXIF, _TAG, _SHORT = 0xE1, b"Exif\0\0", 0x0112, 3
# In which direction rows and columns are read, of 1 to 4, and of 5 to 8 once these have changed places.
_STEPS = ((1, 1), (1, -1), (-1, -1), (-1, 1))
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def orientation(data: bytes) -> int:
    """From 1 to 8, where 1 is upright and from 5 on height and width change places; 1 where a file says nothing."""
    return _tagged(_block(data).removeprefix(_EXIF))


def turned(pixels: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
    """Pixels (h, w, ...) as they are stored, brought upright; a view. `way`: their orientation."""
    sides: Any = pixels.swapaxes(0, 1) if way >= 5 else pixels
    down, right = _STEPS[(way - 1) % 4]
    return np.asarray(sides[::down, ::right])


def _block(data: bytes) -> bytes:
    """The TIFF tags of a file; nothing where there are none."""
    if data.startswith(PNG):
        return next((data[start + 8 : end - 4] for kind, start, end in chunks(data) if kind == b"eXIf"), b"")
    if is_webp(data):
        return next((data[start:end] for kind, start, end in riff_chunks(data) if kind == b"EXIF"), b"")
    for marker, start in segments(data) if data.startswith(b"\xff\xd8") else ():
        length = int.from_bytes(data[start : start + 2], "big")
        block = data[start + 2 : start + length]
        if marker == _APP1 and block.startswith(_EXIF):
            return block
    return b""


def upright_size(data: bytes) -> tuple[int, int] | None:
    """Height and width of the picture that decoding gives, or None where the header of the file does not give them."""
    known = size(data)
    return known if known is None or orientation(data) < 5 else (known[1], known[0])


def _tagged(tiff: bytes) -> int:
    """The orientation in a block of TIFF tags."""
    order = _ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    if at + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    for number in range(count):
        entry = at + 2 + 12 * number
        if entry + 12 > len(tiff):
            return 1
        tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
        if tag == _TAG and kind == _SHORT:
            (value,) = struct.unpack_from(f"{order}H", tiff, entry + 8)
            return value if 1 <= value <= 8 else 1
    return 1
