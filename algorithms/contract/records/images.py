"""Encoded pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.joining import concatenate_arrays, concatenate_lists
from algoport.algorithms.contract.kinds import Kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Pictures as they are sent and stored, JPEG, PNG or WebP, with what is known of each. Nothing is decoded yet."""

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

    def __getitem__(self, rows: slice) -> Self:
        """A range of pictures, or every n-th."""
        return self.take(np.arange(len(self))[rows])

    def take(self, order: NDArray[np.int64]) -> Self:
        """The pictures numbered by `order`, in that order."""
        return replace(self, **{name: _take(column, order) for name, column in self._columns().items()})

    def followed(self, others: Sequence[Self]) -> Self:
        """These pictures and those of others behind them."""
        parts = [self, *others]
        tables = [part._columns() for part in parts]
        columns: dict[str, Any] = {
            name: concatenate_arrays(parts, [table[name] for table in tables], np.nan)
            if name == "label"
            else concatenate_lists(parts, [table[name] for table in tables])
            for name in tables[0]
        }
        return replace(self, **columns)

    def _columns(self) -> dict[str, Any]:
        """Every field; those of what is built on this, too."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _take(column: Any, order: NDArray[np.int64]) -> Any:
    if column is None or isinstance(column, np.ndarray):
        return None if column is None else column[order]
    return [column[number] for number in order]


# Colour type, and bytes a pixel, of PNG files by the words for them (ISO/IEC 15948, 11.2.2).
_COLORS = {"color": (2, 3), "gray": (0, 1), "palette": (3, 1)}


def png(height: int, width: int, values: bytes = b"", colors: str = "color") -> bytes:
    """A PNG file of that size and of these bytes, black where they end: RGB, gray, or places in a palette of grays."""
    kind, depth = _COLORS[colors]
    lines = values.ljust(depth * height * width, b"\0")
    rows = (lines[depth * width * row : depth * width * (row + 1)] for row in range(height))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        *([(b"PLTE", bytes(level for level in range(256) for _ in range(3)))] if colors == "palette" else []),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
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
    noun="pictures",
    framed=("application/x-recordio",),
    folders={"application/x-image": "pictures"},
    inspection="vision.inspection",
)
