"""The protobuf message in which rows travel, `aialgs.data.Record`, and what several of them say together."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from algoport.algorithms.contract.records import Features, Rows
from algoport.training.formats.layout import MOST_COLUMNS, Layout

NAME = "values"  # of the one feature, and of the one label, of a row
_TENSORS = (("Float32Tensor", "float", 2), ("Float64Tensor", "double", 3), ("Int32Tensor", "int32", 7))


@functools.cache
def message(integers: str = "int32") -> Any:
    """The class of the message, made of its schema (proto2; field numbers of the contract, A.3).

    With "uint64" for its whole numbers, which looks the same on the wire, it keeps what no int32 holds.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    numbers = {
        "float": kinds.TYPE_FLOAT,
        "double": kinds.TYPE_DOUBLE,
        "int32": kinds.TYPE_INT32,
        "uint64": kinds.TYPE_UINT64,
        "string": kinds.TYPE_STRING,
        "bytes": kinds.TYPE_BYTES,
    }
    file = descriptor_pb2.FileDescriptorProto(name="aialgs/data/record.proto", package="aialgs.data", syntax="proto2")

    def add(owner: Any, name: str, number: int, kind: str, repeated: bool = False) -> Any:
        label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        field = owner.field.add(name=name, number=number, label=label)
        if kind in numbers:
            field.type = numbers[kind]
            field.options.packed = repeated and kind not in ("bytes", "string")
            return field
        field.type, field.type_name = kinds.TYPE_MESSAGE, f".aialgs.data.{kind}"
        return field

    for name, kind, _ in _TENSORS:
        tensor = file.message_type.add(name=name)
        own = integers if kind == "int32" else kind
        for number, (entry, type_) in enumerate((("values", own), ("keys", "uint64"), ("shape", "uint64")), 1):
            add(tensor, entry, number, type_, repeated=True)
    blob = file.message_type.add(name="Bytes")
    add(blob, "value", 1, "bytes", repeated=True)
    add(blob, "content_type", 2, "string")
    value = file.message_type.add(name="Value")
    value.oneof_decl.add(name="value")
    for kind, _, number in _TENSORS:
        add(value, kind.replace("Tensor", "_tensor").lower(), number, kind).oneof_index = 0
    add(value, "bytes", 9, "Bytes").oneof_index = 0
    record = file.message_type.add(name="Record")
    for number, name in enumerate(("features", "label"), 1):
        pair = record.nested_type.add(name=f"{name.capitalize()}Entry")
        pair.options.map_entry = True
        add(pair, "key", 1, "string")
        add(pair, "value", 2, "Value")
        add(record, name, number, f"Record.{pair.name}", repeated=True)
    for number, name in enumerate(("uid", "metadata", "configuration"), 3):
        add(record, name, number, "string")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("aialgs.data.Record"))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What n records hold, laid end to end; not yet checked against one another."""

    values: NDArray[np.float32]  # (v,)
    counts: NDArray[np.int64]  # (n,) values of each
    keys: NDArray[np.int64]  # (v,) positions of the values; anything where a record is dense
    widths: NDArray[np.int64]  # (n,) size of the row that a shape names; -1 where there is none
    keyed: NDArray[np.bool_]  # (n,) whether the record has keys
    labels: NDArray[np.float32]  # labels, end to end
    label_counts: NDArray[np.int64]  # (n,)
    uid: Sequence[str | None] | None = None
    metadata: Sequence[str | None] | None = None
    configuration: Sequence[str | None] | None = None


def parse(payloads: Sequence[bytes], layout: Layout, first: int) -> Parts:
    """By the protobuf library, record by record: any record that is valid."""
    records = []
    for number, payload in enumerate(payloads, first):
        try:
            records.append(message().FromString(payload))
        except Exception:
            raise layout.fault(layout.record(number), "is not an aialgs.data.Record, or is damaged.") from None
    places = [layout.record(number) for number in range(first, first + len(payloads))]
    tensors = [_feature(record, layout, place) for record, place in zip(records, places, strict=True)]
    values = [_array(tensor.values) for tensor in tensors]
    keys = [_keys(tensor, layout, place) for tensor, place in zip(tensors, places, strict=True)]
    labels = [label(record, layout, place) for record, place in zip(records, places, strict=True)]
    return Parts(
        values=_flat(values, np.float32),
        counts=_lengths(values),
        keys=_flat(keys, np.int64),
        widths=np.array([size(tensor, layout, place) for tensor, place in zip(tensors, places, strict=True)], int),
        keyed=np.array([bool(tensor.keys) for tensor in tensors]),
        labels=_flat(labels, np.float32),
        label_counts=_lengths(labels),
        uid=texts(records, "uid"),
        metadata=texts(records, "metadata"),
        configuration=texts(records, "configuration"),
    )


def assemble(parts: Parts, layout: Layout, first: int, width: int | None, labels: int | None) -> Rows:
    """The rows that the records make, which must have that width and that many labels where these are known."""

    def check(wrong: Any, sentence: Any) -> None:
        if np.any(wrong):
            index = int(np.argmax(wrong))
            raise layout.fault(layout.record(first + index), sentence(index))

    counts, keyed = parts.counts, parts.keyed
    # A row of zeros may have neither keys nor values, but a shape.
    zeros = (counts == 0) & (parts.widths > 0)
    scattered = keyed | zeros
    shapeless = keyed & (parts.widths < 0)
    if width is None:
        check(shapeless, lambda _: f"has keys and no shape, and {layout.width_name} is not known: give its shape.")
    check(
        ~scattered & (parts.widths >= 0) & (parts.widths != counts),
        lambda i: f"has {counts[i]} values, where its shape is for {parts.widths[i]}.",
    )
    widths = np.where(shapeless, width or 0, np.where(scattered, parts.widths, counts))
    if (widths > MOST_COLUMNS).any():
        index = int(np.argmax(widths > MOST_COLUMNS))
        raise layout.too_wide(layout.record(first + index), "its shape is", int(widths[index]))
    check(widths == 0, lambda _: "has no values.")
    expected = int(widths[0]) if width is None else width
    wrong = widths != expected
    if wrong.any():
        index = int(np.argmax(wrong))
        raise layout.misfit(layout.record(first + index), int(widths[index]), expected)
    size = int(parts.label_counts[0]) if labels is None else labels
    check(parts.label_counts != size, lambda i: f"{parts.label_counts[i]} labels, where the first record has {size}.")
    return Rows(
        features=_features(parts, scattered, expected, layout, check),
        label=parts.labels.reshape(-1, size) if size else None,
        uid=parts.uid,
        metadata=parts.metadata,
        configuration=configurations(parts.configuration, layout, first),
    )


def _features(parts: Parts, scattered: NDArray[np.bool_], width: int, layout: Layout, check: Any) -> Features:
    n = len(parts.counts)
    if not scattered.any():
        return parts.values.reshape(n, width)
    bounds = np.concatenate([[0], np.cumsum(parts.counts)])
    row = np.repeat(np.arange(n), parts.counts)
    dense = ~scattered[row]
    keys = np.where(dense, np.arange(len(row)) - bounds[row], parts.keys)
    wrong = (keys < 0) | (keys >= width)
    check(
        np.bincount(row[wrong], minlength=n) > 0,
        lambda i: _key_outside(int(keys[(row == i) & wrong][0]), int(parts.widths[i]), width, layout),
    )
    return sorted_csr(parts.values, keys, bounds, width, check)


def _key_outside(key: int, shape: int, width: int, layout: Layout) -> str:
    if shape >= 0:
        return f"has a key outside its shape, {width}."
    shown = str(key) if key >= 0 else "2**63 or more"
    return f"has key {shown}, where {layout.width_name} is {width} and keys count from 0."


def sorted_csr(
    values: NDArray[np.float32], keys: NDArray[np.int64], bounds: NDArray[np.int64], width: int, check: Any
) -> sparse.csr_array:
    """A sparse matrix with sorted, unique indices; `check` gets the rows that have one twice."""
    n = len(bounds) - 1
    inner = np.ones(max(len(keys) - 1, 0), bool)  # whether the next entry belongs to the same row
    ends = bounds[1:-1]
    inner[ends[(ends > 0) & (ends < len(keys))] - 1] = False
    if (inner & (np.diff(keys) <= 0)).any():
        row = np.repeat(np.arange(n), np.diff(bounds))
        order = np.lexsort((keys, row))
        keys, values = keys[order], values[order]
        twice = row[1:][inner & (np.diff(keys) == 0)]
        check(np.bincount(twice, minlength=n) > 0, lambda _: "has a key twice.")
    matrix = sparse.csr_array((values, keys, bounds), shape=(n, width))
    matrix.has_canonical_format = True
    return matrix


def configurations(texts: Sequence[str | None] | None, layout: Layout, first: int) -> list[object] | None:
    """The JSON values of the records' configurations."""
    if texts is None:
        return None
    parsed: list[object] = []
    for number, text in enumerate(texts, first):
        try:
            parsed.append(json.loads(text) if text else None)
        except (ValueError, RecursionError):
            raise layout.fault(layout.record(number), "its configuration is not JSON.") from None
    return parsed


