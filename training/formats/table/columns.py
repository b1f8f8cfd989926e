"""From entries to the columns of a table: texts as they are, and numbers where the algorithm declares them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract import numbers as border
from algoport.algorithms.contract.numbers import LARGEST
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Column
from algoport.training.formats.layout import Layout, excerpt

MOST_COLUMNS = 10_000  # each takes some hundred bytes, whatever it holds: a line of commas is no table


def expected(layout: Layout) -> int | None:
    """How many columns a row must have; None where the first row decides."""
    return len(layout.fields) or layout.width


def is_number(layout: Layout, column: int) -> bool:
    """Whether a column holds numbers."""
    return column < len(layout.fields) and layout.fields[column].number


def check_count(count: int, wanted: int, layout: Layout, place: str, text: str | bytes = "") -> None:
    """`UserError` where a row has other columns than it must, or more than any table; `text`: the row as it stands."""
    if count == wanted and count <= MOST_COLUMNS:
        return
    if count == wanted:
        raise layout.fault(place, f"{count:,} columns, where a table of texts has at most {MOST_COLUMNS:,}.")
    if layout.fields:
        names = ", ".join(field.name for field in layout.fields)
        row = f" The row is {excerpt(text)}." if text else ""
        raise layout.fault(place, f"{count} column{'s' * (count != 1)}, where there must be {wanted}: {names}.{row}")
    raise layout.misfit(place, count, wanted, noun="columns")


def column(texts: Ragged, number: int, layout: Layout, place: Callable[[int], str]) -> Column:
    """A column of texts, or the numbers that they say; `place` of a row, for a fault."""
    return _numbers(texts, number, layout, place) if is_number(layout, number) else formed(texts, number, layout, place)


def formed(texts: Ragged, number: int, layout: Layout, place: Callable[[int], str]) -> Ragged:
    """The texts of a column, which have the form that the algorithm declares for it; `place` of a row, for a fault."""
    form = layout.fields[number].form if number < len(layout.fields) else ""
    fault = importlib.import_module(f"algoport.algorithms.shared.text.{form}").fault(texts) if form else None
    if fault is not None:
        row, sentence = fault
        raise layout.fault(place(row), f"{layout.fields[number].name} {sentence}")
    return texts


def _numbers(texts: Ragged, number: int, layout: Layout, place: Callable[[int], str]) -> NDArray[np.float32]:
    entries = texts.encoded()
    numbers = np.empty(len(entries), np.float64)
    for row, text in enumerate(entries):
        value = border.number(text.decode("utf-8", "replace"))
        if value is None or abs(value) > LARGEST:
            raise not_a_number(text, number, layout, place(row))
        numbers[row] = value
    return numbers.astype(np.float32)


def not_a_number(value: str | bytes, number: int, layout: Layout, place: str) -> Exception:
    """The error of an entry that must be a number."""
    name = layout.fields[number].name
    return layout.fault(place, f"{name} must be a number that float32 can hold; it is {excerpt(value)}.")


def plain(columns: Sequence[Column]) -> list[list[str] | list[float | None]]:
    """The entries of each column, as texts or as numbers; None where one is missing."""
    return [
        entries.strings()
        if isinstance(entries, Ragged)
        else [None if np.isnan(value) else float(str(value)) for value in entries]
        for entries in columns
    ]
