"""Writes a network as an ONNX file, which other programs compute with.

The format is protobuf; the few messages of it that a network needs are written here, so that nothing has to be
installed for it. Field numbers are those of onnx.proto, https://github.com/onnx/onnx.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

OPSET, VERSION = 17, 8  # operators as of ONNX 1.12, which every runtime of the last years reads
_FLOAT = 1
Value = int | float | str | Sequence[int]


@dataclass
class Graph:
    """Operators in the order in which they are computed. A dimension that is a word is told by whoever asks."""

    name: str
    inputs: dict[str, Sequence[int | str]]
    outputs: dict[str, Sequence[int | str]]
    facts: Mapping[str, str] = field(default_factory=dict)  # what else a reader should know
    _nodes: list[bytes] = field(default_factory=list)
    _arrays: list[bytes] = field(default_factory=list)
    _count: int = 0

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: Value) -> str:
        """An operator on values by their names; the name of its result."""
        self._count += 1
        out = out or f"{operator.lower()}_{self._count}"
        parts = [_text(1, name) for name in inputs] + [_text(2, out), _text(3, f"node_{self._count}")]
        parts.append(_text(4, operator))
        parts += [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
        self._nodes.append(b"".join(parts))
        return out

    def array(self, name: str, values: NDArray[np.float32]) -> str:
        """Numbers that do not change; their name."""
        dimensions = b"".join(_number(1, size) for size in values.shape)
        raw = np.ascontiguousarray(values, "<f4").tobytes()
        self._arrays.append(dimensions + _number(2, _FLOAT) + _text(8, name) + _bytes(9, raw))
        return name

    def file(self) -> bytes:
        """The whole file."""
        graph = b"".join(
            [
                *(_bytes(1, node) for node in self._nodes),
                _text(2, self.name),
                *(_bytes(5, array) for array in self._arrays),
                *(_bytes(11, _value(name, shape)) for name, shape in self.inputs.items()),
                *(_bytes(12, _value(name, shape)) for name, shape in self.outputs.items()),
            ]
        )
        facts = b"".join(_bytes(14, _text(1, key) + _text(2, value)) for key, value in self.facts.items())
        operators = _bytes(8, _text(1, "") + _number(2, OPSET))
        return _number(1, VERSION) + _text(2, "algoport") + operators + _bytes(7, graph) + facts


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(_bytes(1, _text(2, size) if isinstance(size, str) else _number(1, size)) for size in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, _FLOAT) + _bytes(2, sizes)))


def _attribute(name: str, value: Value) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + b"\x15" + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    if isinstance(value, str):
        return _text(1, name) + _text(4, value) + _number(20, 3)
    return _text(1, name) + b"".join(_number(8, each) for each in value) + _number(20, 7)


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value & (2**64 - 1))


def _varint(value: int) -> bytes:
    return bytes(_sevens(value))


def _sevens(value: int) -> Iterator[int]:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
