"""Pairs are checked, cut and put into buckets as Sockeye has it."""

import numpy as np
import pytest

from algoport.algorithms.contract.errors import UserError
from algoport.algorithms.contract.origins import Origins
from algoport.algorithms.seq2seq.pairs import Buckets, Limits, batches, none, read
from tests.algorithms.seq2seq.jobs import drawn, records

LIMITS = Limits(source_words=14, target_words=14, source_length=4, target_length=3)


def lists(ragged):
    return [ragged[number].tolist() for number in range(len(ragged))]


def test_pairs_with_an_empty_side_are_left_out_and_long_ones_cut():
    own = read(records([[4], [], [5, 6, 7, 8, 9], [4], [6] * 5], [[5], [5], [4], [], [7] * 4]), LIMITS)

    assert lists(own.source) == [[4], [5, 6, 7, 8], [6] * 4]
    assert lists(own.target) == [[5], [4], [7] * 3]
    assert own.numbers.tolist() == [0, 2, 4] and own.records == 5
    assert own.cut == 2  # a pair of which both sides are too long counts once


@pytest.mark.parametrize("side, other", [("source", "target"), ("target", "source")])
def test_an_id_beyond_the_vocabulary_is_named_with_record_and_position(side, other):
    own = drawn(5)
    own.sequences[side].values[own.sequences[side].offsets[3]] = 14
    placed = type(own)(
        sequences=own.sequences, present=own.present, origins=Origins.of("train/a.rec, record", range(11, 16))
    )

    sentence = (
        f"train/a.rec, record 14: the ids of '{side}' must be below 14, the size of its vocabulary; at position 1"
    )
    with pytest.raises(UserError, match=f"^{sentence} is 14.$"):
        read(placed, LIMITS)


def test_what_a_pair_draws_comes_from_what_it_holds():
    own = read(drawn(30), LIMITS)
    some = own.take(np.array([7, 3, 7]))

    assert some.keys(5).tolist() == own.keys(5)[[7, 3, 7]].tolist()
    assert (own.keys(5) != own.keys(6)).all()
    assert len(none()) == 0


def test_buckets_are_sockeye_s():
    own = Buckets.of(10, 0.697, 200, 200)

    every = list(zip(own.source.tolist(), own.target.tolist(), strict=True))
    assert every[:2] == [(10, 6), (20, 12)]
    other = Buckets.of(10, 1.6, 100, 100)
    assert (other.source[:3].tolist(), other.target[:3].tolist()) == ([6, 12, 18], [10, 20, 30])
    assert every[-1] == (200, 200) and len(set(every)) == len(every)
    assert min(map(min, every)) >= 2


def test_a_pair_is_in_the_first_bucket_that_both_sides_fit_into():
    own = Buckets.of(10, 1.0, 30, 30)

    assert own.numbers(np.array([1, 10, 11, 3, 30, 99]), np.array([2, 10, 3, 21, 30, 1])).tolist() == [0, 0, 1, 2, 2, 2]


def test_every_pair_is_in_one_batch_and_batches_are_of_one_bucket_mostly():
    random = np.random.default_rng(0)
    source = random.integers(1, 31, 500)
    target = np.clip(source + random.integers(-2, 3, 500), 1, 30)
    buckets = Buckets.of(10, 1.0, 30, 30)

    every = list(batches(source, target, 16, buckets, seed=1))

    assert sorted(np.concatenate(every).tolist()) == list(range(500))
    assert sorted(map(len, every))[1:] == [16] * 31
    mixed = sum(len(set(buckets.numbers(source[own], target[own]).tolist())) > 1 for own in every)
    assert mixed <= 3
    again = list(batches(source, target, 16, buckets, seed=1))
    assert all(np.array_equal(one, two) for one, two in zip(every, again, strict=True))
    other = list(batches(source, target, 16, None, seed=2))
    assert sorted(np.concatenate(other).tolist()) == list(range(500))
