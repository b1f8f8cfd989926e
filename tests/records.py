"""Records of every kind, as their kinds generate them, and what they hold as plain values."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from algoport.algorithms.contract import kinds

UNSAID = {"places", "origins", "nbytes"}  # where records stood and what they took: not what they hold


def generated(kind: str, count: int) -> list[Any]:
    """So many sets of records of a kind, the same in every process."""
    random = np.random.default_rng(zlib.crc32(kind.encode()))
    return [kinds.find(kind).generate(random) for _ in range(count)]


def values(records: Any) -> list[dict[str, Any]]:
    """What each record holds, field by field."""
    own = {field.name: getattr(records, field.name) for field in dataclasses.fields(records)}
    columns = {name: column for name, column in own.items() if name not in UNSAID and column is not None}
    plain = {name: _plain(column, len(records)) for name, column in columns.items()}
    return [{name: column[number] for name, column in plain.items()} for number in range(len(records))]


def _plain(column: Any, count: int) -> list[Any]:
    if sparse.issparse(column):
        column = column.toarray()
    if isinstance(column, Mapping):  # a column a name
        by_name = {name: _plain(entry, count) for name, entry in column.items()}
        return [{name: entry[number] for name, entry in by_name.items()} for number in range(count)]
    if isinstance(column, tuple):  # columns by position
        return _plain(dict(enumerate(column)), count)
    assert len(column) == count
    return [_value(entry) for entry in column]


def _value(value: Any) -> Any:
    """Lists for arrays, and a word for what is not equal to itself."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_value(entry) for entry in value]
    if isinstance(value, Mapping):
        return {name: _value(entry) for name, entry in value.items()}
    return "missing" if isinstance(value, float) and np.isnan(value) else value
