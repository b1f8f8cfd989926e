"""What training leaves: the weights of the network, and the words of the vocabulary where they were given.

n documents   v words   k topics
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.contract.records import Rows
from algoport.algorithms.contract.records.lines import Lines
from algoport.algorithms.ntm import documents, gradients, schema
from algoport.algorithms.ntm.documents import Documents
from algoport.algorithms.ntm.gradients import Losses, Network
from algoport.algorithms.ntm.options import Options
from algoport.algorithms.ntm.shapes import TOPICS, Shape
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.text import topic_words
from algoport.algorithms.shared.text.vocabulary import Vocabulary

NAME = "ntm"
ONNX = "model.onnx"

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A network that finds topics in documents."""

    feature_dim: int
    num_topics: int
    layers: tuple[int, ...]
    activation: str
    batch_norm: bool
    weights: Mapping[str, Array]  # as `Shape.plain` has them
    statistics: Mapping[str, Array] = field(default_factory=dict)  # of batch normalization, where there is any
    vocabulary: Vocabulary | None = None
    hurried: bool = False  # whether there is no time for files that others read

    @property
    def width(self) -> int:
        """How many words the vocabulary has."""
        return self.feature_dim

    @property
    def topics(self) -> Array:
        """What each topic adds to the logit of each word (k, v)."""
        return self.weights[TOPICS]

    @property
    def shape(self) -> Shape:
        """Of the network."""
        return Shape(feature_dim=self.feature_dim, num_topics=self.num_topics, layers=self.layers)

    def predict(self, records: Rows | Lines, options: Options | None = None) -> Mapping[str, Any]:
        """The share of each topic in each document (n, k); where it is asked for, its largest topics in words. A
        document without words gets the shares of no evidence."""
        mean, _ = gradients.encode(self._network, self.weights, *self._counts(records))
        shares = gradients.softmax(mean)
        if options is None or not options.top_words:
            return {"topic_weights": shares}
        names = self._named("top_words").words
        words = [[names[w] for w in own] for own in topic_words.strongest(self.topics, options.top_words)]
        return {"topic_weights": shares, "topics": [topic_words.named(own, words) for own in shares]}

    def _counts(self, records: Rows | Lines) -> tuple[Any, Any, Any]:
        """The documents' counts; `UserError` where texts are asked of a model without a vocabulary, where a text has
        no word of it, and where a count is negative."""
        if isinstance(records, Lines):
            counts = self._named("text/plain").counts(records.text, records.place)
            return counts.indptr, counts.words, counts.values
        return documents.csr(records)

    def _named(self, what: str) -> Vocabulary:
        """The vocabulary; `UserError` where there is none."""
        if self.vocabulary is None:
            raise UserError(
                f"{what}: needs a model that knows its words; this one was trained without vocab.txt in the channel "
                f"'auxiliary', and takes {self.width} counts of words a document."
            )
        return self.vocabulary

    def shares(self, some: Documents) -> Array:
        """The share of each topic in each document (n, k)."""
        return gradients.softmax(gradients.encode(self._network, self.weights, *some.entries)[0])

    def losses(self, some: Documents) -> Losses:
        """Of each document."""
        return gradients.losses(self._network, self._flat, some)

    @cached_property
    def _network(self) -> Network:
        return Network(
            shape=self.shape,
            activation=self.activation,
            batch_norm=self.batch_norm,
            group=Alone(),
            statistics=self.statistics,
        )

    @cached_property
    def _flat(self) -> Array:
        return self.shape.flat(self.weights)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`; and `model.onnx` for others, unless there is no time for it."""
        arrays = {**self.weights, **{f"statistics.{name}": own for name, own in self.statistics.items()}}
        artifact.save(folder, arrays, self.facts())
        (folder / ONNX).unlink(missing_ok=True)  # an earlier model's
        if not self.hurried:
            from algoport.algorithms.ntm import onnx_graph

            facts = {name: value for name, value in self.facts().items() if name != "vocabulary"}
            file = onnx_graph.encode(self._network, self.weights, facts)
            if file is not None:
                artifact.put(folder / ONNX, file)

    def facts(self) -> dict[str, Any]:
        """All that is not a weight, as JSON has it."""
        return {
            "algorithm": NAME,
            "feature_dim": self.feature_dim,
            "num_topics": self.num_topics,
            "encoder_layers": list(self.layers),
            "encoder_layers_activation": self.activation,
            "batch_norm": self.batch_norm,
            "vocabulary": None if self.vocabulary is None else list(self.vocabulary.words),
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; `UserError` where the files do not fit each other."""
        arrays, facts = artifact.load(artifact.find(folder), NAME)
        read = schema.facts(facts)
        shape = Shape(feature_dim=read["feature_dim"], num_topics=read["num_topics"], layers=read["layers"])
        weights, statistics = schema.arrays(arrays, shape, batch_norm=read["batch_norm"])
        return cls(**read, weights=weights, statistics=statistics)
