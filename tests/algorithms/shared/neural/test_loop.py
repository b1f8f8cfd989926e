"""The loop of networks, with a learner that only counts."""

from collections.abc import Iterator

import numpy as np
import pytest

from algoport.algorithms.contract import Job, Reporter
from algoport.algorithms.shared.neural.loop import descend
from tests.groups import together


class Counting:
    """Adds up numbers, three batches an epoch."""

    def __init__(self, epochs=4):
        self.epochs, self.epoch, self.step, self.total = epochs, 0, 0, 0.0
        self.closed: list[tuple[int, bool]] = []

    def is_over(self):
        return self.epoch >= self.epochs

    def batches(self) -> Iterator[float]:
        yield from (10.0 * self.epoch + step for step in range(self.step, 3))

    def move(self, batch):
        self.total += batch
        self.step += 1

    def close(self, over):
        self.closed.append((self.epoch, over()))
        self.epoch, self.step = self.epoch + 1, 0

    def kept(self):
        return {"total": np.array(self.total)}, {"epoch": self.epoch, "step": self.step}

    def restore(self, arrays, facts):
        self.total, self.epoch, self.step = float(arrays["total"]), facts["epoch"], facts["step"]
        return self


class Kept:
    """Checkpoints at every chance."""

    def __init__(self):
        self.saved = []

    def due(self, *, ended=False):
        return True

    def save(self, arrays, facts):
        self.saved.append((dict(arrays), dict(facts)))

    def latest(self):
        return None


def job(**more):
    return Job(hyperparameters=None, channels={}, **more)


def test_all_epochs_are_run():
    learner = Counting()

    descend(job(), learner, 0.0)

    assert learner.total == sum(10 * epoch + step for epoch in range(4) for step in range(3))
    assert learner.closed == [(epoch, False) for epoch in range(4)]


def test_going_on_from_any_checkpoint_gives_the_same():
    whole, kept = Counting(), Kept()
    descend(job(checkpoints=kept), whole, 0.0)

    assert len(kept.saved) == 4 * (3 + 1)
    for saved in kept.saved:
        again = Counting().restore(*saved)
        descend(job(), again, 0.0)
        assert again.total == whole.total


@pytest.mark.parametrize("after", [0, 1, 4, 5])
def test_a_stop_ends_it_with_what_was_learned(after):
    learner, kept, notes = Counting(), Kept(), []
    steps = iter(range(1000))

    def asked():
        return next(steps) >= after

    descend(job(stop_requested=asked, checkpoints=kept, reporter=Reporter(note=notes.append)), learner, 0.0)

    assert not learner.is_over()
    assert (learner.step > 0 or after < 1 or learner.closed) and len(learner.closed) <= 2
    last = Counting().restore(*kept.saved[-1])
    assert (last.epoch, last.step, last.total) == (learner.epoch, learner.step, learner.total)


def test_all_members_end_after_the_same_step():
    """One of three is asked to stop in its fifth step."""

    def member(group):
        learner = Counting(epochs=100)
        descend(job(group=group, stop_requested=lambda: group.rank == 1 and learner.total > 30), learner, 0.0)
        return learner.epoch, learner.step

    found = together(3, member)

    assert len(set(found)) == 1 and found[0][0] < 5
