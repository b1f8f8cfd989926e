"""The loop of networks, with a learner that only counts."""

from collections.abc import Iterator

import numpy as np
import pytest

from algoport.algorithms.contract import Job, Reporter
from algoport.algorithms.shared.neural import loop
from tests.groups import together


class Counting:
    """Adds up numbers, three batches an epoch; ends early after so many evaluations."""

    def __init__(self, epochs=4, evaluations=1000):
        self.epochs, self.most = epochs, evaluations
        self.epoch = self.step = self.updates = -1
        self.total, self.evaluated = 0.0, []

    @property
    def place(self):
        return loop.Place(self.epoch, self.epochs, self.step, self.updates)

    def initialize(self):
        self.epoch = self.step = self.updates = 0

    def restore(self, arrays, facts):
        self.total, self.evaluated = float(arrays["total"]), list(arrays["evaluated"])
        self.epoch, self.step, self.updates = facts["epoch"], facts["step"], facts["updates"]

    def checkpoint(self):
        arrays = {"total": np.array(self.total), "evaluated": np.array(self.evaluated)}
        return arrays, {"epoch": self.epoch, "step": self.step, "updates": self.updates}

    def is_over(self):
        return self.epoch >= self.epochs or len(self.evaluated) >= self.most

    def batches(self) -> Iterator[float]:
        yield from (10.0 * self.epoch + step for step in range(self.step, 3))

    def train(self, batch):
        self.total += batch
        self.step, self.updates = self.step + 1, self.updates + 1

    def evaluate(self, over):
        assert not over()
        self.evaluated.append(self.updates)

    def end_epoch(self):
        self.epoch, self.step = self.epoch + 1, 0


class Checkpoints:
    """One at every chance; resumes from the one that is given."""

    def __init__(self, latest=None):
        self.saved, self._latest = [], latest

    def due(self, *, ended=False):
        return True

    def save(self, arrays, facts):
        self.saved.append((dict(arrays), dict(facts)))

    def latest(self):
        return self._latest


def job(**more):
    return Job(hyperparameters=None, channels={}, **more)


def test_all_epochs_are_run_and_each_is_evaluated():
    learner, progress = Counting(), []

    loop.train(job(reporter=Reporter(progress=lambda *shares: progress.append(shares))), learner, 0.0)

    assert learner.total == sum(10 * epoch + step for epoch in range(4) for step in range(3))
    assert learner.evaluated == [3, 6, 9, 12]
    assert progress == [(epoch, 4, "epochs") for epoch in (1, 2, 3, 4)]


def test_evaluations_come_after_every_so_many_updates_where_that_is_asked_for():
    learner = Counting()

    loop.train(job(), learner, 0.0, every=5)

    assert learner.evaluated == [5, 10] and learner.epoch == 4


def test_an_evaluation_within_an_epoch_can_end_training():
    learner, checkpoints = Counting(evaluations=1), Checkpoints()

    loop.train(job(checkpoints=checkpoints), learner, 0.0, every=5)

    assert (learner.epoch, learner.step, learner.updates) == (1, 2, 5)
    assert checkpoints.saved[-1][1] == {"epoch": 1, "step": 2, "updates": 5}


@pytest.mark.parametrize("every", [None, 2, 5])
def test_resumed_from_any_checkpoint_it_is_the_uninterrupted_job(every):
    whole, checkpoints = Counting(), Checkpoints()
    loop.train(job(checkpoints=checkpoints), whole, 0.0, every=every)

    assert len(checkpoints.saved) == 4 * (3 + 1)
    for saved in checkpoints.saved:
        resumed, notes = Counting(), []
        reporter = Reporter(note=notes.append)
        loop.train(job(checkpoints=Checkpoints(saved), reporter=reporter), resumed, 0.0, every=every)
        assert (resumed.total, resumed.evaluated) == (whole.total, whole.evaluated)
        assert notes == [f"resumed in epoch {saved[1]['epoch'] + 1}, after {saved[1]['updates']} batches"]


@pytest.mark.parametrize("after", [0, 1, 4, 5])
def test_a_stop_ends_it_with_what_was_learned(after):
    learner, checkpoints, notes = Counting(), Checkpoints(), []
    learner.evaluate = lambda over: learner.evaluated.append(learner.updates)
    looks = iter(range(1000))

    def stop_requested():
        return next(looks) >= after

    reporter = Reporter(note=notes.append)
    loop.train(job(stop_requested=stop_requested, checkpoints=checkpoints, reporter=reporter), learner, 0.0)

    assert not learner.is_over() and learner.epoch <= 2
    assert any("a stop was asked for" in note for note in notes) or learner.step == 0
    last = Counting()
    last.restore(*checkpoints.saved[-1])
    assert (last.epoch, last.step, last.total) == (learner.epoch, learner.step, learner.total)


def test_all_members_end_after_the_same_step():
    """One of three is asked to stop in its fifth step."""

    def member(group):
        learner = Counting(epochs=100)
        loop.train(job(group=group, stop_requested=lambda: group.rank == 1 and learner.total > 30), learner, 0.0)
        return learner.epoch, learner.step

    ends = together(3, member)

    assert len(set(ends)) == 1 and ends[0][0] < 5
