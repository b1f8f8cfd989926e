"""Optimizers on whole arrays are those for torch, which are held to MXNet's definitions."""

import numba
import numpy as np
import pytest
import torch
from torch import nn

from algoport.algorithms.contract.group import Alone
from algoport.algorithms.shared.neural import optimizers, rules
from algoport.algorithms.shared.neural.weights import Weights

P, COUNT = 40_000, 7.0  # several blocks


def test_every_kind_is_the_one_for_torch():
    random = np.random.default_rng(0)
    first = random.normal(size=P).astype(np.float32)
    for kind in rules.KINDS:
        rule = rules.Rule(kind=kind, rate=0.05, decay=0.01, rescale=0.5, clip=0.2)
        layer = nn.Linear(P, 1, bias=False)
        layer.weight.data = torch.from_numpy(first.copy())[None]
        weights = Weights(layer, Alone())
        theirs = optimizers.Optimizer(
            optimizers.Rule(kind=kind, momentum=0.0, weight_decay=0.01, rescale=0.5, clip_value=0.2), weights
        )
        mine, state = first.copy(), rules.states(rule, P)
        for update in range(1, 5):
            gradient = random.normal(size=P).astype(np.float32) * 3
            weights.gradients.copy_(torch.from_numpy(gradient))
            theirs.step(COUNT, 0.05)
            rules.step_(rule, mine, gradient, state, count=COUNT, updates=update)

        np.testing.assert_allclose(mine, weights.values.numpy(), rtol=2e-5, atol=2e-6, err_msg=kind)
        assert len(state) == rules.STATES[kind]


@pytest.mark.parametrize("kind", ["adadelta", "adam"])
def test_the_number_of_threads_changes_no_bit(kind):
    rule, before, got = rules.Rule(kind=kind), numba.get_num_threads(), []
    gradient = np.random.default_rng(1).normal(size=1 << 17).astype(np.float32)
    try:
        for threads in (before, 1):
            numba.set_num_threads(threads)
            weights, state = np.ones_like(gradient), rules.states(rule, len(gradient))
            rules.step_(rule, weights, gradient, state, count=1, updates=1)
            got.append(weights)
    finally:
        numba.set_num_threads(before)

    np.testing.assert_array_equal(*got)


def test_weights_that_do_not_decay_follow_their_gradient_alone():
    rule = rules.Rule(kind="sgd", rate=0.1, decay=0.5)
    weights, gradient = np.ones(3, np.float32), np.zeros(3, np.float32)

    rules.step_(rule, weights, gradient, [], count=1, updates=1, decays=False)
    assert weights.tolist() == [1, 1, 1]

    rules.step_(rule, weights, gradient, [], count=1, updates=2)
    np.testing.assert_allclose(weights, 0.95)


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adadelta", "rmsprop"])
def test_steps_on_the_rows_that_have_a_gradient_are_bit_for_bit_those_on_all(kind):
    random, rule, v, g = np.random.default_rng(0), rules.Rule(kind=kind, rate=0.1, clip=2.0), 50, 21
    weights = random.normal(size=(v, g)).astype(np.float32)
    own, state, last = weights.copy(), rules.states(rule, v * g), np.zeros(v, np.int64)
    table, gradient = [np.zeros((v, g), np.float32) for _ in state], np.zeros((v, g), np.float32)
    for update in range(1, 400):
        if update == 3:  # the last of some rows for long: what they leave becomes as small as numbers are
            state, table = [each * np.float32(1e-30) for each in state], [each * np.float32(1e-30) for each in table]
        rows = np.sort(random.choice(v if update < 3 else v // 2, 9, replace=False))
        gradient[rows] = random.normal(size=(9, g))
        rules.step_(rule, weights.ravel(), gradient.ravel(), state, count=3, updates=update)
        rules.step_rows_(rule, rows, own, gradient, table, last, count=3, updates=update)
        assert not gradient.any()
    assert last.min() < 3

    rules.settle_(rule, table, last, 399)

    np.testing.assert_array_equal(own, weights)
    for one, other in zip(table, state, strict=True):
        np.testing.assert_array_equal(one.ravel(), other)
    assert (last == 399).all()
