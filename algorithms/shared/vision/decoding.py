"""From a JPEG, PNG or WebP file to an array of pixels.    h height   w width   c channels, 1 or 3

How large a picture is is read from its head before anything is decoded, so that a small file cannot claim much memory,
and that it ends as it must is seen before too, for decoders fill up what is missing and say nothing.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.shared.vision.completion import complete
from algoport.algorithms.shared.vision.headers import head
from algoport.algorithms.shared.vision.orientation import orientation, turned
from algoport.algorithms.shared.vision.signature import KNOWN, description, is_picture

Pixels = NDArray[np.uint8]  # (h, w, c)

MOST = 1 << 26  # pixels of a picture: 8192 x 8192
CUT_OFF = "is cut off: the end of the picture is missing."


def decode(data: bytes, channels: int, place: str, most: int = MOST, *, upright: bool = True) -> Pixels:
    """The pixels of a file as gray or as red, green and blue; an alpha channel is left out.

    With `upright` a picture is turned as its camera says (EXIF), else it is as it is stored. A file that lacks its end
    mark alone is decoded. `UserError` begins with the place where the file is neither a JPEG, a PNG nor a WebP, is cut
    off, cannot be decoded, or has more than `most` pixels.
    """
    fault = fault_of(data, most)
    if fault:
        raise UserError(f"{place}: {fault}")
    whole = complete(data, pixels)
    if whole is None:
        raise UserError(f"{place}: {CUT_OFF}")
    array = pixels(whole, channels, upright)
    if array is None:
        raise UserError(f"{place}: cannot be decoded; the file is damaged.")
    return array


def fault_of(data: bytes, most: int = MOST) -> str:
    """What is wrong with a file by its first bytes, to stand after its place; nothing where nothing is."""
    known = head(data)
    if known is None:
        what = "one that does not say its size" if is_picture(data) else description(data)
        return f"must be {KNOWN}; it is {what}."
    if known.height * known.width > most:
        return f"has {known.width} x {known.height} pixels, where at most {most:,} are allowed."
    return "" if known.enough else CUT_OFF


def pixels(data: bytes, channels: int = 3, upright: bool = True) -> Pixels | None:
    """What OpenCV makes of a whole file; None where it makes nothing of it."""
    cv2 = library()
    flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if array is None or array.dtype != np.uint8:
        return None
    array = turned(array, orientation(data) if upright else 1)
    if channels == 1:
        return np.ascontiguousarray(array).reshape(*array.shape[:2], 1)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_BGR2RGB))


def encode(pixels: Pixels, quality: int | None = None) -> bytes:
    """A PNG file of gray or of red, green and blue pixels, or a JPEG file of that quality, up to 100."""
    cv2 = library()
    turned = pixels if pixels.shape[2] == 1 else cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    if quality is not None:
        return bytes(cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
    return bytes(cv2.imencode(".png", turned)[1])


@functools.cache
def library() -> Any:
    """OpenCV, without threads of its own: many pictures are decoded at a time, each by one thread."""
    import cv2

    cv2.setNumThreads(0)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would report damaged files where we do
    return cv2
