"""fastText's binary model file, version 12.    v words   l labels   b buckets   d numbers of a vector

A magic number and the version; the arguments; the dictionary; the table of input rows, words first and buckets behind
them; and the table of output rows, of labels or of words. Quantized tables (product quantization) are read as what they
stand for.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext.tables import aligned, is_finite
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.shared.artifact import writing
from algoport.algorithms.shared.model_folder import open_file

MAGIC, VERSION = 793712314, 12
CBOW, SKIPGRAM, SUPERVISED = 1, 2, 3
HIERARCHICAL, NEGATIVES, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
_ARGUMENTS, _ENTRY = struct.Struct("<12id"), struct.Struct("<qb")
_ROWS = 1 << 12  # that are written at a time
_MOST_WORD = 1 << 20  # bytes of a word
_MOST_COUNT = 10**14  # of a word in a text: less than what stands for none in fastText's Huffman tree
Table = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """fastText's arguments, in the order of the file."""

    dim: int
    window: int
    epochs: int
    min_count: int
    negatives: int
    word_ngrams: int
    loss: int
    model: int
    buckets: int
    min_char: int
    max_char: int
    update_rate: int
    threshold: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """All of a file. Tables have rows of `tables.width` numbers, and one of zeros behind the last output row."""

    arguments: Arguments
    words: Ragged  # (v,)
    counts: NDArray[np.int64]  # (v,)
    labels: Ragged  # (l,) with their prefix
    label_counts: NDArray[np.int64]  # (l,)
    tokens: int  # of the text that it was trained on
    inputs: Table  # (v + b, w)
    outputs: Table  # (l or v, and one more, w)
    rows_of: dict[int, int] | None = None  # of a pruned file: the row behind the words of each bucket that is left
    quantized: bool = False


def write(path: Path, content: Content) -> None:
    """Write a file that is whole or not there."""
    arguments, dim = content.arguments, content.arguments.dim
    with writing(path) as file:
        file.write(struct.pack("<2i", MAGIC, VERSION))
        file.write(_ARGUMENTS.pack(*(getattr(arguments, field.name) for field in fields(Arguments))))
        v, labels = len(content.words), len(content.labels)
        file.write(struct.pack("<3i2q", v + labels, v, labels, content.tokens, -1))
        for kind, texts, counts in ((0, content.words, content.counts), (1, content.labels, content.label_counts)):
            for first in range(0, len(texts), _ROWS):  # not all at once: each is an object of Python meanwhile
                part = slice(first, first + _ROWS)
                file.writelines(
                    text + b"\0" + struct.pack("<qb", count, kind)
                    for text, count in zip(texts.cut(part).encoded(), counts[part].tolist(), strict=True)
                )
        for table in (content.inputs, content.outputs[:-1]):
            file.write(struct.pack("<?2q", False, len(table), dim))
            for first in range(0, len(table), _ROWS):
                file.write(np.ascontiguousarray(table[first : first + _ROWS, :dim], "<f4").data)


def read(path: Path) -> Content:
    """Read a file. `UserError` in a sentence where it is cut, is none, or is of another version."""
    with open_file(path) as file:
        return _Reader(file, path.name).content()


