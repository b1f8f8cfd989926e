"""What a user may set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from algoport import Settings, choice, integer, listing, real


class Hyperparameters(Settings):
    """The settings of one job. Columns are called by their numbers, from 0; one that is not called is left out."""

    numbers: Any = listing("columns that hold numbers, some of which may be missing", default=(), of="integer")
    categories: Any = listing("columns that hold one text of few", default=(), of="integer")
    texts: Any = listing("columns that hold words", default=(), of="integer")
    imputation: str = choice("what stands for a number that is missing", "mean", "constant", default="mean")
    fill_value: float = real("the number that stands for one that is missing, with imputation=constant", default=0.0)
    scaling: str = choice(
        "standard: mean 0 and variance 1; minmax: from 0 to 1", "standard", "minmax", "none", default="standard"
    )
    missing_category: str = choice(
        "whether no text is a category of its own or stands for the most frequent one", "own", "frequent", default="own"
    )
    unknown: str = choice(
        "whether a category that training has not seen is all zeros or refused", "zeros", "refused", default="zeros"
    )
    max_categories: int = integer("categories that a column may have", default=1000, low=1, high=100_000)
    hash_features: int = integer("numbers that a column of words becomes", default=256, low=1, high=65_536)
    mini_batch_size: int = integer("rows read at a time, of all hosts together", default=5000, low=1, role="batch")

    def faults(self) -> Iterator[str]:
        """A column is called once, and one at least."""
        called = [*self.numbers, *self.categories, *self.texts]
        if not called:
            yield "numbers, categories, texts: one of them must name a column."
        for column in sorted({column for column in called if called.count(column) > 1}):
            yield f"numbers, categories, texts: column {column} is named twice."
        for column in called:
            if not 0 <= column < 10_000:
                yield f"numbers, categories, texts: a column has a number from 0 to 9999; it is {column}."
