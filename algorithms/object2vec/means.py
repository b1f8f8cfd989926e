"""Losses and gradients of pairs whose encoders are means of token vectors, by `kernels.perceptron`.

m pairs in panels   e numbers of a vector   t tokens   r rows of a table that they use
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.object2vec.gradients import Pairs
from algoport.algorithms.object2vec.hyperparameters import ABS_DIFF, CONCAT, HADAMARD, POOLED, SOFTMAX
from algoport.algorithms.object2vec.kernels import layers
from algoport.algorithms.object2vec.kernels import perceptron as kernels
from algoport.algorithms.object2vec.shapes import Shape
from algoport.algorithms.object2vec.tables import NOTHING_BEHIND
from algoport.algorithms.shared.arrays import const
from algoport.algorithms.shared.linalg.gemm import HEIGHT, WIDTH
from algoport.algorithms.shared.neural.sparse import RowGradient
from algoport.algorithms.shared.threads import team

Array = NDArray[np.float32]
Whole = NDArray[np.int64]

TOGETHER = 1 << 13  # pairs that are read together, where a step has fewer
UNITS = 4  # times HEIGHT inputs of a task, at most
WORK = 1 << 33  # multiplications of a forward pass of so many, at most
_PARTS = {HADAMARD: (kernels.PRODUCT,), CONCAT: (kernels.LEFT, kernels.RIGHT), ABS_DIFF: (kernels.GAP,)}
_ACTIVATIONS = {"linear": layers.LINEAR, "tanh": layers.TANH, "relu": layers.RELU}


@dataclass(eq=False, slots=True)
class Plan:
    """What a batch uses of a table, and how the gradients of its rows are summed."""

    rows: Whole  # (r,) ascending, each once
    places: Whole  # (t,) whose gradient each token has: a pair of the first encoder, or m more and of the second
    scales: Array  # (t,) what it is multiplied by
    begins: Whole  # (r + 1,) the first token of each row


@dataclass(eq=False, slots=True)  # frozen ones take twice the time to make, of which there is one a step
class Batch:
    """The pairs of one step, in the order of the records."""

    ids: tuple[NDArray[np.int32], NDArray[np.int32]]  # (t,) of all pairs that were read together
    offsets: tuple[Whole, Whole]  # (m + 1,) each  where the tokens of these begin there
    labels: Array  # (m,)
    plans: Mapping[str, Plan]  # by table

    def __len__(self) -> int:
        return len(self.labels)


def together(shape: Shape, size: int) -> int:
    """How many steps' pairs are read at a time, where a step has so many."""
    return max(1, min(TOGETHER, WORK // shape.size) // size)


def batches(pairs: Pairs, edges: Whole, shape: Shape) -> list[Batch]:
    """Batches of pairs that were read together, from one edge to the next."""
    plans = {name: _plans(pairs, edges, shape, name) for name in shape.tables}
    left, right = pairs.sequences
    ids = const(left.values, _INT32), const(right.values, _INT32)
    offsets = const(left.offsets, _INT64), const(right.offsets, _INT64)
    labels = const(pairs.labels)
    return [
        Batch(
            ids,
            (offsets[0][first : last + 1], offsets[1][first : last + 1]),
            labels[first:last],
            {name: each[number] for name, each in plans.items()},
        )
        for number, (first, last) in enumerate(pairwise(edges.tolist()))
    ]


def _plans(pairs: Pairs, edges: Whole, shape: Shape, table: str) -> list[Plan]:
    """Of each batch, from one sort of all tokens by batch, row and place."""
    sides = [side for side in (0, 1) if shape.table_of(side) == table]
    counts = np.diff(edges)
    batch = np.repeat(np.arange(len(counts)), counts)  # of each pair
    within = np.arange(len(batch)) - edges[batch]
    tokens, ids, places, scales = [], [], [], []
    for side in sides:
        own: Ragged = pairs.sequences[side]
        of = np.repeat(np.arange(len(batch)), own.lengths)  # the pair of each token
        tokens.append(batch[of])
        ids.append(own.values)
        places.append((within + side * counts[batch])[of])
        scales.append((1.0 / np.maximum(own.lengths, 1)).astype(np.float32)[of])
    batch, rows = np.concatenate(tokens), np.concatenate(ids).astype(np.int64)
    bits, wide = len(rows).bit_length(), int(shape.tables[table][0]).bit_length()
    keys = np.sort(((batch << wide | rows) << bits) | np.arange(len(rows)))
    order = keys & ((1 << bits) - 1)
    keys >>= bits
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    starts = np.searchsorted(keys, np.arange(len(counts) + 1) << wide)  # the first token of each batch
    firsts = np.searchsorted(begins, starts)  # and its first row
    used = const(keys[begins] & ((1 << wide) - 1), _INT64)
    at, size = const(np.concatenate(places)[order], _INT64), const(np.concatenate(scales)[order])
    begins = np.append(begins, len(rows))
    return [
        Plan(used[a:b], at[begin:end], size[begin:end], const(begins[a : b + 1] - begin, _INT64))
        for (a, b), (begin, end) in zip(pairwise(firsts.tolist()), pairwise(starts.tolist()), strict=True)
    ]


class Passes:
    """The network of a shape, and the memory that its passes take again and again."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        compared = [part for name in shape.comparators for part in _PARTS[name]]
        self._compared = np.array(compared, np.int64)
        self._room: dict[int, tuple[NDArray[np.int64], tuple[Array, ...]]] = {}
        places, at = {}, 0
        for name, size in shape.weights.items():
            places[name] = at
            at += int(np.prod(size))
        self._places = places
        self._names = shape.table_of(0), shape.table_of(1)
        self._none = np.empty((0, shape.dim), np.float32)
        self._activation = _ACTIVATIONS[shape.mlp_activation]
        self._classes = shape.output_layer == SOFTMAX
        self._work_of_pair = sum(inputs * outputs for _, inputs, outputs in shape.perceptron)

    @staticmethod
    def fit(shape: Shape) -> bool:
        """Whether both encoders are means and nothing else."""
        return all(each.network == POOLED and not each.weights for each in shape.encoders)

    def gradient_(
        self,
        flat: Array,  # (p,)
        tables: Mapping[str, Array],
        frozen: frozenset[str],  # tables that stay as they are
        batch: Batch,
        gradient: Array,  # sets (p,)  of the sum over the pairs
        behind: tuple[Any, ...] = NOTHING_BEHIND,  # of rows that are to catch up first
    ) -> tuple[NDArray[np.float64], dict[str, RowGradient]]:
        """The sum of the losses, how many classes are right and how many pairs there are; the gradients of the tables
        by their names. As `gradients.gradient_`, but for the order of some sums."""
        shape, m = self._shape, len(batch)
        layout, room = self._work(m)
        plans, values, own = [_NOTHING, _NOTHING], [self._none, self._none], {}
        for side, (name, plan) in enumerate(batch.plans.items()):
            if name not in frozen:
                plans[side] = plan.places, plan.scales, plan.begins
                values[side] = np.empty((len(plan.rows), shape.dim), np.float32)
                own[name] = RowGradient(plan.rows, values[side])
        figures = np.empty(3)
        first, second = self._names
        kernels.gradient_(
            team(m * self._work_of_pair),
            flat,
            gradient,
            layout,
            self._compared,
            self._activation,
            self._classes,
            (tables[first], tables[second]),
            batch.ids,
            batch.offsets,
            batch.labels,
            room,
            (plans[0], plans[1]),
            (values[0], values[1]),
            behind,
            figures,
        )
        return figures, own

    def _work(self, m: int) -> tuple[NDArray[np.int64], tuple[Array, ...]]:
        """Where everything lies for so many pairs, and the memory."""
        panels = max(1, -(-m // WIDTH))
        if panels not in self._room:
            self._room[panels] = self._lay_out(panels)
        layout, (*room, by_pairs) = self._room[panels]
        return layout, (*room, by_pairs[: 2 * m])

    def _lay_out(self, panels: int) -> tuple[NDArray[np.int64], tuple[Array, ...]]:
        shape, lanes, e = self._shape, panels * WIDTH, self._shape.dim
        layout = np.zeros((len(shape.perceptron), 9), np.int64)
        x = parts = slopes = packed = 0
        for number, (name, inputs, outputs) in enumerate(shape.perceptron):
            own = e if number == 0 else inputs  # what tasks share out
            units = -(-own // HEIGHT)
            tasks = min(units, 2 * -(-units // (2 * UNITS)))  # even: two threads have as many each
            layout[number] = (
                self._places[name], self._places[f"{name}_bias"], inputs, outputs, tasks, x, parts, slopes, packed
            )  # fmt: skip
            x += lanes * inputs
            parts += lanes * outputs * tasks
            slopes += lanes * outputs
            packed += lanes * -(-outputs // WIDTH) * WIDTH
        x += HEIGHT * WIDTH  # a tile at the end goes beyond
        means = np.zeros((2, panels, e, WIDTH), np.float32)
        flat = (np.zeros(size, np.float32) for size in (x, parts, slopes, packed))
        return layout, (means, *flat, np.zeros((2 * lanes, e), np.float32))


_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)
_NOTHING = const(np.empty(0, np.int64), _INT64), const(np.empty(0, np.float32)), const(np.zeros(1, np.int64), _INT64)
