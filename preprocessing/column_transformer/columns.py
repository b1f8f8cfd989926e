"""What is learned of a column, and what its entries become.    n rows"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport import UserError
from algoport.algorithms.contract import numbers as border
from algoport.algorithms.contract.ragged import Ragged

from . import kernels

_WORDS = re.compile(r"\b\w\w+\b")
LONGEST = 1000  # bytes of a category; what is longer is a text

Place = Callable[[int], str]


@dataclass
class Numbers:
    """Count, mean and spread of what is there, merged by Chan, Golub and LeVeque's formula."""

    count: int = 0
    missing: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of the squared differences to the mean
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Numbers:
        """Of some values (n,), NaN where one is missing."""
        there = values[~np.isnan(values)]
        if not len(there):
            return cls(missing=len(values))
        mean = float(there.mean())
        squares = float(((there - mean) ** 2).sum())
        return cls(len(there), len(values) - len(there), mean, squares, float(there.min()), float(there.max()))

    def add(self, other: Numbers) -> None:
        """Take in what is known of other rows."""
        self.missing += other.missing
        if not other.count:
            return
        if not self.count:
            self.count, self.mean, self.squares = other.count, other.mean, other.squares
            self.low, self.high = other.low, other.high
            return
        both, difference = self.count + other.count, other.mean - self.mean
        self.squares += other.squares + difference**2 * (self.count * other.count / both)
        self.mean += difference * (other.count / both)
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.count = both

    def filled(self, value: float) -> Numbers:
        """The same, where that value stands for each that is missing."""
        made = Numbers(self.count, 0, self.mean, self.squares, self.low, self.high)
        if self.missing:
            made.add(Numbers(self.missing, 0, value, 0.0, value, value))
        return made

    def check(self) -> None:
        """`ValueError` where it cannot be what was learned."""
        figures = (self.mean, self.squares, self.low, self.high)
        if min(self.count, self.missing) < 0 or not all(map(math.isfinite, figures)) or self.squares < 0:
            raise ValueError("count, mean, squares, low and high must be finite, and not negative where they count")


@dataclass
class Categories:
    """How often each text was seen."""

    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: list[bytes]) -> Categories:
        """Of some texts."""
        return cls({text.decode("utf-8", "replace"): count for text, count in Counter(texts).items()})

    def add(self, other: Categories) -> None:
        """Take in what is known of other rows."""
        for text, count in other.counts.items():
            self.counts[text] = self.counts.get(text, 0) + count

    def names(self, *, own: bool) -> list[str]:
        """The categories in order; no text is one where it is its own."""
        return sorted(text for text in self.counts if text or own)

    @property
    def frequent(self) -> str:
        """The category that was seen most; the first of several. "" where there is none."""
        there = [(-count, text) for text, count in self.counts.items() if text]
        return min(there)[1] if there else ""

    def check(self) -> None:
        """`ValueError` where it cannot be what was learned."""
        if not all(isinstance(count, int) and count > 0 for count in self.counts.values()):
            raise ValueError("categories must have counts above 0")


def numbers_of(texts: Ragged, column: int, place: Place) -> NDArray[np.float64]:
    """(n,) the numbers that the texts say, NaN where one is missing. `UserError` names the row of what is none."""
    entries = texts.encoded()
    values = _quickly(entries, texts)
    if values is None:
        values = np.empty(len(entries))
        for row, text in enumerate(entries):
            value = border.number(text.decode("utf-8", "replace"))
            values[row] = np.inf if value is None else value
    wrong = np.flatnonzero(np.abs(values) > border.LARGEST)
    if len(wrong):
        text = entries[wrong[0]].decode("utf-8", "replace")[:60]
        raise UserError(
            f"{place(int(wrong[0]))}: column {column} must be a number that float32 can hold, or empty; it is {text!r}."
        )
    return values


def _quickly(entries: list[bytes], texts: Ragged) -> NDArray[np.float64] | None:
    """Where all are plain numbers, as nearly always."""
    if not entries or (texts.values == ord("_")).any() or int(texts.lengths.max()) > 40:
        return None
    try:
        return np.asarray(np.array(entries, "S").astype(np.float64))
    except ValueError:
        return None


def check_categories(counts: Mapping[str, int], column: int, most: int) -> None:
    """`UserError` where a column holds too many texts for one-hot columns, or too long ones."""
    if len(counts) > most:
        raise UserError(
            f"Column {column} has more than max_categories ({most}) categories; name it in texts, or raise the setting."
        )
    longest = max((len(text.encode()) for text in counts), default=0)
    if longest > LONGEST:
        raise UserError(
            f"Column {column} has a category of {longest:,} bytes, where {LONGEST:,} are most; name it in texts."
        )


def one_hot(texts: list[bytes], names: list[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(n, names) a one in the column of each text's name, and (n,) whether it has one."""
    hot = np.zeros((len(texts), len(names)), np.float32)
    place = {name.encode(): number for number, name in enumerate(names)}
    columns = np.fromiter((place.get(text, -1) for text in texts), np.int64, len(texts))
    known = columns >= 0
    hot[np.flatnonzero(known), columns[known]] = 1.0
    return hot, known


def hashed(texts: list[str], width: int) -> NDArray[np.float32]:
    """(n, width) words of two letters or more in lower case, hashed as scikit-learn's HashingVectorizer does: signed,
    and each row of length 1, unless it has no words."""
    tokens, rows = list[bytes](), list[int]()
    for row, text in enumerate(texts):
        words = _WORDS.findall(text.lower())
        tokens += (word.encode() for word in words)
        rows += [row] * len(words)
    made = Ragged.texts(tokens)
    sums = np.zeros((len(texts), width), np.float32)
    kernels.add_tokens(np.ascontiguousarray(made.values), made.offsets, np.array(rows, np.int64), sums)
    lengths = np.sqrt((sums**2).sum(axis=1, keepdims=True))
    return np.asarray(sums / np.where(lengths > 0, lengths, 1), np.float32)
