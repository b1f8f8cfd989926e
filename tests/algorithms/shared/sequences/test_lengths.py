"""Sequences step by step, and in buckets."""

from __future__ import annotations

import numpy as np

from algoport.algorithms.shared.sequences.lengths import Steps, buckets


def test_tokens_stand_by_their_steps_with_the_longest_sequence_first() -> None:
    lengths = [2, 4, 0, 1]
    offsets = np.concatenate([[0], np.cumsum(lengths)])

    steps = Steps.of(offsets)

    assert steps.order.tolist() == [1, 0, 3, 2]
    assert np.diff(steps.begins).tolist() == [3, 2, 1, 1]
    #                        sequence 0  sequence 1    sequence 3
    assert steps.rows.tolist() == [1, 4, 0, 3, 5, 6, 2]
    assert steps.reversed_rows.tolist() == [4, 1, 6, 5, 3, 0, 2]


def test_no_sequences_have_no_steps() -> None:
    assert Steps.of(np.zeros(1, np.int64)).begins.tolist() == [0]


def test_lengths_of_a_bucket_differ_by_the_width_at_most() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 200)

    groups = buckets(lengths, 7)

    assert sorted(np.concatenate(groups).tolist()) == list(range(200))
    assert all(np.ptp(lengths[own]) <= 7 for own in groups)
    assert [int(lengths[own].min()) for own in groups] == sorted(int(lengths[own].min()) for own in groups)
    assert all(len(np.unique(lengths[own])) == 1 for own in buckets(lengths, 0))