class _Reader:
    """Reads from the beginning to the end, and believes nothing of it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = cast(io.BufferedReader, file), name
        self._size = os.fstat(file.fileno()).st_size

    def fault(self, sentence: str) -> UserError:
        return UserError(f"{self._name}: {sentence}")

    def unpack(self, shape: str) -> tuple[Any, ...]:
        size = struct.calcsize(f"<{shape}")
        return struct.unpack(f"<{shape}", self.take(size))

    def take(self, size: int) -> bytes:
        data = self._file.read(size) if 0 <= size <= self._size else b""
        if len(data) != size:
            raise self.fault(f"is cut: it ends after {self._size:,} bytes, and more must follow.")
        return data

    def numbers(self, count: int, kind: str) -> NDArray[Any]:
        return np.frombuffer(self.take(count * np.dtype(kind).itemsize), kind)

    def content(self) -> Content:
        if self._size < 8:
            raise self.fault("is no model of fastText: it is too short.")
        magic, version = self.unpack("2i")
        if magic != MAGIC:
            raise self.fault("is no model of fastText: it does not begin as one.")
        if version not in (11, VERSION):
            raise self.fault(f"must be of fastText's version 11 or 12; it is of {version}.")
        arguments = self._arguments()
        if version == 11 and arguments.model == SUPERVISED:  # had no subwords
            arguments = Arguments(**{**vars(arguments), "max_char": 0})
        size, v, labels, tokens, pruned = self.unpack("3i2q")
        if min(v, labels) < 0 or size != v + labels or pruned < -1:
            raise self.fault(f"must have as many words and labels as entries; it has {v}, {labels} and {size}.")
        if _ENTRY.size * size > self._size:
            raise self.fault(f"is cut: {size:,} words and labels do not fit into its {self._size:,} bytes.")
        words, counts = self._entries(v, 0)
        texts, label_counts = self._entries(labels, 1)
        rows_of = None
        if pruned >= 0:
            pairs = self.numbers(2 * pruned, "<i4").reshape(-1, 2)
            if len(pairs) and (pairs.min() < 0 or pairs[:, 1].max() >= len(pairs)):
                raise self.fault("names rows for its buckets that it has not.")
            rows_of = dict(pairs.tolist())
        (quantized,) = self.unpack("?")
        behind = arguments.buckets if rows_of is None else len(rows_of)
        inputs = self._table(quantized, (v + behind, arguments.dim), "input rows", 0)
        (also,) = self.unpack("?")
        rows = labels if arguments.model == SUPERVISED else v
        outputs = self._table(quantized and also, (rows, arguments.dim), "output rows", 1)
        if self._file.read(1):
            raise self.fault("goes on behind its end.")
        return Content(
            arguments=arguments, words=words, counts=counts, labels=texts, label_counts=label_counts, tokens=tokens,
            inputs=inputs, outputs=outputs, rows_of=rows_of, quantized=bool(quantized),
        )  # fmt: skip

    def _arguments(self) -> Arguments:
        values = self.unpack("12id")
        arguments = Arguments(**dict(zip((field.name for field in fields(Arguments)), values, strict=True)))
        known = arguments.model in (CBOW, SKIPGRAM, SUPERVISED) and arguments.loss in range(1, 5)
        sizes = 0 < arguments.dim < 1 << 20 and arguments.buckets >= 0
        if not known or not sizes or min(arguments.max_char, arguments.word_ngrams) < 0:
            raise self.fault(f"has arguments that fastText has not: {arguments}.")
        return arguments

    def _entries(self, count: int, kind: int) -> tuple[Ragged, NDArray[np.int64]]:
        texts, counts = [], np.empty(count, np.int64)
        for number in range(count):
            texts.append(self._word())
            counts[number], own = _ENTRY.unpack(self.take(_ENTRY.size))
            if own != kind:
                raise self.fault("must have its labels behind its words.")
        if count and (counts.min() < 0 or counts.max() > _MOST_COUNT):
            raise self.fault(f"must have counts from 0 to {_MOST_COUNT:,}; it has others.")
        return Ragged.texts(texts), counts

    def _word(self) -> bytes:
        """Up to the next byte that is zero."""
        parts: list[bytes] = []
        while True:
            ahead = self._file.peek(1)
            if not ahead:
                self.take(1)
            end = ahead.find(b"\0")
            parts.append(self._file.read(end if end >= 0 else len(ahead)))
            if sum(map(len, parts)) > _MOST_WORD:
                raise self.fault(f"has a word of more than {_MOST_WORD:,} bytes.")
            if end >= 0:
                self._file.read(1)
                return b"".join(parts)

    def _table(self, quantized: bool, shape: tuple[int, int], what: str, spare: int) -> Table:
        if quantized:
            whole = self._quantized(shape, what)
        else:
            m, n = self.unpack("2q")
            if (m, n) != shape:
                raise self.fault(f"must have {shape[0]} {what} of {shape[1]} numbers; it has {m} of {n}.")
            left = self._size - self._file.tell()
            if 4 * m * n > left:
                raise self.fault(f"is cut: {what} take {4 * m * n:,} bytes, and {left:,} are left.")
            whole = aligned(m + spare, n)
            for first in range(0, m, _ROWS):
                rows = min(_ROWS, m - first)
                whole[first : first + rows, :n] = self.numbers(rows * n, "<f4").reshape(rows, n)
            return self._finite(whole, what)
        table = aligned(shape[0] + spare, shape[1])
        table[: shape[0], : shape[1]] = whole
        return self._finite(table, what)

    def _finite(self, table: Table, what: str) -> Table:
        if not is_finite(table):
            raise self.fault(f"must have finite numbers; some of its {what} are not.")
        return table

    def _quantized(self, shape: tuple[int, int], what: str) -> Table:
        """What codes stand for: a centroid for each few numbers, times the row's norm where norms stand apart."""
        norms, m, n, size = self.unpack("?2qi")
        if (m, n) != shape or not 0 <= size <= m * n:
            raise self.fault(f"must have {shape[0]} {what} of {shape[1]} numbers; it has {m} of {n}.")
        codes = self.numbers(size, "u1")
        whole = self._product(codes, m, n)
        if norms:
            own = self.numbers(m, "u1")
            whole *= self._product(own, m, 1)
        return whole

    def _product(self, codes: NDArray[Any], m: int, n: int) -> Table:
        dim, parts, step, last = self.unpack("4i")
        if dim != n or parts < 1 or step < 1 or not 0 < last <= step or (parts - 1) * step + last != n:
            raise self.fault("has codes that do not fit its vectors.")
        if len(codes) != m * parts:
            raise self.fault(f"must have {m * parts} codes; it has {len(codes)}.")
        centroids = self.numbers(dim * 256, "<f4")
        whole = np.empty((m, n), np.float32)
        codes = codes.reshape(m, parts)
        for part in range(parts):
            size = last if part == parts - 1 else step
            begin = part * 256 * step
            whole[:, part * step : part * step + size] = centroids[begin : begin + 256 * size].reshape(256, size)[
                codes[:, part]
            ]
        return whole
