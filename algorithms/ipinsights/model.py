"""What IP Insights leaves: vectors of entities, and an encoder of addresses.

n pairs   v rows of the table of entities   d numbers of a vector
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.table import Table
from algoport.algorithms.ipinsights import entities
from algoport.algorithms.ipinsights.network import Network, Shape
from algoport.algorithms.ipinsights.options import Options
from algoport.algorithms.shared import artifact
from algoport.algorithms.shared.arrays import single
from algoport.algorithms.shared.text import addresses

NAME = "ipinsights"
ARRAYS = ("bits", "layers", "last", "last_bias")  # of the encoder, as in `Shape.parts`
BLOCK = 1 << 14  # addresses whose vectors are in memory together where nobody asks for them


def addresses_of(table: Table) -> NDArray[np.uint32]:
    """The addresses (n,) of rows; `UserError` where one is none, which readers see before."""
    numbers, valid = addresses.parse(table.texts(1))
    if not valid.all():
        row, sentence = addresses.fault(table.texts(1)) or (0, "")
        raise UserError(f"{table.place(row)}: address {sentence}")
    return numbers


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The network, and which entities it has seen."""

    network: Network
    seen: entities.Seen
    width: None = None  # rows have two columns, which are declared

    def sample(self) -> Table:
        """What a server warms up with."""
        return Table(columns=(Ragged.texts(["nobody"]), Ragged.texts(["203.0.113.7"])))

    def predict(self, records: Table, options: Options | None = None) -> Mapping[str, NDArray[Any]]:
        """The dot product of each pair's vectors; with `verbose` also the vectors, and whether the entity was seen."""
        network = self.network
        hashes, numbers = entities.hashed(records.texts(0)), addresses_of(records)
        rows = entities.rows(hashes, network.shape.entities)
        if options is None or not options.verbose:
            parts = [slice(first, first + BLOCK) for first in range(0, len(rows), BLOCK)]
            scores = [network.scores(rows[part], network.vectors(numbers[part], self._tables)) for part in parts]
            return {"dot_product": np.concatenate([np.empty(0, np.float32), *scores])}
        vectors = network.vectors(numbers, self._tables)
        return {
            "dot_product": network.scores(rows, vectors),
            "entity_embedding": network.entities[rows],
            "ip_embedding": vectors,
            "entity_seen": entities.look(hashes, self.seen),
        }

    @cached_property
    def _tables(self) -> NDArray[np.float32]:
        return self.network.tables()

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        shape = self.network.shape
        arrays: dict[str, NDArray[Any]] = {"entities": self.network.entities, "seen": self.seen}
        arrays |= {name: part for name, part in zip(ARRAYS, self.network.parts(), strict=True) if part.size}
        facts = {
            "algorithm": NAME,
            "num_entity_vectors": shape.entities,
            "vector_dim": shape.vector,
            "num_ip_encoder_layers": shape.layers,
        }
        artifact.save(folder, arrays, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        arrays, facts = artifact.load(artifact.find(folder), NAME)
        table = single(arrays, "entities", 2, "a matrix of finite numbers", file=artifact.ARRAYS)
        layers = facts.get("num_ip_encoder_layers")
        if type(layers) is not int or not 0 <= layers <= 100:
            raise UserError(
                f"{artifact.FACTS}: num_ip_encoder_layers must be a whole number from 0 to 100; it is {layers!r}."
            )
        shape = Shape(table.shape[0], table.shape[1], layers)
        artifact.check_sizes(facts, num_entity_vectors=shape.entities, vector_dim=shape.vector)
        parts = {
            name: single(arrays, name, part, f"of shape {part}, of finite numbers", file=artifact.ARRAYS)
            for name, part in zip(ARRAYS, shape.parts, strict=True)
            if 0 not in part
        }
        encoder = np.zeros(shape.encoder, np.float32)
        for name, part in zip(ARRAYS, shape.split(encoder), strict=True):
            if name in parts:
                part[...] = parts[name]
        return cls(network=Network(shape, table, encoder), seen=_seen(arrays.get("seen"), shape.entities))


def _seen(words: NDArray[Any] | None, count: int) -> entities.Seen:
    """`UserError` where the filter is not that of a table of so many rows."""
    size = entities.size(count)
    if words is None or words.dtype != np.uint64 or words.shape != (size,):
        shown = "missing" if words is None else f"{words.dtype} of shape {words.shape}"
        raise UserError(f"{artifact.ARRAYS}: 'seen' must be uint64 of shape ({size},); it is {shown}.")
    return words
