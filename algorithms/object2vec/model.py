"""What training leaves: two encoders, what compares their vectors, and the tokens' ids where they were given.

m pairs   n sequences   e numbers of a vector   g outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.object2vec import gradients, pairs, schema
from algoport.algorithms.object2vec.gradients import Losses, Pairs
from algoport.algorithms.object2vec.options import Options
from algoport.algorithms.object2vec.pairs import SIDES
from algoport.algorithms.object2vec.shapes import Shape
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.text.vocabulary import Vocabulary

NAME = "object2vec"
TOKENS = 1 << 13  # that are encoded at a time

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network that compares pairs of objects, and turns objects into vectors."""

    shape: Shape
    weights: Mapping[str, Array]
    tables: Mapping[str, Array]  # token vectors
    vocabularies: tuple[Vocabulary | None, Vocabulary | None] = (None, None)
    width: None = None

    def predict(self, records: Sequences, options: Options | None = None) -> Mapping[str, Any]:
        """The scores of pairs (m, g), or the vectors of single sequences (n, e). `UserError` where a request has both,
        where a token id is beyond the vocabulary, or a sequence is empty."""
        options = options or Options()
        present = [records.has(name) for name in SIDES]
        both = present[0] & present[1]
        if both.all():
            return {"scores": self.scores(records)}
        if both.any():
            number = int(np.argmin(both))
            raise UserError(
                f"{records.place(number)}: must have in0 and in1, as the records before it; a request asks for the "
                "scores of pairs, or for the vectors of single sequences."
                if number
                else f"{records.place(int(np.argmax(both)))}: must have in0 or in1 alone, as the records before it; a "
                "request asks for the scores of pairs, or for the vectors of single sequences."
            )
        out = np.empty((len(records), self.shape.dim), np.float32)
        for side in (0, 1):
            some = np.flatnonzero(present[side])
            if len(some):
                longest = None if options.lengths is None else options.lengths[side]
                out[some] = self.vectors(side, self._sequences(records.take(some), side, longest))
        return {"embeddings": out}

    def scores(self, records: Sequences) -> Array:
        """The answer of each pair (m, g)."""
        own = np.arange(len(records))
        left, right = (self.vectors(side, self._sequences(records, side)) for side in (0, 1))
        return gradients.scores(self.shape, gradients.outputs(self.shape, self.weights, left, right, (own, own)))

    def vectors(self, side: int, sequences: Ragged) -> Array:
        """The vector of each sequence (n, e), some at a time."""
        out = np.empty((len(sequences), self.shape.dim), np.float32)
        first = 0
        while first < len(sequences):
            last = int(np.searchsorted(sequences.offsets, sequences.offsets[first] + TOKENS, "right")) - 1
            last = max(first + 1, last)
            own = sequences.cut(slice(first, last))
            out[first:last] = gradients.vectors(self.shape, self.weights, self.tables, side, own)
            first = last
        return out

    def losses(self, some: Pairs) -> Losses:
        """Of each pair."""
        left, right = (self.vectors(side, some.sequences[side]) for side in (0, 1))
        outputs = gradients.outputs(self.shape, self.weights, left, right, some.places)
        return gradients.output_losses(self.shape, outputs, some.labels)[0]

    def _sequences(self, records: Sequences, side: int, longest: int | None = None) -> Ragged:
        encoder = self.shape.encoders[side]
        return pairs.sequences(records, side, encoder.vocab_size, longest or encoder.max_seq_len)

    def sample(self) -> Sequences:
        """A pair that a server warms up with."""
        one = Ragged.of([[0]])
        return Sequences(sequences=dict.fromkeys(SIDES, one), present={name: np.ones(1, np.bool_) for name in SIDES})

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        artifact.save(folder, {**self.weights, **self.tables}, self.facts())

    def facts(self) -> dict[str, Any]:
        """All that is not an array, as JSON has it."""
        words = [None if own is None else list(own.words) for own in self.vocabularies]
        return {"algorithm": NAME, **self.shape.facts(), "vocabularies": words}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `UserError` where the files do not fit each other."""
        arrays, facts = artifact.load(artifact.find(folder), NAME)
        shape = schema.shape(facts)
        weights, tables = schema.arrays(arrays, shape)
        return cls(shape=shape, weights=weights, tables=tables, vocabularies=schema.vocabularies(facts, shape))
