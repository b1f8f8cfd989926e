"""Rows of texts and numbers as JSON has them: `{"features": ["a", 1]}`, in its short and its long form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from algoport.algorithms.contract.numbers import of_json
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Column, Table
from algoport.training.formats.instances import Instances
from algoport.training.formats.layout import Layout, excerpt
from algoport.training.formats.table import columns

EXAMPLE = '{"features": ["a", "b"]}'


def decode(instances: Instances, width: int | None = None) -> Table:
    """The rows that instances make. `width`: that of the rows before, where the algorithm does not say."""
    layout = instances.layout
    width = columns.expected(layout) or width
    rows: list[Sequence[Any]] = []
    own: list[object] = []
    for index, value in enumerate(instances.values):
        place = instances.place(index)
        entries = _entries(value, layout, place)
        width = len(entries) if width is None else width
        columns.check_count(len(entries), width, layout, place, "" if len(entries) == width else str(entries[:9]))
        rows.append(entries)
        own.append(value.get("configuration") if isinstance(value, Mapping) else None)
    return Table(
        columns=tuple(_column([row[number] for row in rows], number, instances) for number in range(width or 0)),
        origins=instances.origins,
        configuration=instances.configurations(own),
    )


def encode(table: Table) -> list[dict[str, Any]]:
    """An object a row, in the short form."""
    own = table.configuration or [None] * len(table)
    rows = zip(*columns.plain(table.columns), strict=True)
    return [
        {"features": list(row), **({} if options is None else {"configuration": options})}
        for row, options in zip(rows, own, strict=True)
    ]


def _entries(value: Any, layout: Layout, place: str) -> list[Any]:
    """The list of an instance: itself, or its `features` or `data.features`, as a list or an object with `values`."""
    if isinstance(value, list) and value:
        return value
    if not isinstance(value, Mapping):
        raise layout.fault(place, f"must be an object such as {EXAMPLE}; it is {excerpt(str(value))}.")
    data = value if "features" in value else value.get("data")
    if not isinstance(data, Mapping) or "features" not in data:
        names = ", ".join(excerpt(name, 30) for name in list(value)[:5])
        raise layout.fault(place, f'must have "features"; it has {names or "nothing"}.')
    entries = data["features"]
    entries = entries.get("values") if isinstance(entries, Mapping) else entries
    if not isinstance(entries, list) or not entries:
        raise layout.fault(place, f'"features" must be a list of texts and numbers; it is {excerpt(str(entries))}.')
    return entries


def _column(entries: list[Any], number: int, instances: Instances) -> Column:
    layout = instances.layout
    if columns.is_number(layout, number):
        return np.array([_number(value, number, instances, row) for row, value in enumerate(entries)], np.float32)
    texts = Ragged.texts(_text(value, number, instances, row) for row, value in enumerate(entries))
    return columns.formed(texts, number, layout, instances.place)


def _number(value: Any, number: int, instances: Instances, row: int) -> float:
    numbers = of_json([value])
    if numbers is None:
        raise columns.not_a_number(str(value), number, instances.layout, instances.place(row))
    return float(numbers[0])


def _text(value: Any, number: int, instances: Instances, row: int) -> bytes:
    """A text; of a number, as JSON writes it."""
    text = str(value) if type(value) in (int, float) else value
    try:
        if not isinstance(text, str) or "\0" in text:
            raise ValueError
        return text.encode()
    except ValueError:  # also half of a surrogate pair, which JSON can write
        fields = instances.layout.fields
        name = fields[number].name if fields else f"feature {number + 1}"
        raise instances.layout.fault(
            instances.place(row), f"{name} must be a text; it is {excerpt(ascii(value))}."
        ) from None
