"""Files of pictures that lack their end mark and nothing else: copies that were stopped a few bytes early, and writers
that leave it out. They hold the whole picture, and are completed; of a file that lacks pixels nothing is made up.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from algoport.algorithms.shared.vision.headers import JPEG, JPEG_END, PNG, chunks, head

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
# More than one block of coefficients can take. Where a decoder still waits for some, it reads these, and the picture
# shows it; where it has all of them, it passes over what is no marker.
_FILLING = b"\x55" * 4096
_PIECE = 1 << 20  # bytes that are decompressed at a time

Decode = Callable[[bytes], Any]  # the pixels of a file, or None


def complete(data: bytes, decode: Decode) -> bytes | None:
    """The file itself where it ends as it must, with its end mark where that alone is missing; None where more is, or
    where it is no picture."""
    known = head(data)
    if known is None:
        return None
    if known.whole:
        return data
    if data.startswith(PNG):
        return _complete_png(data)
    return _complete_jpeg(data, decode) if data.startswith(JPEG) else None


def _complete_png(data: bytes) -> bytes | None:
    """Compressed pixels say where they end (RFC 1950); all of them must be there."""
    known = head(data)
    room = (known.width * 8 + 8) * known.height * 2 if known else 0  # bytes; more than any PNG of that size has
    inflate, end = zlib.decompressobj(), 0
    try:
        for kind, start, stop in chunks(data):
            if stop > len(data):
                break
            end = stop
            part = data[start + 8 : stop - 4] if kind == b"IDAT" else b""
            while part and not inflate.eof and room > 0:
                room -= len(inflate.decompress(part, _PIECE))
                part = inflate.unconsumed_tail
    except zlib.error:
        return None
    return data[:end] + _PNG_END if inflate.eof else None


def _complete_jpeg(data: bytes, decode: Decode) -> bytes | None:
    """Whatever stands behind the last coefficient must make no difference."""
    bare = data.rstrip(b"\xff")
    plain, filled = decode(bare + JPEG_END), decode(bare + _FILLING + JPEG_END)
    same = plain is not None and filled is not None and np.array_equal(plain, filled)
    return bare + JPEG_END if same else None
