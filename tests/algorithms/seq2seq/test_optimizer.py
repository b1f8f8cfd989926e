"""Steps and rates are those of the formulas, beside torch where both agree."""

import math

import numpy as np
import pytest
import torch

from algoport.algorithms.seq2seq import optimizer
from algoport.algorithms.seq2seq.design import Design
from algoport.algorithms.seq2seq.hyperparameters import Hyperparameters
from algoport.algorithms.seq2seq.state import State
from tests.algorithms.seq2seq.jobs import SMALL

TOKENS = 50.0


def steps(count=4, **given):
    """The first weights, the gradients, and the weights behind them."""
    settings = Hyperparameters.read({**SMALL, **given})
    design = Design.of(settings, 9, 9)
    random = np.random.default_rng(0)
    first = random.normal(size=design.size).astype(np.float32)
    every = random.normal(scale=TOKENS, size=(count, design.size)).astype(np.float32)
    state = State(weights=first.copy(), memory=optimizer.memory(settings, design.size))
    for gradient in every:
        optimizer.step_(settings, design, state, gradient.copy(), TOKENS)
    assert state.updates == count
    return design, first, every / TOKENS, state.weights


def test_adam_is_mxnet_s_whose_epsilon_stands_beside_the_uncorrected_root():
    _, first, gradients, got = steps(optimizer_type="adam", clip_gradient=-1)

    mean, square, want = np.zeros(len(first)), np.zeros(len(first)), first.astype(float)
    for t, gradient in enumerate(gradients.astype(float), 1):
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        want = want - 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * mean / (np.sqrt(square) + 1e-8)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    own = torch.nn.Parameter(torch.from_numpy(first.copy()))
    torchs = torch.optim.Adam([own], lr=0.01)
    for gradient in gradients:
        own.grad = torch.from_numpy(gradient.copy())
        torchs.step()
    np.testing.assert_allclose(got, own.detach().numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("momentum", [None, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_clips_components_and_decays_matrices_behind_it(momentum, decay):
    given = {"optimizer_type": "sgd", "clip_gradient": 0.5, "weight_decay": decay, "learning_rate": 0.1}
    design, want, gradients, got = steps(**given, **({} if momentum is None else {"momentum": momentum}))

    decays = np.arange(design.size) < design.decaying
    assert 0 < design.decaying < design.size
    velocity, want = np.zeros(design.size), want.astype(float)
    for gradient in gradients:
        velocity = (momentum or 0.0) * velocity - 0.1 * (np.clip(gradient, -0.5, 0.5) + decay * decays * want)
        want = want + velocity
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_rmsprop_divides_by_the_root_of_the_mean_square():
    _, want, gradients, got = steps(optimizer_type="rmsprop", clip_gradient=1.0)

    square, want = np.zeros(len(want)), want.astype(float)
    for gradient in np.clip(gradients, -1, 1):
        square = 0.9 * square + 0.1 * gradient**2
        want = want - 0.01 * gradient / np.sqrt(square + 1e-8)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "kind, updates, share",
    [
        ("fixed_rate_inv_t", 0, 1),
        ("fixed_rate_inv_t", 40, 1 / 2),
        ("fixed_rate_inv_t", 120, 1 / 4),
        ("fixed_rate_inv_sqrt_t", 40, 1 / 2),
        ("fixed_rate_inv_sqrt_t", 120, 1 / math.sqrt(10)),
        ("plateau_reduce", 120, 0.25),
    ],
)
def test_rates_fall_as_their_schedule_says(kind, updates, share):
    given = {"lr_scheduler_type": kind, "fixed_rate_lr_half_life": 8, "checkpoint_frequency_num_batches": 5}
    settings = Hyperparameters.read({**SMALL, **given})
    state = State(weights=np.zeros(1, np.float32), memory=[], updates=updates, reduced=0.25)

    assert optimizer.rate(settings, state) == pytest.approx(0.01 * share)
