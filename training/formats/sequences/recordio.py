"""Sequences in recordio-protobuf: a record's features are sequences, each of its own name, of int32.

They are parsed by the protobuf library with a schema whose whole numbers have 64 bits, which looks the same on the
wire: a number that no int32 holds is then seen, and not cut off.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import LARGEST, Sequences
from algoport.training.formats import record
from algoport.training.formats.layout import Layout
from algoport.training.formats.recordio import MEDIA, frame, frames
from algoport.training.formats.sequences.values import RANGE, check_names, lacking

__all__ = ["MEDIA", "read", "write"]
_BATCH = 4096  # records made sequences at a time
_NUMBERS = 1 << 22  # numbers that they may have before that, about


def read(stream: BinaryIO, layout: Layout) -> Iterator[Sequences]:
    """Records with every feature that the algorithm declares, or all features where it declares none, and the label
    `values`."""
    payloads = frames(stream, layout)
    first, names = 1, set[str]()
    while batch := list(_some(payloads)):
        yield _records(batch, layout, first, names)
        first += len(batch)


def write(records: Sequences) -> bytes:
    """One frame a record, never split: int32 features, and a float32 label."""
    return b"".join(frame(payload) for payload in _messages(records))


def _some(payloads: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for payload in itertools.islice(payloads, _BATCH):
        yield payload
        size += len(payload)
        if size >= _NUMBERS:
            return


def _messages(records: Sequences) -> Iterator[bytes]:
    import orjson

    texts = {"uid": records.uid, "metadata": records.metadata}
    for number in range(len(records)):
        message = record.message()()
        for name, ragged in records.sequences.items():
            if records.present[name][number]:
                tensor = message.features[name].int32_tensor
                tensor.SetInParent()
                tensor.values.extend(ragged[number].tolist())
        if records.label is not None:
            message.label[record.NAME].float32_tensor.values.extend(records.label[number].tolist())
        for name, column in texts.items():
            if column is not None and column[number] is not None:
                setattr(message, name, column[number])
        if records.configuration is not None and records.configuration[number] is not None:
            message.configuration = orjson.dumps(records.configuration[number]).decode()
        yield message.SerializeToString(deterministic=True)


def _records(payloads: Sequence[bytes], layout: Layout, first: int, before: set[str]) -> Sequences:
    kind = record.message("uint64")
    messages = []
    for number, payload in enumerate(payloads, first):
        try:
            messages.append(kind.FromString(payload))
        except Exception:
            raise layout.fault(layout.record(number), "is not an aialgs.data.Record, or is damaged.") from None
    places = [layout.record(number) for number in range(first, first + len(payloads))]
    there = dict.fromkeys(name for message in messages for name in message.features)
    for message, place in zip(messages, places, strict=True):
        if not all(isinstance(name, str) for name in message.features):
            raise layout.fault(place, "has a feature whose name is not UTF-8.")
    names = [field.name for field in layout.fields] or sorted(there)
    for message, place in zip(messages, places, strict=True):
        if not any(name in message.features for name in names):
            raise lacking(names, list(message.features), layout, place)
    names = [name for name in names if name in there]
    check_names(before, names, layout, places[0])
    present = {name: np.array([name in message.features for message in messages]) for name in names}
    return Sequences(
        sequences={name: _ragged(messages, present[name], name, layout, places) for name in names},
        present=present,
        label=_labels(messages, layout, places),
        origins=Origins.of(f"{layout.name}, record", range(first, first + len(payloads))),
        configuration=record.configurations(record.texts(messages, "configuration"), layout, first),
        uid=record.texts(messages, "uid"),
        metadata=record.texts(messages, "metadata"),
    )


def _ragged(
    messages: Sequence[Any], present: NDArray[np.bool_], name: str, layout: Layout, places: Sequence[str]
) -> Ragged:
    """One array of all sequences of a name; a record that lacks it has an empty one."""
    none = np.empty(0, np.int32)
    arrays = [
        _numbers(message.features[name], name, layout, place) if has else none
        for message, has, place in zip(messages, present, places, strict=True)
    ]
    lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
    return Ragged(np.concatenate([none, *arrays]), np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))


def _numbers(value: Any, name: str, layout: Layout, place: str) -> NDArray[np.int32]:
    kind = value.WhichOneof("value")
    if kind is None:  # a feature that says nothing, as clients send for what is asked
        return np.empty(0, np.int32)
    if kind == "bytes":
        raise layout.fault(place, f"its '{name[:60]}' must be a tensor of {RANGE}; it is bytes.")
    tensor = getattr(value, kind)
    if tensor.keys:
        raise layout.fault(place, f"its '{name[:60]}' must be dense; it has keys.")
    if tensor.shape and record.size(tensor, layout, place) != len(tensor.values):
        raise layout.fault(place, f"its '{name[:60]}' has {len(tensor.values)} values, which its shape is not for.")
    wide = np.array(tensor.values, np.uint64 if kind == "int32_tensor" else np.float64)
    with np.errstate(invalid="ignore"):
        wrong = ~((wide >= 0) & (wide <= LARGEST) & (wide == np.floor(wide))) if len(wide) else np.empty(0, bool)
    if wrong.any():
        value = wide[int(np.argmax(wrong))]
        shown = int(value.astype(np.int64)) if kind == "int32_tensor" else float(value)
        raise layout.fault(place, f"its '{name[:60]}' must hold {RANGE}; it has {shown}.")
    return wide.astype(np.int32)


def _labels(messages: Sequence[Any], layout: Layout, places: Sequence[str]) -> NDArray[np.float32] | None:
    """(n, l); None where no record has one. All have as many, or none."""
    arrays = [_label(message, layout, place) for message, place in zip(messages, places, strict=True)]
    for array, place in zip(arrays, places, strict=True):
        if not np.isfinite(array).all():
            raise layout.fault(place, "its label must be a finite float32 number.")
        if len(array) != len(arrays[0]):
            raise layout.fault(place, f"{len(array)} labels, where the first record has {len(arrays[0])}.")
    return np.stack(arrays) if len(arrays[0]) else None


def _label(message: Any, layout: Layout, place: str) -> NDArray[np.float32]:
    value = message.label.get(record.NAME)
    if value is not None and value.WhichOneof("value") == "int32_tensor":
        return np.array(value.int32_tensor.values, np.uint64).astype(np.int64).astype(np.float32)
    return record.label(message, layout, place)