def _feature(record: Any, layout: Layout, place: str) -> Any:
    if NAME not in record.features:
        names = ", ".join(f"'{name}'" for name in list(record.features)[:5])
        has = f"it has {names}" if names else "it has none"
        raise layout.fault(place, f"must have a feature named '{NAME}'; {has}.")
    return _tensor(record.features[NAME], layout, place)


def _tensor(value: Any, layout: Layout, place: str) -> Any:
    kind = value.WhichOneof("value")
    if kind in (None, "bytes"):
        raise layout.fault(place, f"its '{NAME}' must be a tensor of numbers; it is {kind or 'empty'}.")
    return getattr(value, kind)


def label(record: Any, layout: Layout, place: str) -> NDArray[np.float32]:
    """(l,) the labels of a record; none where it has none."""
    if NAME not in record.label:
        return np.empty(0, np.float32)
    return _array(_tensor(record.label[NAME], layout, place).values)


def _array(values: Any) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values, np.float64).astype(np.float32)


def _keys(tensor: Any, layout: Layout, place: str) -> NDArray[np.int64]:
    if not tensor.keys:
        return np.zeros(len(tensor.values), np.int64)
    if len(tensor.keys) != len(tensor.values):
        raise layout.fault(place, f"has {len(tensor.keys)} keys for {len(tensor.values)} values.")
    # A key beyond int64 lies outside any shape, as -1 does.
    return np.array([key if key < 1 << 63 else -1 for key in tensor.keys], np.int64)


def size(tensor: Any, layout: Layout, place: str) -> int:
    """How many numbers the shape of a tensor is for; -1 where it has none."""
    if not tensor.shape:
        return -1
    size = 1
    for extent in tensor.shape:
        size *= extent
        if size >= 1 << 48:
            raise layout.fault(place, f"its shape is too large: {list(tensor.shape)[:8]}.")
    return size


def _flat(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays])


def _lengths(arrays: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    return np.array([len(array) for array in arrays], np.int64)


def texts(records: Sequence[Any], name: str) -> list[str | None] | None:
    """(n,) a text of each record; None where none has it."""
    texts = [getattr(record, name) if record.HasField(name) else None for record in records]
    return texts if any(text is not None for text in texts) else None
