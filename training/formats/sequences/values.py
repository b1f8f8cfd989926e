"""Sequences as JSON has them: `{"in0": [6, 17], "in1": [16], "label": 1}`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import LARGEST, Sequences
from algoport.training.formats.instances import Instances
from algoport.training.formats.layout import Layout, excerpt

EXAMPLE = '{"in0": [6, 17], "in1": [16]}'
ASIDE = ("label", "configuration")  # what an object has beside sequences
MOST_NAMES = 16
RANGE = f"whole numbers from 0 to {LARGEST:,}"


def decode(instances: Instances, before: set[str]) -> Sequences:
    """The records that instances make. Where the algorithm declares names, others are passed over; else every other
    name is a sequence's. `before`: the names of the records before; adds these."""
    layout = instances.layout
    objects = [_object(value, layout, instances.place(index)) for index, value in enumerate(instances.values)]
    every = dict.fromkeys(name for each in objects for name in each if name not in ASIDE)
    names = [field.name for field in layout.fields] or list(every)
    for index, each in enumerate(objects):
        if not any(name in each for name in names):
            raise lacking(names, list(each), layout, instances.place(index))
    names = [name for name in names if name in every]
    check_names(before, names, layout, instances.place(0))
    present = {name: np.array([name in each for each in objects]) for name in names}
    own = [value.get("configuration") for value in instances.values]
    return Sequences(
        sequences={name: _ragged([each.get(name, []) for each in objects], name, instances) for name in names},
        present=present,
        label=_labels([each.get("label") for each in objects], instances),
        origins=instances.origins,
        configuration=instances.configurations(own),
    )


def encode(records: Sequences) -> list[dict[str, Any]]:
    """An object a record."""
    if records.uid is not None or records.metadata is not None:
        raise ValueError("JSON has no place for a uid and metadata.")
    values: list[dict[str, Any]] = []
    for number in range(len(records)):
        value: dict[str, Any] = {
            name: ragged[number].tolist() for name, ragged in records.sequences.items() if records.present[name][number]
        }
        if records.label is not None:
            label = [float(str(entry)) for entry in records.label[number]]
            if not np.isfinite(label).all():
                raise ValueError("JSON has no infinity, and a label cannot be missing.")
            value["label"] = label[0] if len(label) == 1 else label
        if records.configuration is not None and records.configuration[number] is not None:
            value["configuration"] = records.configuration[number]
        values.append(value)
    return values


def check_names(before: set[str], names: Sequence[str], layout: Layout, place: str) -> None:
    """`UserError` where there are too many names: every record has a place for each. Adds them to those `before`."""
    before |= set(names)
    if len(before) > MOST_NAMES:
        some = ", ".join(excerpt(name, 20) for name in sorted(before)[:5])
        raise layout.fault(place, f"at most {MOST_NAMES} sequences have names of their own; there are more: {some}, ….")


def lacking(names: Sequence[str], others: Sequence[str], layout: Layout, place: str) -> Exception:
    """The error of a record that has no sequence."""
    wanted = " or ".join(f'"{name}"' for name in names) or "a sequence"
    has = ", ".join(excerpt(name, 30) for name in others[:5]) or "nothing"
    return layout.fault(place, f"must have {wanted}; it has {has}.")


def _object(value: Any, layout: Layout, place: str) -> Mapping[str, Any]:
    """The fields of an instance, which can stand in `data`; an element can be an object with `values`."""
    data = value.get("data", value) if isinstance(value, Mapping) else None
    if not isinstance(data, Mapping):
        raise layout.fault(place, f"must be an object such as {EXAMPLE}; it is {excerpt(str(value))}.")
    if data is not value and "label" in value:
        data = {"label": value["label"], **data}
    return {name: entry.get("values") if _is_element(name, entry) else entry for name, entry in data.items()}


def _is_element(name: str, entry: Any) -> bool:
    return name != "configuration" and isinstance(entry, Mapping) and isinstance(entry.get("values"), list)


def _ragged(lists: list[Any], name: str, instances: Instances) -> Ragged:
    """One array of all lists; `UserError` names the record whose list has something else than such a number."""
    if all(type(entry) is list for entry in lists):
        flat = list(itertools.chain.from_iterable(lists))
        if not flat or (set(map(type, flat)) == {int} and min(flat) >= 0 and max(flat) <= LARGEST):
            lengths = np.fromiter(map(len, lists), np.int64, len(lists))
            offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            return Ragged(np.array(flat, np.int32), offsets)
    for index, entry in enumerate(lists):
        wrong = (
            [each for each in entry if type(each) is not int or not 0 <= each <= LARGEST]
            if type(entry) is list
            else [entry]
        )
        if wrong:
            raise instances.layout.fault(
                instances.place(index), f'"{name[:60]}" must be a list of {RANGE}; it has {excerpt(str(wrong[0]))}.'
            )
    raise AssertionError("a list that is wrong has an entry that is")


def _labels(entries: list[Any], instances: Instances) -> NDArray[np.float32] | None:
    """(n, l); None where no record has one. All have as many, or none."""
    if all(entry is None for entry in entries):
        return None
    layout, rows = instances.layout, [entry if isinstance(entry, list) else [entry] for entry in entries]
    for index, row in enumerate(rows):
        if not row or not all(type(each) in (int, float) and abs(each) < 3.4028236e38 for each in row):
            label = "nothing" if entries[index] is None else excerpt(str(entries[index]))
            raise layout.fault(instances.place(index), f'"label" must be a number; it is {label}.')
        if len(row) != len(rows[0]):
            raise layout.fault(instances.place(index), f"{len(row)} labels, where the first record has {len(rows[0])}.")
    return np.array(rows, np.float32)
