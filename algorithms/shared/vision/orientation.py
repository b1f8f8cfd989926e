"""Which way up a picture is to be seen, as a camera wrote it into the file (EXIF 2.3, tag 0x0112)."""

from __future__ import annotations

import struct

from algoport.algorithms.shared.vision.headers import segments, size

_APP1, _EXIF, _TAG, _SHORT = 0xE1, b"Exif\0\0", 0x0112, 3
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def orientation(data: bytes) -> int:
    """From 1 to 8, where 1 is upright and from 5 on height and width change places; 1 where a file says nothing."""
    for marker, start in segments(data) if data.startswith(b"\xff\xd8") else ():
        length = int.from_bytes(data[start : start + 2], "big")
        block = data[start + 2 : start + length]
        if marker == _APP1 and block.startswith(_EXIF):
            return _tagged(block[len(_EXIF) :])
    return 1


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
