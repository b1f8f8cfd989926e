"""What a JPEG, PNG or WebP file says in front of its pixels: how large the picture is, and whether the file ends as it
must. Nothing is decoded here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
# Markers of JPEG that say how large a picture is: all frames but those that are no frames.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN = (0xC0, 0xC1, 0xC2)  # frames whose numbers have codes of whole bits
_FRAME = 8 + 3 * 255  # bytes of a frame of all components that one can have
_SCAN, _ALONE = 0xDA, {0x01, *range(0xD0, 0xDA)}


@dataclass(frozen=True)
class Head:
    """What a file says in front of the pixels."""

    height: int
    width: int
    whole: bool  # whether the file ends as it must
    enough: bool = True  # whether there are as many bytes as so many pixels take at least, where that is known


def size(data: bytes) -> tuple[int, int] | None:
    """Height and width as the header of a file gives them, or None where it does not."""
    known = head(data)
    return (known.height, known.width) if known else None


def head(data: bytes) -> Head | None:
    """What stands in front of the pixels of a JPEG, PNG or WebP file; None where it is none, or says no size."""
    if data.startswith(PNG):
        return _png(data)
    if data.startswith(JPEG):
        return _jpeg(data)
    return _webp(data) if is_webp(data) else None


def is_webp(data: bytes) -> bool:
    """True where the bytes begin as those of a WebP file do."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _webp(data: bytes) -> Head | None:
    """The first chunk has the size, in one of three ways (RFC 9649); the container says how long it is."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    else:
        return None
    whole = 8 + int.from_bytes(data[4:8], "little") <= len(data)
    return Head(height, width, whole) if width and height else None


def _png(data: bytes) -> Head | None:
    """The first chunk has the size; the last one is called IEND.

    Each says how long it is, and for as long a one room is made before it is read: 146 bytes could ask for gigabytes.
    """
    if len(data) < 33 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    if not width or not height:
        return None
    kind, end = b"", 0
    for kind, _, end in chunks(data):  # noqa: B007 (the last one is looked at)
        pass
    return Head(height, width, kind == b"IEND" and end <= len(data))


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and end of each chunk of a PNG file, up to IEND; the last one may end behind the file."""
    at, kind = 8, b""
    while at + 12 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at, at + 12 + length
        at += 12 + length


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and end of the content of each chunk of a WebP file; the last one may end behind the file."""
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8, at + 8 + length
        at += 8 + length + length % 2


def _jpeg(data: bytes) -> Head | None:
    """Segments have lengths up to the first scan; behind it comes the end marker."""
    size: tuple[int, int] | None = None
    blocks = 0
    for marker, start in segments(data):
        if marker in _FRAMES and start + 7 <= len(data):
            size = struct.unpack_from(">HH", data, start + 3)
            blocks = _blocks(data[start : start + _FRAME], *size) if marker in _HUFFMAN else 0
        if marker == _SCAN:
            if size is None or not all(size):
                return None
            enough = 8 * (len(data) - start) >= blocks
            return Head(size[0], size[1], data.rfind(JPEG_END) > start, enough)
    return Head(size[0], size[1], False) if size and all(size) else None


def _blocks(frame: bytes, height: int, width: int) -> int:
    """How many squares of 8 x 8 numbers a frame has, each of which takes a bit of a Huffman code or more (ITU T.81,
    A.1.1 and F.1.2): a decoder makes up what is missing, and takes as long for it as for what is there."""
    factors = [(each >> 4 or 1, each & 15 or 1) for each in frame[9 : 8 + 3 * frame[7] : 3]] if len(frame) > 7 else []
    across, down = (max((pair[side] for pair in factors), default=1) for side in (0, 1))
    return sum(-(-width * h // (8 * across)) * -(-height * v // (8 * down)) for h, v in factors)


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
