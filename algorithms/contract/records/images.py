"""Encoded pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.joining import joined_arrays, joined_lists
from algoport.algorithms.contract.kinds import Kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Pictures as they are sent and stored, JPEG or PNG, with what is known of each. Nothing is decoded yet."""

    encoded: Sequence[bytes]  # (n,) whole files
    label: NDArray[np.float32] | None = None  # (n, l); None where the format or the request has none
    places: Sequence[str] | None = None  # (n,) where each stood, for faults: "train/part-0.rec, record 7"
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    uid: None = None
    metadata: None = None
    width = 0

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def nbytes(self) -> int:
        """Bytes of the files."""
        return sum(map(len, self.encoded))

    def place(self, number: int) -> str:
        """Where a picture stood, in front of a fault."""
        return self.places[number] if self.places is not None else f"image {number + 1}"

    def __getitem__(self, rows: slice) -> Images:
        """A range of pictures, or every n-th."""
        return self.take(np.arange(len(self))[rows])

    def take(self, order: NDArray[np.int64]) -> Images:
        """The pictures numbered by `order`, in that order."""
        return Images(
            encoded=[self.encoded[i] for i in order],
            label=None if self.label is None else self.label[order],
            places=None if self.places is None else [self.places[i] for i in order],
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
        )

    def followed(self, others: Sequence[Images]) -> Images:
        """These pictures and those of others behind them."""
        parts = [self, *others]
        return Images(
            encoded=[each for part in parts for each in part.encoded],
            label=joined_arrays(parts, [part.label for part in parts], np.nan),
            places=joined_lists(parts, [part.places for part in parts]),
            configuration=joined_lists(parts, [part.configuration for part in parts]),
        )


def png(height: int, width: int, values: bytes = b"") -> bytes:
    """A PNG file of that size, of RGB bytes, or black."""
    lines = (values or bytes(3 * height * width)).ljust(3 * height * width, b"\0")
    pixels = b"".join(b"\0" + lines[3 * width * row : 3 * width * (row + 1)] for row in range(height))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(x)) + n + x + struct.pack(">I", zlib.crc32(n + x)) for n, x in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _generate(random: np.random.Generator) -> Images:
    """One picture without a label, or several that have one or three each; some only begin as a JPEG does."""
    n = 1 if random.random() < 0.3 else int(random.integers(1, 9))
    encoded = [
        b"\xff\xd8\xff\xe0" + random.bytes(int(random.integers(0, 60)))
        if random.random() < 0.3
        else png(int(random.integers(1, 4)), int(random.integers(1, 4)), random.bytes(9))
        for _ in range(n)
    ]
    labels = int(random.choice([1, 3]))
    label = random.integers(0, 5, (n, labels)).astype(np.float32)
    return Images(encoded=encoded, label=None if n == 1 else label)


KIND = Kind(
    name="images",
    empty=lambda width: Images(encoded=[]),
    formats=("images.recordio", "images.picture"),
    generate=_generate,
    schema={"type": "object"},
    framed=("application/x-recordio",),
    folders={"application/x-image": "pictures"},
)
