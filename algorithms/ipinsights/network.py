"""The network: a table of entities, and the encoder of addresses.

v rows of the table   d numbers of a vector   h hidden units   l further layers   p weights of the encoder
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.ipinsights.kernels import layers as kernels
from algoport.algorithms.ipinsights.kernels import scores
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.threads import team

UNIT = 16  # hidden units are a multiple of it, and so is what is updated together
ROWS = 1024  # of the tables of octets
_WORTH = 1024  # addresses with which threads begin to spare time

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """What the settings make of the network."""

    entities: int  # v
    vector: int  # d
    layers: int  # hidden ones

    @property
    def hidden(self) -> int:
        """h, the vector's size rounded up."""
        return -(-self.vector // UNIT) * UNIT

    @cached_property
    def parts(self) -> list[tuple[int, ...]]:
        """The shapes of the encoder's weights: of the first layer with its bias, of the further ones with theirs, of
        the last, and its bias. Without hidden layers the first is the last."""
        d, h = self.vector, self.hidden
        return [(33, h), (max(self.layers - 1, 0), h + 1, h), (h if self.layers else 0, d), (d if self.layers else 0,)]

    @cached_property
    def encoder(self) -> int:
        """p, a multiple of `UNIT`; a few at the end are not used."""
        count = sum(int(np.prod(part, dtype=np.int64)) for part in self.parts)
        return -(-count // UNIT) * UNIT

    def split(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """The parts of an array (p,) of all weights, as views."""
        return [flat[first : first + count].reshape(part) for first, count, part in self._places]

    @cached_property
    def _places(self) -> list[tuple[int, int, tuple[int, ...]]]:
        """Where each part begins, how many numbers it has, and its shape."""
        counts = [int(np.prod(part, dtype=np.int64)) for part in self.parts]
        return list(zip(accumulate([0, *counts[:-1]]), counts, self.parts, strict=True))


@dataclass(frozen=True, eq=False)
class Network:
    """The weights; `entities` (v, d) and `encoder` (p,) change while training."""

    shape: Shape
    entities: Singles
    encoder: Singles

    @classmethod
    def drawn(cls, shape: Shape, seed: int) -> Network:
        """Random first layers, so that hidden units differ. Entities begin at 0: the score of one that is not seen is
        0, which says nothing, and no memory is touched for it."""
        random = np.random.default_rng(seed)
        encoder = np.zeros(shape.encoder, np.float32)
        first, inner, outer, _ = shape.split(encoder)
        h, d = shape.hidden, shape.vector
        width = h if shape.layers else d  # what is beyond a vector stays 0
        # The 32 bits are 1 or -1: the sum has the variance 2 for half of which ReLU lets pass (He et al. 2015).
        first[:32, :width] = random.normal(0, np.sqrt(2 / 32), (32, width))
        first[32, :width] = random.uniform(-1, 1, width)
        # Further layers add to what comes in; with this variance their sum is of the size of one.
        inner[:, :h] = random.normal(0, np.sqrt(2 / h) / max(len(inner), 1), inner[:, :h].shape)
        outer[:] = random.normal(0, np.sqrt(1 / h), outer.shape)
        return cls(shape, np.zeros((shape.entities, shape.vector), np.float32), encoder)

    def parts(self) -> list[Singles]:
        """The encoder's weights, as in `Shape.parts`."""
        return self.shape.split(self.encoder)

    def tables(self, out: Singles | None = None) -> Singles:
        """What each octet adds to the hidden units (1024, h), in `out` where it is given."""
        out = np.empty((ROWS, self.shape.hidden), np.float32) if out is None else out
        kernels.build(const(self.parts()[0]), out)
        return out

    def vectors(self, addresses: NDArray[np.uint32], tables: Singles) -> Singles:
        """The vector (n, d) of each address."""
        _, inner, outer, bias = self.parts()
        out = np.empty((len(addresses), self.shape.vector), np.float32)
        own = const(addresses, np.uint32), const(tables), const(inner), const(outer), const(bias)
        scores.encode(team(len(addresses) * (1 << 16) // _WORTH), *own, out)
        return out

    def scores(self, rows: NDArray[np.int64], vectors: Singles) -> Singles:
        """The score (n,) of each pair of an entity's row and an address's vector."""
        out = np.empty(len(rows), np.float32)
        scores.dots(const(rows, np.int64), const(self.entities), const(vectors), out)
        return out
