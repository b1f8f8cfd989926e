"""Kinds of records: what the platform asks of one, and where they are declared.

Each module of `contract/records/` is a kind and is called as the kind is: it has the class of its records and `KIND`,
which answers what a channel, a request and a test ask. A new kind is a new module, and no list names it.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_HERE = Path(__file__).parent / "records"
FILE = "file"  # the word for a channel of plain files, which an algorithm opens itself: no records


def _none(records: Any) -> None:
    """There is none."""


def _zero(records: Any) -> int:
    """Nothing."""
    return 0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the platform needs to know of one kind of records, to carry it from a file to an answer."""

    name: str  # of its module, and the word of `Channel.kind`
    empty: Callable[[int], Any]  # (width) -> no records; the width counts where records have one
    formats: Sequence[str]  # modules below `training/formats` that read and write it
    # (random) -> some records, also with what lies at an edge. What a format cannot hold, its writer refuses by a
    # `ValueError`; the tests of formats and of every kind, and the fuzzers' seeds, are made of these.
    generate: Callable[[np.random.Generator], Any]
    schema: Mapping[str, Any]  # of one instance in a JSON request, as OpenAPI has it
    noun: str = "records"  # what messages call them
    columns: str = ""  # what `width` counts: "features"; empty where records have no width
    labels_lead: bool = False  # whether formats of bare columns have the labels in front
    # (records) -> row, column and value of the first feature that is not finite, or None
    incomplete: Callable[[Any], tuple[int, int, float] | None] = _none
    common_width: Callable[[Any], int] = _zero  # (records) -> the width that all files must share; 0: they may differ
    # (records, bytes) -> how many such records are shuffled at a time where so many bytes are; None: by what they take
    window: Callable[[Any, int], int | None] = lambda records, size: None
    spread: Callable[[Any], int] = _zero  # (records) -> bytes that one takes when it is spread out for a prediction
    sample: Callable[[int], Any] | None = None  # (width) -> a record that a server warms up with
    endings: Mapping[str, str] = field(default_factory=dict)  # of files' names that say what their content type is
    framed: Sequence[str] = ()  # content types whose readers want the RecordIO frames that wrap a pipe's objects
    # Content types of which a file is one record -> the module of `training/channels` that reads such folders.
    folders: Mapping[str, str] = field(default_factory=dict)
    # The module of `algorithms/shared` whose `inspect` looks at all records of files before the first pass; where a
    # reader sees all that can be wrong with a record, there is none.
    inspection: str = ""


@functools.cache
def names() -> tuple[str, ...]:
    """The words of all kinds, sorted. Imports none of them."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.py") if not path.stem.startswith("_")))


def check(name: str) -> None:
    """`ValueError` where there is no kind of that name, which is also no channel of plain files."""
    if name != FILE and name not in names():
        raise ValueError(f"kind: must be one of {', '.join((*names(), FILE))}; it is '{name}'.")


@functools.cache
def find(name: str) -> Kind:
    """The declaration of the kind of that name."""
    if name not in names():
        raise KeyError(f"There is no kind of records '{name}'. There are: {', '.join(names())}.")
    module = importlib.import_module(f"{__package__}.records.{name}")
    kind: Kind = module.KIND
    assert kind.name == name, f"{module.__name__} declares the kind '{kind.name}'"
    return kind
