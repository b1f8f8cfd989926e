"""Batches of a window are the same, whoever has its pairs."""

from itertools import chain

import numpy as np
import pytest

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.seq2seq.pairs import Buckets, Limits, none, read
from algoport.algorithms.seq2seq.state import Ratios
from algoport.algorithms.seq2seq.windows import Window, windows
from tests.algorithms.seq2seq.jobs import drawn, records
from tests.groups import together

LIMITS = Limits(source_words=14, target_words=14, source_length=6, target_length=6)
BUCKETS = Buckets.of(3, 1.0, 6, 6)


def some():
    """Pairs of which each fourth has no source."""
    own = drawn(60, seed=3)
    sides = [[own.tokens(name)[i].tolist() for i in range(60)] for name in ("source", "target")]
    return records([[] if i % 4 == 3 else each for i, each in enumerate(sides[0])], sides[1])


def contents(batches):
    """What each batch holds."""
    return [sorted((own.source[i].tolist(), own.target[i].tolist()) for i in range(len(own))) for own in batches]


@pytest.mark.parametrize("members", [2, 3])
def test_members_share_out_the_batches_of_one(members):
    whole = some()
    alone = Window.gather(read(whole, LIMITS), Alone())
    want = contents(alone.batches(16, BUCKETS, 7, 0))

    def member(group):
        own = Window.gather(read(whole.take(np.arange(group.rank, 60, members)), LIMITS), group)
        return own.figures(), contents(own.batches(16, BUCKETS, 7, group.rank))

    every = together(members, member)

    for figures, _ in every:
        np.testing.assert_allclose(figures, alone.figures())
    assert [sorted(chain(*parts)) for parts in zip(*(own for _, own in every), strict=True)] == want


def test_figures_count_pairs_ratios_and_what_was_skipped_and_cut():
    own = read(records([[4, 5], [], [4] * 9], [[4], [4], [5] * 3]), LIMITS)
    ratios = Ratios()

    ratios.add(Window.gather(own, Alone()).figures())

    assert (ratios.pairs, ratios.skipped, ratios.cut) == (2, 1, 1)
    assert ratios.lengths().mean == pytest.approx(0.5)
    assert ratios.lengths().deviation == pytest.approx(0)
    assert Ratios().lengths().mean == 1.0


def test_members_go_on_until_nobody_has_records():
    def member(group):
        own = iter([drawn(5)] * (group.rank + 1))
        return [len(window.source) for window in windows(own, lambda each: read(each, LIMITS), group)]

    assert together(2, member) == [[10, 5], [10, 5]]


def test_a_window_without_pairs_has_no_batches():
    own = Window.gather(none(), Alone())

    assert list(own.batches(16, BUCKETS, 0, 0)) == []
    assert own.figures().tolist() == [0, 0, 0, 0, 0]
