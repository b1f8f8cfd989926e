"""One picture, a JPEG, PNG or WebP file: `application/x-image`, `image/jpeg`, `image/png`, `image/webp`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from algoport.algorithms.contract.records import Images
from algoport.algorithms.shared.vision.signature import KNOWN, description, is_picture
from algoport.training.formats.layout import Layout

MEDIA = ("application/x-image", "image/jpeg", "image/png", "image/webp", "image/jpg")
ONE = True


def read(stream: BinaryIO, layout: Layout) -> Iterator[Images]:
    """The picture of one file or request; none where there are no bytes."""
    for data in single(stream, layout):
        yield Images(encoded=[data], places=[layout.name])


def write(images: Images) -> bytes:
    """The file of the only picture."""
    return only(images)


def single(stream: BinaryIO, layout: Layout) -> Iterator[bytes]:
    """The bytes of a stream, which must be one picture; none where there are no bytes."""
    data = stream.read()
    if not data:
        return
    if not is_picture(data):
        raise layout.fault("", f"must be {KNOWN}; it is {description(data)}.")
    yield data


def only(images: Images) -> bytes:
    """The file of the only picture of those given."""
    if len(images) != 1:
        raise ValueError(f"A body holds one picture; these are {len(images)}.")
    return images.encoded[0]
