"""Lines of text, with labels where they have some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.joining import concatenate_lists
from algoport.algorithms.contract.kinds import Kind
from algoport.algorithms.contract.origins import Origins, joined_origins
from algoport.algorithms.contract.ragged import Ragged, joined_ragged


@dataclass(frozen=True, kw_only=True, eq=False)
class Lines:
    """Texts of one line each, as UTF-8 bytes without a NUL, end to end."""

    text: Ragged  # (n,) uint8; without the labels, and without the end of the line
    label: Ragged | None = None  # (n,) uint8; of each line its labels with a blank between two; empty where it has none
    origins: Origins | None = None
    configuration: Sequence[object] | None = None  # (n,) options that came with each record, parsed JSON or None
    uid: None = None
    metadata: None = None
    width = 0

    def __len__(self) -> int:
        return len(self.text)

    @property
    def nbytes(self) -> int:
        """Bytes of the texts."""
        parts = (self.text, self.label, self.origins)
        return sum(part.nbytes for part in parts if part is not None)

    def place(self, number: int) -> str:
        """Where a line stood, in front of a fault."""
        return f"line {number + 1}" if self.origins is None else self.origins[number]

    def labels(self) -> list[list[str]]:
        """The labels of each line, without the prefix that marks them."""
        return (
            [[]] * len(self)
            if self.label is None
            else [text.split(" ") if text else [] for text in self.label.strings()]
        )

    def __getitem__(self, rows: slice) -> Lines:
        """A range of lines, or every n-th."""
        return Lines(
            text=self.text.cut(rows),
            label=None if self.label is None else self.label.cut(rows),
            origins=None if self.origins is None else self.origins.take(rows),
            configuration=None if self.configuration is None else self.configuration[rows],
        )

    def take(self, order: NDArray[np.int64]) -> Lines:
        """The lines numbered by `order`, in that order."""
        return Lines(
            text=self.text.take(order),
            label=None if self.label is None else self.label.take(order),
            origins=None if self.origins is None else self.origins.take(order),
            configuration=None if self.configuration is None else [self.configuration[i] for i in order],
        )

    def followed(self, others: Sequence[Lines]) -> Lines:
        """These lines and those of others behind them."""
        parts = [self, *others]
        labeled = any(part.label is not None for part in parts)
        labels = [Ragged.empties(len(part), np.uint8) if part.label is None else part.label for part in parts]
        return Lines(
            text=joined_ragged([part.text for part in parts]),
            label=joined_ragged(labels) if labeled else None,
            origins=joined_origins([part.origins for part in parts], [len(part) for part in parts]),
            configuration=concatenate_lists(parts, [part.configuration for part in parts]),
        )


_WORDS = (
    "a",
    "the",
    "Zürich",
    "naïve",
    "日本語",
    "1.5",
    "-",
    '"q"',
    "{x}",
    "\\",
    "don't",
    "a,b",
    "__la",
    "\u2028",
    "😀",
)


def _generate(random: np.random.Generator) -> Lines:
    """Words of several alphabets and signs that formats use; in half of the sets, lines have up to three labels."""
    n = int(random.integers(1, 20))
    texts = [" ".join(random.choice(_WORDS, random.integers(1, 9)).tolist()) for _ in range(n)]
    if random.random() < 0.5:
        return Lines(text=Ragged.texts(texts))
    least = int(random.integers(0, 2))
    labels = [" ".join(map(str, random.integers(0, 1 << 40, random.integers(least, 4)).tolist())) for _ in range(n)]
    labels[0] = labels[0] or "sport"
    return Lines(text=Ragged.texts(texts), label=Ragged.texts(labels))


KIND = Kind(
    name="lines",
    noun="lines",
    empty=lambda width: Lines(text=Ragged.empties(0, np.uint8)),
    formats=("lines.text", "lines.jsonlines", "lines.json", "lines.recordio"),
    generate=_generate,
    schema={
        "oneOf": [
            {"type": "string"},
            {"type": "object", "required": ["source"], "properties": {"source": {"type": "string"}}},
            {"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}}},
        ]
    },
    endings={".jsonl": "jsonlines", ".manifest": "jsonlines"},
    framed=("application/x-recordio", "application/jsonlines"),
)
