"""The sample that streams keep: uniform, bounded, and the same however rows are shared out."""

import numpy as np
import pytest

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.sampling.reservoir import Sample, positions, uniforms
from tests.groups import together


def numbered(n):
    return np.arange(n, dtype=np.float32)[:, None].repeat(2, axis=1)


def streamed(rows, batch, capacity=50, seed=1, half_life=0, group=None):
    sample = Sample(capacity, 2, seed, half_life)
    group = group or Alone()
    for first in range(0, len(rows), batch):
        sample.add(rows[first : first + batch][group.rank :: group.size], group)
    return sample


def test_it_holds_all_rows_while_there_is_room():
    merged = streamed(numbered(50), batch=7).merged(Alone())

    np.testing.assert_array_equal(merged["rows"], numbered(50))


@pytest.mark.parametrize("batch", [1, 7, 50, 51, 400])
def test_it_holds_the_rows_of_highest_priority_whatever_the_batches(batch):
    rows = numbered(400)

    merged = streamed(rows, batch).merged(Alone())

    highest = np.sort(np.argsort(uniforms(1, np.arange(400)))[:50])  # a priority is 1 / u
    np.testing.assert_array_equal(merged["numbers"], highest)
    np.testing.assert_array_equal(merged["rows"], rows[highest])


@pytest.mark.parametrize(("capacity", "batch", "half_life"), [(1, 1, 0), (7, 3, 0), (64, 500, 40), (200, 9, 300)])
def test_it_holds_the_highest_priorities_at_any_time(capacity, batch, half_life):
    """Also after it was asked, and where more waits to be dropped than fits."""
    rows, random = numbered(1000), uniforms(1, np.arange(1000))
    keys = np.arange(1000) * (np.log(2) / half_life if half_life else 0) - np.log(random)
    sample = Sample(capacity, 2, 1, half_life)
    for first in range(0, len(rows), batch):
        sample.add(rows[first : first + batch], Alone())
        seen = min(first + batch, len(rows))
        if seen % 4 == 0 or seen == len(rows):
            highest = np.sort(np.argsort(-keys[:seen])[:capacity])
            merged = sample.merged(Alone())
            np.testing.assert_array_equal(merged["numbers"], highest)
            np.testing.assert_array_equal(merged["rows"], rows[highest])
            np.testing.assert_array_equal(merged["keys"], keys[highest])


def test_it_is_the_same_for_any_number_of_members():
    rows = numbered(401)
    alone = streamed(rows, 40).merged(Alone())

    for size in (2, 3):
        merged = together(size, lambda member: streamed(rows, 40, group=member).merged(member))
        for part in merged:
            np.testing.assert_array_equal(part["rows"], alone["rows"])


def test_every_row_is_as_likely_as_any_other():
    """400 rows, 50 places, 300 seeds: each row is expected 37.5 times, with a deviation of 5.7."""
    counts = np.zeros(400)
    for seed in range(300):
        counts[streamed(numbered(400), 100, seed=seed).merged(Alone())["numbers"]] += 1

    assert counts.sum() == 50 * 300
    assert counts.min() > 37.5 - 5 * 5.7
    assert counts.max() < 37.5 + 5 * 5.7


def test_with_a_half_life_what_is_held_stands_for_the_faded_whole():
    """Half-life 100 of 400 rows: the last hundred carries 8 parts of 15, the first hundred 1 of 15."""
    late, early = [], []
    for seed in range(100):
        sample = streamed(numbered(400), 100, capacity=40, seed=seed, half_life=100)
        rows, weights = sample.estimate(sample.merged(Alone()))
        share = weights / weights.sum()
        late.append(share[rows[:, 0] >= 300].sum())
        early.append(share[rows[:, 0] < 100].sum())

    assert np.mean(late) == pytest.approx(8 / 15, abs=0.02)
    assert np.mean(early) == pytest.approx(1 / 15, abs=0.02)


def test_a_sample_that_holds_all_rows_weighs_them_exactly():
    sample = streamed(numbered(40), 10, half_life=10)

    rows, weights = sample.estimate(sample.merged(Alone()))

    assert len(rows) == 40
    np.testing.assert_allclose(weights, 2.0 ** (-(39 - np.arange(40)) / 10))


def test_restored_in_the_middle_it_ends_the_same():
    rows = numbered(400)
    whole = streamed(rows, 40).merged(Alone())

    half = streamed(rows[:200], 40)
    again = Sample(50, 2, 1)
    again.restore(half.merged(Alone()), half.seen, Alone())
    for first in range(200, 400, 40):
        again.add(rows[first : first + 40], Alone())

    np.testing.assert_array_equal(again.merged(Alone())["rows"], whole["rows"])


@pytest.mark.parametrize("counts", [[3, 2], [0, 4], [5, 0, 2], [1], [0]])
def test_positions_number_a_batch_in_turns(counts):
    everyone = [positions(np.array(counts), rank) for rank in range(len(counts))]

    assert sorted(np.concatenate(everyone)) == list(range(sum(counts)))
    in_turns = [(i, rank) for rank, count in enumerate(counts) for i in range(count)]
    expected = {pair: number for number, pair in enumerate(sorted(in_turns))}
    for rank, mine in enumerate(everyone):
        assert [expected[i, rank] for i in range(len(mine))] == list(mine)
