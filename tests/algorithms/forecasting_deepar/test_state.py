"""What a checkpoint holds is what was saved, also by the release before."""

from __future__ import annotations

import json

import numpy as np

from algoport.algorithms.forecasting_deepar.state import State
from algoport.algorithms.shared.neural.early_stopping import EarlyStopping


def trained() -> State:
    state = State.of(np.arange(5, dtype=np.float32))
    state.mean += 1
    state.epoch, state.step, state.steps, state.loss, state.points = 2, 3, 23, 1.5, 7.0
    state.early_stopping.update(-0.5, 1)
    state.curve = [0.7, 0.5]
    return state


def same(one: State, other: State) -> bool:
    arrays, facts = one.save()
    theirs, others = other.save()
    return facts == others and all(np.array_equal(arrays[name], theirs[name]) for name in arrays)


def test_a_saved_state_is_restored() -> None:
    arrays, facts = trained().save()

    assert same(State.restore(arrays, json.loads(json.dumps(facts))), trained())


def test_the_average_is_that_of_the_last_tenth_of_the_steps_and_of_a_hundred_at_most() -> None:
    state = State.of(np.zeros(1, np.float32))
    for state.steps in range(3000):
        state.weights[:] = state.steps
        state.average_()
        if state.steps == 99:
            assert 85 < state.average[0] < 95

    assert abs(state.average[0] - (2999 - 99)) < 1


def test_a_checkpoint_of_the_release_before_is_restored() -> None:
    """It called early stopping patience, and its fields by other names."""
    arrays, facts = trained().save()
    earlier = {name: value for name, value in facts.items() if name != "early_stopping"}
    earlier["patience"] = {"best": -0.5, "epoch": 1, "since": 0, "held": -0.5}

    state = State.restore({name: array for name, array in arrays.items() if name != "average"}, earlier)

    assert same(state, trained())
    assert state.early_stopping == EarlyStopping(best=-0.5, best_epoch=1, wait=0, reference=-0.5)
