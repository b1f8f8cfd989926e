"""What networks that are evaluated after each epoch have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from algoport.algorithms.contract.errors import Stopped, UserError
from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.neural import epochs
from algoport.algorithms.shared.neural.optimizers import Optimizer, Rule
from algoport.algorithms.shared.neural.weights import Weights


@dataclass
class Tally(epochs.Tally):
    loss: float = 0.0
    count: float = 0.0


@dataclass
class Progress(epochs.Progress):
    tally: Tally = field(default_factory=Tally)
    shade: str = "gray"


class State(epochs.State):
    def parameters(self):
        return self.network.named_parameters()


def settings(**more):
    given = {"epochs": 5, "early_stopping": True, "early_stopping_min_epochs": 2, "early_stopping_patience": 1}
    return SimpleNamespace(**{**given, "learning_rate": 0.5, **more})


def state(seed=0) -> State:
    network = torch.nn.Linear(2, 1)
    weights = Weights(network, Alone())
    weights.values.copy_(torch.arange(3.0) + seed)
    own = State(network=network, optimizer=Optimizer(Rule(kind="sgd"), weights), progress=Progress())
    weights.gradients.fill_(1.0)
    own.optimizer.step(1.0, 0.25)
    return own


def test_sums_of_an_epoch_are_added_in_the_order_of_the_fields():
    tally = Tally()

    for sums in ([1.0, 2.0], np.array([0.5, 3.0])):
        tally.add(sums)

    assert tally == Tally(loss=1.5, count=5.0) and tally.sums() == [1.5, 5.0]
    with pytest.raises(ValueError):
        tally.add([1.0])


def test_progress_is_what_was_saved_and_an_epoch_ends_with_empty_sums():
    progress = Progress(epoch=2, step=3, tally=Tally(1.0, 4.0), history=[{"epoch": 0}], shade="dark")
    progress.early_stopping.update(0.5, 1)

    again = Progress.of(json.loads(json.dumps(progress.facts())))

    assert again == progress
    again.end_epoch()
    assert (again.epoch, again.step, again.tally) == (3, 0, Tally())


@pytest.mark.parametrize(
    ("epoch", "figures", "more", "over"),
    [
        (5, [0.1, 0.2], {}, True),
        (4, [0.1, 0.2], {}, False),
        (4, [0.2, 0.1], {}, True),
        (1, [0.2, 0.1], {}, False),  # early_stopping_min_epochs
        (4, [0.2, 0.1], {"early_stopping": False}, False),
        (4, [0.2, 0.1], {"early_stopping_patience": 2}, False),
    ],
)
def test_training_is_over_after_all_epochs_or_enough_without_an_improvement(epoch, figures, more, over):
    progress = Progress(epoch=epoch)
    for number, figure in enumerate(figures, 1):
        progress.early_stopping.update(figure, number)

    assert progress.is_over(settings(**more)) is over


def test_a_state_is_what_was_saved_and_its_weights_are_those_of_the_best_epoch():
    saved, other = state(), state(seed=7)
    saved.progress.early_stopping.update(0.75, 4)
    saved.best, saved.table = {"weight": np.full((1, 2), 9.0), "bias": np.zeros(1)}, np.eye(2)
    arrays, facts = saved.save()

    other.restore(arrays, json.loads(json.dumps(facts)))

    for name, array in arrays.items():
        np.testing.assert_array_equal(other.save()[0][name], array)
    assert other.optimizer.updates == 1 and other.progress == saved.progress
    assert other.best_weights()["weight"].max() == 9.0
    assert (other.best_epoch, other.best_figure) == (4, 0.75)


def test_without_an_evaluation_the_weights_are_the_current_ones():
    own = state()
    own.progress.epoch = 3

    np.testing.assert_array_equal(own.best_weights()["weight"], own.network.weight.detach().numpy())
    assert (own.best_epoch, own.best_figure) == (3, None)


def test_a_learner_names_what_kept_it_from_training():
    learner = epochs.Learner()
    learner.state, learner._settings = state(), settings()
    learner.check_trained(stopping=True)
    learner.check_finite(np.ones(2))

    learner.state.optimizer.updates = 0
    with pytest.raises(Stopped):
        learner.check_trained(stopping=True)
    with pytest.raises(UserError, match="Channel 'train' has no pictures"):
        learner.check_trained(stopping=False)
    with pytest.raises(UserError, match=r"learning_rate: must be small enough.*epoch 1; it is 0.5"):
        learner.check_finite(np.array([1.0, np.nan]))
