"""What training leaves: the weights of the network, both vocabularies, and how long targets are.

n sentences   k hypotheses of a beam
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.seq2seq import beam, schema
from algoport.algorithms.seq2seq.beam import Network, Search, Translation
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.options import MOST_BEAM, Options
from algoport.algorithms.seq2seq.pairs import check_ids, shortened
from algoport.algorithms.seq2seq.vocabulary import SOURCE, TARGET, UNK, Vocabulary
from algoport.algorithms.shared import artifact, log

NAME = "seq2seq"
ENCODER, STEP = "encoder.onnx", "decoder_step.onnx"
IDS = "application/x-recordio-protobuf"  # answers of this type have ids for texts

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Of targets, each divided by that of its source: mean and standard deviation, over the training pairs."""

    mean: float = 1.0
    deviation: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """An encoder and a decoder that translate."""

    design: Design
    weights: Mapping[str, Array]
    source: Vocabulary
    target: Vocabulary
    lengths: Lengths
    beam_size: int
    hurried: bool = False  # whether there is no time for files that others read
    width: None = None

    def predict(self, records: Sequences | Lines, options: Options | None = None) -> dict[str, Any]:
        """The target of each source sentence: its text, or in RecordIO its ids; with its weights of attention where
        they are asked for. A sentence is cut to max_seq_len_source tokens, which the log then says, and in JSON the
        answer, by how many tokens were left out."""
        options = Options() if options is None else options
        given = self._ids(records)
        ids, longer = shortened(given, self.design.max_seq_len_source)
        if longer.any():
            log.note(
                f"{records.place(int(np.argmax(longer)))}: is answered by its first {self.design.max_seq_len_source} "
                f"tokens (max_seq_len_source), as it has more; so are {int(longer.sum())} records of this request."
            )
        texts = records.text.strings() if isinstance(records, Lines) else None
        looks = options.attention_matrix or options.replace_unknown
        every = self.translate(
            ids, beam_size=options.beam_size, max_length=options.max_length, matrix=looks, exact=options.exact
        )
        if options.accept == IDS:
            answers: dict[str, Any] = {"target": [np.array(own.tokens, np.int32) for own in every]}
        else:
            answers = {"target": [self._text(own, ids, texts, i, options) for i, own in enumerate(every)]}
        if options.attention_matrix:
            answers["matrix"] = [own.matrix for own in every]
        if longer.any() and options.accept != IDS:
            answers["tokens_left_out"] = [count or None for count in (given.lengths - ids.lengths).tolist()]
        return answers

    def translate(
        self,
        ids: Ragged,
        *,
        beam_size: int | None = None,
        max_length: int | None = None,
        matrix: bool = False,
        **more: Any,
    ) -> list[Translation]:
        """The translation of each sentence of ids."""
        own = self.lengths
        limit = beam.limit_of(own.mean, own.deviation, self.design.max_seq_len_target)
        if max_length is not None:
            most = min(max_length, self.design.max_seq_len_target)
            limit = beam.limit_of(float(most), 0.0, most)
        search = Search(beam=beam_size or min(self.beam_size, MOST_BEAM), limit=limit, matrix=matrix, **more)
        return beam.translate(self._network, ids, search)

    @cached_property
    def _network(self) -> Network:
        return Network(self.design, self.weights)

    def _ids(self, records: Sequences | Lines) -> Ragged:
        if isinstance(records, Lines):
            return self.source.encode(records.text.strings())
        ids = records.tokens("source")
        check_ids(ids, "source", len(self.source), records)
        return ids

    def _text(self, own: Translation, ids: Ragged, texts: Sequence[str] | None, number: int, options: Options) -> str:
        tokens = [self.target.tokens[token] for token in own.tokens]
        if options.replace_unknown and own.matrix is not None and UNK in own.tokens:
            words = [self.source.tokens[token] for token in ids[number]] if texts is None else texts[number].split()
            looked = own.matrix.argmax(axis=1)
            tokens = [
                words[place] if token == UNK else text
                for token, text, place in zip(own.tokens, tokens, looked, strict=True)
            ]
        return " ".join(tokens)

    def sample(self) -> Sequences:
        """A sentence to warm up with."""
        return Sequences(sequences={"source": Ragged.of([[UNK] * 4])}, present={"source": np.ones(1, bool)})

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, `model.json` and both vocabularies; and for others the encoder and one step of the
        decoder as ONNX, unless there is no time for it."""
        for name, vocabulary in ((SOURCE, self.source), (TARGET, self.target)):
            folder.mkdir(parents=True, exist_ok=True)
            artifact.put(folder / name, vocabulary.file())
        artifact.save(folder, self.weights, self.facts())
        for name in (ENCODER, STEP):
            (folder / name).unlink(missing_ok=True)  # an earlier model's
        if not self.hurried:
            from algoport.algorithms.seq2seq import onnx_graphs

            for name, file in onnx_graphs.encode(self.design, self.weights).items():
                artifact.put(folder / name, file)

    def facts(self) -> dict[str, Any]:
        """All that is neither a weight nor a word, as JSON has it."""
        return {
            "algorithm": NAME,
            **self.design.facts(),
            "length_ratio_mean": self.lengths.mean,
            "length_ratio_deviation": self.lengths.deviation,
            "beam_size": self.beam_size,
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `UserError` where the files do not fit each other."""
        place = artifact.find(folder)
        arrays, facts = artifact.load(place, NAME)
        design, more = schema.facts(facts)
        source, target = schema.vocabularies(place, design)
        return cls(
            design=design,
            weights=schema.arrays(arrays, design),
            source=source,
            target=target,
            lengths=Lengths(mean=more["length_ratio_mean"], deviation=more["length_ratio_deviation"]),
            beam_size=more["beam_size"],
        )
