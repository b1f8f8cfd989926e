"""Columns of texts and of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.joining import concatenate_lists
from algoport.algorithms.contract.kinds import Kind
from algoport.algorithms.contract.origins import Origins, joined_origins
from algoport.algorithms.contract.ragged import Ragged, joined_ragged

Column: TypeAlias = "Ragged | NDArray[np.float32]"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Rows of a column each for what they have: texts as UTF-8 bytes without a NUL, or numbers.

    Which columns hold numbers is declared by the algorithm (`Algorithm.fields`); all others are texts as they were
    written: "007" is not 7.
    """

    columns: tuple[Column, ...]  # (d,) of (n,) entries
    origins: Origins | None = None
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    uid: None = None
    metadata: None = None

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(part.nbytes for part in (*self.columns, self.origins) if part is not None)

    def place(self, number: int) -> str:
        """Where a row stood, in front of a fault."""
        return f"row {number + 1}" if self.origins is None else self.origins[number]

    def texts(self, column: int) -> Ragged:
        """A column of texts, as UTF-8 bytes."""
        entries = self.columns[column]
        assert isinstance(entries, Ragged), f"column {column} holds numbers"
        return entries

    def numbers(self, column: int) -> NDArray[np.float32]:
        """A column of numbers; NaN where one is missing. Of an empty table any column is one."""
        entries = self.columns[column]
        if isinstance(entries, Ragged):
            assert not len(entries), f"column {column} holds texts"
            return np.empty(0, np.float32)
        return entries

    def __getitem__(self, rows: slice) -> Table:
        """A range of rows, or every n-th."""
        return Table(
            columns=tuple(c.cut(rows) if isinstance(c, Ragged) else c[rows] for c in self.columns),
            origins=None if self.origins is None else self.origins.take(rows),
            configuration=None if self.configuration is None else self.configuration[rows],
        )

    def take(self, order: NDArray[np.int64]) -> Table:
        """The rows numbered by `order`, in that order."""
        return Table(
            columns=tuple(c.take(order) if isinstance(c, Ragged) else c[order] for c in self.columns),
            origins=None if self.origins is None else self.origins.take(order),
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
        )

    def followed(self, others: Sequence[Table]) -> Table:
        """These rows and those of others behind them. Who has no rows does not say what the columns hold."""
        parts = [part for part in (self, *others) if len(part)] or [self]
        return Table(
            columns=tuple(_concatenate([part.columns[number] for part in parts]) for number in range(parts[0].width)),
            origins=joined_origins([part.origins for part in parts], [len(part) for part in parts]),
            configuration=concatenate_lists(parts, [part.configuration for part in parts]),
        )


def _concatenate(parts: Sequence[Any]) -> Column:
    return joined_ragged(parts) if isinstance(parts[0], Ragged) else np.concatenate(parts)


_TEXTS = (
    *(
        "alice",
        "203.0.113.7",
        "007",
        "a,b",
        'say "hi"',
        "Ümlaut",
        "日本",
        " lead",
        "trail ",
        "",
        "NaN",
        "1e999",
        "two\nlines",
    ),
    *("#x", "'q'", "\\", "-", "\t", "2147483648", "9223372036854775808", "😀", "\r", "\u2028"),
)


def _generate(random: np.random.Generator) -> Table:
    """Texts with everything that needs quotes, and such as look like numbers."""
    n, width = int(random.integers(1, 20)), int(random.integers(1, 5))
    return Table(columns=tuple(Ragged.texts(random.choice(_TEXTS, n).tolist()) for _ in range(width)))


# Rows that are shuffled at a time at most: of two short texts they take some fifty bytes, and two copies of a window,
# with what puts it in order, some two hundred megabytes.
WINDOW = 1 << 20

KIND = Kind(
    name="table",
    noun="rows",
    columns="columns",
    empty=lambda width: Table(columns=tuple(Ragged.empties(0, np.uint8) for _ in range(width))),
    formats=("table.csv", "table.json", "table.jsonlines"),
    generate=_generate,
    schema={
        "type": "object",
        "required": ["features"],
        "properties": {"features": {"type": "array", "items": {"type": ["string", "number", "null"]}}},
    },
    common_width=lambda table: int(table.width),
    window=lambda table, size: max(1, min(WINDOW, size * len(table) // max(1, table.nbytes))),
)
