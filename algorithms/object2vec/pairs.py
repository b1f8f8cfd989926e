"""Records as pairs of token sequences: checked, cut, and joined by pairs that are made up.

n records of a batch at this member   r pairs that are made up for each
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.group import Group
from algoport.algorithms.contract.ragged import Ragged
from algoport.algorithms.contract.records.sequences import Sequences
from algoport.algorithms.object2vec.gradients import Pairs
from algoport.algorithms.object2vec.hyperparameters import SOFTMAX
from algoport.algorithms.object2vec.shapes import Shape
from algoport.algorithms.shared.randomness import draws

SIDES = ("in0", "in1")


@dataclass
class Cut:
    """How many sequences were longer than the longest that an encoder takes, and were cut."""

    counts: list[int] = field(default_factory=lambda: [0, 0])


def sequences(records: Sequences, side: int, vocab_size: int, longest: int, cut: Cut | None = None) -> Ragged:
    """The token ids of one side of each record, at most so many. `UserError` names the record that has none, or one
    beyond the vocabulary."""
    name = SIDES[side]
    own, lengths = records.tokens(name), records.tokens(name).lengths
    if len(own) and not lengths.all():
        number = int(np.argmin(lengths))
        what = "an empty one" if records.has(name)[number] else "none"
        raise UserError(
            f'{records.place(number)}: "{name}" must be a list of at least one token id; the record has {what}.'
        )
    wrong = own.values >= vocab_size
    if wrong.any():
        place = int(np.argmax(wrong))
        number = int(np.searchsorted(own.offsets, place, "right")) - 1
        raise UserError(
            f'Inconsistent vocab for {name} found. Vocab id "{own.values[place]}" is not less than vocab_size='
            f'{vocab_size}. {records.place(number)}: token {place - int(own.offsets[number]) + 1} of "{name}" must be '
            f"from 0 to {vocab_size - 1}. Raise enc{side}_vocab_size, or number the tokens anew."
        )
    too_long = lengths > longest
    if not too_long.any():
        return own
    if cut is not None:
        cut.counts[side] += int(too_long.sum())
    return Ragged.spans(own.values, own.offsets[:-1], np.minimum(lengths, longest))


def labels(records: Sequences, shape: Shape) -> NDArray[np.float32]:
    """The label of each record. `UserError` names one that the output layer cannot have."""
    if records.label is None or records.label.shape[1] != 1:
        if not len(records):
            return np.empty(0, np.float32)
        has = "none" if records.label is None else str(records.label.shape[1])
        raise UserError(f'{records.place(0)}: must have one "label"; it has {has}.')
    own = np.ascontiguousarray(records.label[:, 0], np.float32)
    if shape.output_layer == SOFTMAX:
        fine = (own >= 0) & (own < shape.outputs) & (own == np.floor(own))
        allowed = f"a whole number from 0 to num_classes - 1, {shape.outputs - 1}"
        remedy = "Classes count from 0; for scores set output_layer to mean_squared_error."
    else:
        fine, allowed, remedy = np.isfinite(own), "a finite number", "Leave such records out."
    if not fine.all():
        number = int(np.argmin(fine))
        raise UserError(f'{records.place(number)}: "label" must be {allowed}; it is {own[number]:g}. {remedy}')
    return own


def read(records: Sequences, shape: Shape, cut: Cut | None = None) -> Pairs:
    """The pairs as they are given."""
    both = [
        sequences(records, side, shape.encoders[side].vocab_size, shape.encoders[side].max_seq_len, cut)
        for side in (0, 1)
    ]
    own = np.arange(len(records))
    return Pairs((both[0], both[1]), (own, own), labels(records, shape))


def keyed(pairs: Pairs, lengths: NDArray[np.int64], group: Group, key: np.uint64, negatives: int) -> Pairs:
    """The pairs of a step, of which members have `lengths`, with what belongs to each by its place in the whole batch:
    the key of its draws, and so many negatives: its in0 with another record's in1 and the label 0. Up to two exchanges.
    """
    numbers = places(lengths, group.rank)
    if not negatives:
        return Pairs(pairs.sequences, pairs.places, pairs.labels, draws(key, numbers.astype(np.uint64)))
    every = _everyone(pairs.sequences[1], group, lengths)
    count, n = int(lengths.sum()), len(pairs)
    if count < 2:
        return Pairs(pairs.sequences, pairs.places, pairs.labels, draws(key, numbers.astype(np.uint64)))
    chosen = draws(~key, (numbers[:, None] * negatives + np.arange(negatives)[None]).astype(np.uint64))
    others = (chosen % np.uint64(count - 1)).astype(np.int64)
    others += others >= numbers[:, None]
    right = np.concatenate([numbers[:, None], others], axis=1).ravel()
    used, second = np.unique(right, return_inverse=True)
    whole = np.zeros((n, 1 + negatives), np.float32)
    whole[:, 0] = pairs.labels
    keys = draws(key, (numbers[:, None] * (1 + negatives) + np.arange(1 + negatives)[None]).astype(np.uint64).ravel())
    return Pairs(
        (pairs.sequences[0], every.take(used)),
        (np.repeat(np.arange(n), 1 + negatives), second.astype(np.int64)),
        whole.ravel(),
        keys,
    )


def _everyone(own: Ragged, group: Group, counts: NDArray[np.int64]) -> Ragged:
    """The sequences of all members, in the order of the batch."""
    values = np.concatenate(group.gather(np.ascontiguousarray(own.values, np.int32)))
    lengths = np.concatenate(group.gather(own.lengths))
    whole = Ragged(values, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))
    order = np.argsort(np.concatenate([places(counts, rank) for rank in range(len(counts))]), kind="stable")
    return whole.take(order)


def places(lengths: NDArray[np.int64], rank: int) -> NDArray[np.int64]:
    """The number in the whole batch of each record of a member, where members have so many: they come in turns, and who
    has more than others closes the list, as `contract.group.interleaved` has it."""
    own = np.arange(lengths[rank])
    if len(lengths) == 1:
        return own
    before = (np.arange(len(lengths)) < rank).astype(np.int64)
    return np.asarray(np.minimum(lengths[:, None], own[None] + before[:, None]).sum(axis=0))
