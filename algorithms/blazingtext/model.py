"""What BlazingText leaves: fastText's model, and the vectors as text.    v words   l labels   d numbers of a vector"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.blazingtext import fasttext_file, hierarchy
from algoport.algorithms.blazingtext.dictionary import CLOSE, Lookup, Subwords
from algoport.algorithms.blazingtext.fasttext_file import Content
from algoport.algorithms.blazingtext.kernels import labels as kernels
from algoport.algorithms.blazingtext.kernels.numbers import LONGEST, write_rows
from algoport.algorithms.blazingtext.options import Options
from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.model_folder import NoModel, read_file

CLASSES, VECTORS = "model.bin", "vectors.bin"  # fastText's files
TEXT, EVALUATION = "vectors.txt", "eval.json"
PREFIX = "__label__"
_BLOCK = 1 << 18  # numbers of the vectors that are computed at a time
_BLANKS = b" \t\n\v\f\r\0"  # what separates words
_MOST_JSON = 1 << 20  # bytes of eval.json


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """All that fastText's file has, and how well its vectors agree with people."""

    content: Content
    evaluation: Mapping[str, Any] | None = None  # eval.json
    width: None = None

    @property
    def classifies(self) -> bool:
        """Whether it knows labels, and not only vectors."""
        return self.content.arguments.model == fasttext_file.SUPERVISED

    @property
    def known_words(self) -> tuple[Ragged, NDArray[np.int64]]:
        """Its words, and how often each came."""
        return self.content.words, self.content.counts

    @property
    def known_labels(self) -> tuple[Ragged, NDArray[np.int64]]:
        """Its labels without their prefix, and how often each came."""
        names = (label.removeprefix(PREFIX.encode()) for label in self.content.labels.encoded())
        return Ragged.texts(names), self.content.label_counts

    @cached_property
    def lookup(self) -> Lookup:
        """Its words, to be found by their bytes."""
        return Lookup(self.content.words)

    @cached_property
    def subwords(self) -> Subwords | None:
        """The rows of its words, where these have n-grams of characters."""
        arguments = self.content.arguments
        if arguments.max_char < 1 or arguments.buckets < 1:
            return None
        return Subwords(self.content.words, arguments.min_char, arguments.max_char, arguments.buckets)

    def sample(self) -> Lines:
        """What a server warms up with."""
        return Lines(text=Ragged.texts(["a word"]))

    def predict(self, records: Lines, options: Options | None = None) -> Mapping[str, list[Any]]:
        """Labels with their probabilities, or words with their vectors."""
        if not self.classifies:
            words = [text.strip() for text in records.text.encoded()]
            return {"word": [word.decode() for word in words], "vector": list(self.vectors(words))}
        counts = _wanted(records, options)
        chances = self.probabilities(records.text)
        # fastText learns from any bytes, and an answer is UTF-8.
        names = [label.decode(errors="replace") for label in self.content.labels.encoded()]
        labels, probabilities = [], []
        for row, k in zip(chances, counts, strict=True):
            best = np.argsort(-row, kind="stable")[:k]
            labels.append([names[number] for number in best])
            probabilities.append(row[best])
        return {"label": labels, "prob": probabilities}

    def vectors(self, words: Sequence[bytes]) -> NDArray[np.float32]:
        """The vector (d) of each word; of those that are not known that of their subwords, or zeros."""
        dim, inputs = self.content.arguments.dim, self.content.inputs
        out = np.zeros((len(words), dim), np.float32)
        numbers = self._numbers(words)
        subwords = self.subwords
        for at, (word, number) in enumerate(zip(words, numbers, strict=True)):
            if subwords is None:
                if number >= 0:
                    out[at] = inputs[number, :dim]
                continue
            offsets, rows = subwords.table
            own = rows[offsets[number] : offsets[number + 1]] if number >= 0 else subwords.of(word)
            own = self._rows(own)
            if len(own):
                out[at] = inputs[own, :dim].mean(axis=0, dtype=np.float32)
        return out

    def all_vectors(self) -> Iterator[NDArray[np.float32]]:
        """The vectors of all words, some at a time."""
        words = self.content.words
        rows = max(1, _BLOCK // self.content.arguments.dim)
        for first in range(0, len(words), rows):
            if self.subwords is None:
                yield self.content.inputs[first : min(first + rows, len(words)), : self.content.arguments.dim]
            else:
                yield self.vectors(words.cut(slice(first, first + rows)).encoded())

    def probabilities(self, texts: Ragged) -> NDArray[np.float32]:
        """(n, l) of each label; a text of which no word is known has the mean of nothing, zeros, for its features."""
        content = self.content
        arguments = content.arguments
        rows, ends = self.features(texts)
        w = content.inputs.shape[1]
        out = np.empty((len(texts), len(content.labels)), np.float32)
        flat, outputs = content.inputs.reshape(-1), content.outputs.reshape(-1)
        kind = kernels.SOFTMAX if arguments.loss == fasttext_file.SOFTMAX else kernels.SIGMOID
        if arguments.loss == fasttext_file.HIERARCHICAL:
            return hierarchy.probabilities(content, rows, ends)
        kernels.score_lines(rows * w, ends, flat, outputs, w, len(content.labels), kind, out)
        return out

    def features(self, texts: Ragged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of each text, and where they end, behind a 0: its words or their subwords, and its word n-grams."""
        arguments, v = self.content.arguments, len(self.content.words)
        closed = _closed(texts)
        words, hashes, places, ends = self.lookup.find(closed)
        n, buckets = arguments.word_ngrams, arguments.buckets
        rows, borders = [], np.zeros(len(texts) + 1, np.int64)
        longest = max(1, int(np.diff(ends).max(initial=0)))
        scratch = np.empty(longest * max(1, min(n, longest)), np.int64)
        none = np.full(len(words), -1, np.int32)
        for line in range(len(texts)):
            first, last = int(ends[line]), int(ends[line + 1])
            if self.subwords is None:
                used = kernels.line_rows(words, hashes, first, last, v, n, buckets, 1, scratch, 0)
                own = scratch[:used].copy()
            else:
                used = kernels.line_rows(none, hashes, first, last, v, n, buckets, 1, scratch, 0)
                own = np.concatenate([*self._spelled(closed, words, places, first, last), scratch[:used]])
            own = self._rows(own)
            rows.append(own)
            borders[line + 1] = borders[line] + len(own)
        return np.concatenate([np.empty(0, np.int64), *rows]), borders

    def save(self, folder: Path) -> None:
        """Write `model.bin`; or `vectors.bin`, `vectors.txt` and, where they were evaluated, `eval.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.content.quantized:
            raise UserError(f"{CLASSES}: a quantized model is served, and not written again.")
        if self.evaluation is not None:
            artifact.put(folder / EVALUATION, json.dumps(self.evaluation).encode())
        if not self.classifies:
            self._write_text(folder / TEXT)
        fasttext_file.write(folder / (CLASSES if self.classifies else VECTORS), self.content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, or a model of fastText by one of these names."""
        folder = artifact.find(folder, CLASSES, VECTORS)
        name = next((name for name in (CLASSES, VECTORS) if (folder / name).exists()), None)
        if name is None:
            other = artifact.algorithm_of(folder)
            raise (
                artifact.of_another(other, "blazingtext")
                if other
                else NoModel(f"{CLASSES}: there is no model in this folder, nor is there {VECTORS}.")
            )
        return cls(content=fasttext_file.read(folder / name), evaluation=_evaluation(folder))

    def _numbers(self, words: Sequence[bytes]) -> NDArray[np.int32]:
        """(n,) the words' numbers, -1 where they are unknown, as what has blanks in it is."""
        numbers, _, _, ends = self.lookup.find(Ragged.texts(words))
        out = np.full(len(words), -1, np.int32)
        single = np.flatnonzero(np.diff(ends) == 1)
        out[single] = numbers[ends[single]]
        return out

    def _rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the table as it is: a pruned one has those of some buckets."""
        left = self.content.rows_of
        if left is None:
            return rows
        v = len(self.content.words)
        return np.array([row if row < v else v + left[row - v] for row in rows.tolist() if row < v or row - v in left],
                        np.int64)  # fmt: skip

    def _spelled(
        self, texts: Ragged, words: NDArray[np.int32], places: NDArray[np.int64], first: int, last: int
    ) -> Iterator[NDArray[np.int64]]:
        """The rows of the subwords of a line's words."""
        assert self.subwords is not None
        offsets, rows = self.subwords.table
        for at in range(first, last):
            if words[at] >= 0:
                yield rows[offsets[words[at]] : offsets[words[at] + 1]]
                continue
            if at + 1 < last:  # behind the last word, which closes the line, nothing is spelled
                word = bytes(texts.values[places[at] : places[at + 1]]).rstrip(_BLANKS)
                yield self.subwords.of(word)

    def _write_text(self, path: Path) -> None:
        """word2vec's text: how many words and numbers, and a line each."""
        words, dim, at = self.content.words, self.content.arguments.dim, 0
        with artifact.writing(path) as file:
            file.write(f"{len(words)} {dim}\n".encode())
            for block in self.all_vectors():
                own = words.cut(slice(at, at + len(block)))
                letters, starts = const(own.values, np.uint8), const(own.offsets, np.int64)
                lines = np.empty(len(letters) + len(block) * (LONGEST * dim + 1), np.uint8)
                file.write(lines[: write_rows(letters, starts, const(block, np.float32), lines)].data)
                at += len(block)


def _wanted(records: Lines, options: Options | None) -> list[int]:
    """How many labels each text is answered with."""
    k = 1 if options is None else options.k
    own = records.configuration
    if own is None:
        return [k] * len(records)
    counts = []
    for number, given in enumerate(own):
        if given is not None and not isinstance(given, Mapping):
            raise UserError(f"{records.place(number)}: configuration must be an object; it is no such.")
        counts.append(k if not given else Options.read({"k": k, **given}, noun="an option of this model").k)
    return counts


def _closed(texts: Ragged) -> Ragged:
    """The texts with the word at a line's end behind each, without labels, which are no words in training."""
    mark, close = PREFIX.encode(), b" " + CLOSE.encode()
    return Ragged.texts((_unmarked(text, mark) if mark in text else text) + close for text in texts.encoded())


def _unmarked(text: bytes, mark: bytes) -> bytes:
    return b" ".join(word for word in text.split() if not word.startswith(mark))


def _evaluation(folder: Path) -> Mapping[str, Any] | None:
    """What `eval.json` says, where there is one that can be read."""
    try:
        facts = json.loads(read_file(folder / EVALUATION, _MOST_JSON))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
