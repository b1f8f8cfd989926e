"""Every kernel against the shortest way to say the same thing, finite differences and torch."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from scipy import sparse

from algoport.algorithms.linear_learner import kernels
from algoport.algorithms.linear_learner.kernels import dense, wide
from algoport.algorithms.shared import compiled
from tests.algorithms.linear_learner import plainly

LOSSES = range(9)
# Around the blocks of rows, of many columns and of one, and lines of a tile.
ROWS = some.sampled_from([0, 1, 2, 5, 23, 24, 25, dense.BLOCK, dense.BLOCK + 1, dense.NARROW_BLOCK + 1])
FEATURES = some.sampled_from([*range(1, 10), 15, 16, 17, 33, 60, 130])
CANDIDATES = some.sampled_from([1, 2, 3, 7, 8, 16, 17, 32, 33])
OUTPUTS = some.sampled_from([3, 5, 17, 26])
SEEDS = some.integers(0, 999)


@pytest.fixture(params=["one thread", "all threads"], autouse=True)
def threads(request, monkeypatch):
    """Both programs, whatever the size of the problem."""
    monkeypatch.setattr(kernels, "FEW", np.inf if request.param == "one thread" else 0)


def compressed(given):
    matrix = sparse.csr_matrix(given["rows"])
    return matrix.indptr, matrix.indices, matrix.data


slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]  # what compiles at first use
many = settings(deadline=None, max_examples=150, suppress_health_check=slow)


@many
@given(ROWS, FEATURES, CANDIDATES, OUTPUTS, some.sampled_from(LOSSES), SEEDS)
def test_gradients_are_the_plain_sums_of_dense_rows_and_of_sparse_ones(n, d, m, k, loss, seed):
    sizes = plainly.problem(n, d, m, k, loss, seed)
    outputs, sparsely = plainly.room(sizes), plainly.room(sizes)

    kernels.gradients(*sizes.given.values(), *outputs)
    kernels.sparse_gradients(*compressed(sizes.given), *list(sizes.given.values())[1:], *sparsely)

    for want, mine, other in zip(plainly.gradients(**sizes.given), outputs, sparsely, strict=True):
        plainly.near(mine, want + 1)
        plainly.near(other, want + 1)


@pytest.mark.parametrize("n", [0, 1, wide.BLOCK, wide.BLOCK + 1, wide.CHUNK + 1, wide.ROWS, wide.ROWS + 1])
@pytest.mark.parametrize(
    ("d", "m", "k"), [(1, 3, 9), (wide.GROUP + 1, 33, 1), (wide.FEATURES + 1, 2, 1), (50, 20, 17), (7, 1, 100)]
)
def test_gradients_of_wide_problems_are_the_same_sums(n, d, m, k, monkeypatch):
    monkeypatch.setattr(wide, "WIDE", 0)
    sizes = plainly.problem(n, d, m, k, kernels.SOFTMAX if k > 1 else kernels.HINGE, n)
    outputs = plainly.room(sizes)

    kernels.gradients(*sizes.given.values(), *outputs)

    for want, mine in zip(plainly.gradients(**sizes.given), outputs, strict=True):
        plainly.near(mine, want + 1)


@many
@given(ROWS, FEATURES, CANDIDATES, OUTPUTS, some.sampled_from(LOSSES), SEEDS)
def test_judging_gives_the_scores_to_the_last_bit_and_the_losses_of_the_gradients(n, d, m, k, loss, seed):
    sizes = plainly.problem(n, d, m, k, loss, seed)
    scores, plain, losses = np.empty((n, sizes.c), np.float32), np.empty((n, sizes.c), np.float32), np.ones(m)

    kernels.judge(*sizes.given.values(), scores, losses)

    kernels.scores(*(sizes.given[name] for name in ("rows", "shift", "scale", "weights", "bias")), plain)
    np.testing.assert_array_equal(scores, plain)
    plainly.near(losses, plainly.gradients(**sizes.given)[2] + 1)


@many
@given(ROWS, FEATURES, some.integers(1, 40), SEEDS)
def test_scores_are_the_plain_product_of_dense_rows_and_of_sparse_ones(n, d, c, seed):
    inputs = plainly.problem(n, d, c, 1, kernels.SQUARED, seed).given
    names = ("shift", "scale", "weights", "bias")
    outputs, sparsely = np.empty((n, c), np.float32), np.empty((n, c), np.float32)

    kernels.scores(inputs["rows"], *(inputs[name] for name in names), outputs)
    kernels.sparse_scores(*compressed(inputs), *(inputs[name] for name in names), sparsely)

    want = plainly.scores(inputs["rows"], *(inputs[name] for name in names))
    np.testing.assert_array_equal(outputs, want)  # few digits: float32 is exact
    np.testing.assert_array_equal(sparsely, want)
    plain = kernels.predict(inputs["rows"], inputs["weights"], inputs["bias"])
    np.testing.assert_array_equal(plain, inputs["rows"] @ inputs["weights"] + inputs["bias"])


@many
@given(ROWS, CANDIDATES, OUTPUTS, some.sampled_from(LOSSES), SEEDS)
def test_losses_of_scores_are_the_plain_sums(n, m, k, loss, seed):
    sizes = plainly.problem(n, 4, m, k, loss, seed)
    inputs = sizes.given
    scores = plainly.scores(*(inputs[name] for name in ("rows", "shift", "scale", "weights", "bias")))
    outputs = np.ones(sizes.m)

    names = ("targets", "row_weights", "positive", "loss", "parameter")
    kernels.loss_sums(scores.astype(np.float32), *(inputs[name] for name in names), outputs)

    plainly.near(outputs, plainly.gradients(**inputs)[2] + 1)


@pytest.mark.parametrize("c", [1, 2, 10, 33, 70])
def test_a_row_has_the_same_scores_alone_and_in_company(c):
    random = np.random.default_rng(0)
    rows, weights = random.normal(size=(300, 41)).astype(np.float32), random.normal(size=(41, c)).astype(np.float32)
    bias = random.normal(size=c).astype(np.float32)

    together = kernels.predict(rows, weights, bias)

    for i in (0, 7, 95, 96, 299):
        np.testing.assert_array_equal(kernels.predict(rows[i : i + 1], weights, bias)[0], together[i])
        np.testing.assert_array_equal(kernels.predict(rows[i : i + 5], weights, bias)[0], together[i])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("m", [1, 3])
def test_the_gradient_is_what_differences_say(loss, m):
    """Of the plain losses in float64; where a corner is crossed they say something in between."""
    sizes = plainly.problem(40, 3, m, 4, loss, 5)
    inputs = sizes.given
    random = np.random.default_rng(1)
    inputs["weights"] = random.normal(size=inputs["weights"].shape)
    step, outputs = 1e-6, plainly.room(sizes)
    kernels.gradients(*inputs.values(), *outputs)

    for f in range(sizes.d):
        for j in range(sizes.c):
            there = [inputs["weights"].copy() for _ in range(2)]
            there[0][f, j] += step
            there[1][f, j] -= step
            up, down = (plainly.gradients(**(inputs | {"weights": weights}))[2].sum() for weights in there)
            assert abs(outputs[0][f, j] - 1 - (up - down) / (2 * step)) < 1e-4 * (1 + np.abs(outputs[0]).max())


@pytest.mark.parametrize("loss", ["logistic", "softmax", "huber", "squared", "absolute"])
def test_gradients_are_those_of_torch(loss):
    number = getattr(kernels, loss.upper())
    sizes = plainly.problem(150, 12, 5, 4, number, 2)
    inputs = sizes.given
    weights, bias = (
        torch.tensor(inputs[name], dtype=torch.float64, requires_grad=True) for name in ("weights", "bias")
    )
    moved = torch.tensor((inputs["rows"].astype(np.float64) - inputs["shift"]) * inputs["scale"])
    scores = (moved @ weights + bias).reshape(sizes.n, sizes.m, sizes.k)
    target = torch.tensor(inputs["targets"].astype(np.float64))[:, None].expand(sizes.n, sizes.m)
    functional = torch.nn.functional
    each = {
        "logistic": lambda s, y: functional.binary_cross_entropy_with_logits(s[..., 0], y, reduction="none"),
        "softmax": lambda s, y: functional.cross_entropy(s.movedim(2, 1), y.long(), reduction="none"),
        "huber": lambda s, y: functional.huber_loss(s[..., 0], y, reduction="none", delta=inputs["parameter"]),
        "squared": lambda s, y: functional.mse_loss(s[..., 0], y, reduction="none"),
        "absolute": lambda s, y: functional.l1_loss(s[..., 0], y, reduction="none"),
    }[loss](scores, target)
    heavy = torch.tensor(inputs["row_weights"].astype(np.float64))[:, None]
    if loss == "logistic":
        heavy = torch.where(target > 0, heavy * torch.tensor(inputs["positive"]), heavy)
    (each * heavy).sum().backward()

    outputs = plainly.room(sizes)
    kernels.gradients(*inputs.values(), *outputs)

    plainly.near(outputs[0], weights.grad.numpy() + 1)
    plainly.near(outputs[1], bias.grad.numpy() + 1)
    plainly.near(outputs[2], (each * heavy).sum(dim=0).detach().numpy() + 1)


@pytest.mark.parametrize("far", [30.0, 80.0, 200.0, 1e6])
@pytest.mark.parametrize("loss", [kernels.LOGISTIC, kernels.SOFTMAX])
@pytest.mark.parametrize("m", [1, 20])
def test_far_scores_neither_overflow_nor_lose_their_loss(loss, far, m):
    k = 3 if loss == kernels.SOFTMAX else 1
    sizes = plainly.problem(4, 1, m, k, loss, 0)
    inputs = sizes.given | {"shift": np.zeros(1, np.float32), "scale": np.ones(1, np.float32)}
    inputs["rows"] = np.array([[far], [-far], [far], [-far]], np.float32)
    inputs["targets"], inputs["row_weights"] = np.array([1, 1, 0, 0], np.float32), np.ones(4, np.float32)
    inputs["weights"] = np.tile(np.array([-1, 1, 0], np.float32)[:k], m)[None]
    outputs = plainly.room(sizes)

    kernels.gradients(*inputs.values(), *outputs)

    for mine, want in zip(outputs, plainly.gradients(**inputs), strict=True):
        np.testing.assert_allclose(mine, want + 1, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("m", [1, 20])
def test_what_is_missing_or_infinite_shows_in_the_losses(loss, bad, m):
    sizes = plainly.problem(50, 3, m, 4, loss, 0)
    sizes.given["rows"][7, 1] = bad
    sizes.given["row_weights"][7] = 1
    sizes.given["weights"][1] = -2 if sizes.given["targets"][7] > 0.5 or loss not in (0, 1) else 2  # the wrong side
    outputs = plainly.room(sizes)

    kernels.gradients(*sizes.given.values(), *outputs)

    assert not np.isfinite(outputs[2]).any()


def test_a_mean_that_dwarfs_the_spread_costs_no_digits():
    random = np.random.default_rng(0)
    sizes = plainly.problem(200, 20, 8, 1, kernels.LOGISTIC, 0)
    inputs = sizes.given
    inputs["shift"], inputs["scale"] = np.full(20, 1e6, np.float32), np.full(20, 0.5, np.float32)
    inputs["rows"] = (1e6 + random.integers(-4, 5, (200, 20))).astype(np.float32)
    outputs = plainly.room(sizes)

    kernels.gradients(*inputs.values(), *outputs)

    for mine, want in zip(outputs, plainly.gradients(**inputs), strict=True):
        plainly.near(mine, want + 1)


def test_class_weights_and_rows_without_weight():
    """A row of weight zero is as if it were not there."""
    sizes = plainly.problem(100, 6, 4, 3, kernels.SOFTMAX, 1)
    mask = sizes.given["row_weights"] > 0
    few = {name: value[mask] if name in ("rows", "targets", "row_weights") else value for name, value in
           sizes.given.items()}  # fmt: skip
    every, some_ = plainly.room(sizes), plainly.room(sizes)

    kernels.gradients(*sizes.given.values(), *every)
    kernels.gradients(*few.values(), *some_)

    for mine, other in zip(every, some_, strict=True):
        plainly.near(mine, other)


@pytest.mark.parametrize(
    "shape", [(5000, 7, 32, 1), (1100, 120, 32, 40), (1500, 40, 1, 1), (700, 300, 6, 9), (2000, 1, 1, 12)]
)
def test_the_number_of_threads_changes_no_bit(shape):
    n, d, m, k = shape
    sizes = plainly.problem(n, d, m, k, kernels.SOFTMAX if k > 1 else kernels.LOGISTIC, 3)
    random = np.random.default_rng(0)
    sizes.given["weights"] = random.normal(size=(d, sizes.c)).astype(np.float32)
    answers = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        outputs, sparsely = plainly.room(sizes), plainly.room(sizes)
        kernels.gradients(*sizes.given.values(), *outputs)
        kernels.sparse_gradients(*compressed(sizes.given), *list(sizes.given.values())[1:], *sparsely)
        answers.append([array.tobytes() for array in (*outputs, *sparsely)])

    assert answers[0] == answers[1]


def test_one_thread_and_all_of_them_run_programs_that_agree_in_every_bit(monkeypatch):
    for n, d, m, k in ((1000, 10, 32, 1), (1000, 10, 1, 1), (333, 20, 3, 7), (333, 20, 20, 7)):
        sizes = plainly.problem(n, d, m, k, kernels.SOFTMAX if k > 1 else kernels.LOGISTIC, 3)
        sizes.given["weights"] = np.random.default_rng(0).normal(size=(d, sizes.c)).astype(np.float32)
        answers = []
        for few in (0, np.inf):
            monkeypatch.setattr(kernels, "FEW", few)
            outputs = plainly.room(sizes)
            kernels.gradients(*sizes.given.values(), *outputs)
            answers.append([array.tobytes() for array in outputs])
        assert answers[0] == answers[1]


def moments(d, c):
    shapes = ((d, c), (d, c), c, c)
    return [np.zeros(shape, np.float32) for shape in shapes]


@pytest.mark.parametrize("name", ["sgd", "plain sgd", "adam", "rmsprop"])
@pytest.mark.parametrize(("d", "m", "k"), [(1, 1, 1), (5, 3, 1), (33, 1, 1), (10, 32, 1), (7, 4, 5), (300, 40, 1)])
def test_steps_are_those_of_torch(name, d, m, k):
    """Every candidate at its own rate and decay; torch adds wd w and not 2 wd w to the gradient."""
    random = np.random.default_rng(0)
    rates, decays, c = random.uniform(0.01, 0.1, m), random.uniform(0, 0.1, m), m * k
    weights, bias = (random.normal(size=shape).astype(np.float32) for shape in ((d, c), c))
    momentum = 0.9 if name == "sgd" else 0.0
    theirs = []
    for j in range(c):
        column, one = (torch.tensor(a[..., j].astype(np.float64), requires_grad=True) for a in (weights, bias))
        groups = [{"params": [column]}, {"params": [one], "lr": 2 * rates[j // k], "weight_decay": decays[j // k]}]
        options = {"lr": rates[j // k], "weight_decay": 2 * decays[j // k]}
        rule = {
            "adam": lambda groups, options: torch.optim.Adam(groups, betas=(0.9, 0.99), **options),
            "rmsprop": lambda groups, options: torch.optim.RMSprop(groups, alpha=0.99, **options),
        }.get(name, lambda groups, options: torch.optim.SGD(groups, momentum=momentum, **options))
        theirs.append((column, one, rule(groups, options)))
    number = {"adam": kernels.ADAM, "rmsprop": kernels.RMSPROP}.get(name, kernels.SGD)
    state = moments(d, c)
    mean, mean_bias = weights.copy(), bias.copy()
    want = [weights.astype(np.float64), bias.astype(np.float64)]

    for step in range(1, 5):
        gradient, bias_gradient = (random.normal(size=shape).astype(np.float32) for shape in ((d, c), c))
        for j, (column, one, rule) in enumerate(theirs):
            column.grad = torch.tensor(gradient[:, j] / 50.0, dtype=torch.float64)
            one.grad = torch.tensor(bias_gradient[j] / 50.0, dtype=torch.float64)
            rule.step()
        beta = momentum if number == kernels.SGD else 0.9
        kernels.update(
            weights, bias, *state, gradient, bias_gradient, 50.0, step, number, rates, decays, np.zeros(m), beta, 0.99,
            2.0, 0.5, True, mean, mean_bias, 1 / step,
        )  # fmt: skip
        want = [array + (now - array) / step for array, now in zip(want, (weights, bias), strict=True)]

    for j, (column, one, _) in enumerate(theirs):
        # Where gradient and decay cancel, float32 leaves few digits of a slope that rmsprop makes a whole step.
        np.testing.assert_allclose(weights[:, j], column.detach().numpy(), rtol=2e-5, atol=1e-4)
        np.testing.assert_allclose(bias[j], one.detach().numpy(), rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(mean, want[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mean_bias, want[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", [kernels.SGD, kernels.ADAM, kernels.RMSPROP])
def test_l1_leads_to_the_lasso_with_exact_zeros(optimizer):
    """Of a diagonal problem, whose lasso is known: sum (w - t)^2 + l1 |w| is least at t with its size less l1 / 2."""
    target = np.linspace(-1, 1, 21).astype(np.float32)[:, None]
    weights, bias = np.full((21, 1), 0.3, np.float32), np.zeros(1, np.float32)
    state, rates = moments(21, 1), {kernels.SGD: 0.02, kernels.ADAM: 0.01, kernels.RMSPROP: 0.001}[optimizer]

    for step in range(1, 3000):
        kernels.update(weights, bias, *state, 2 * (weights - target), bias * 0, 1.0, step, optimizer, [rates], [0.0],
                       [0.5], 0.9, 0.99, 1.0, 0.0, True)  # fmt: skip

    want = np.sign(target) * np.maximum(np.abs(target) - 0.25, 0)
    np.testing.assert_allclose(weights, want, atol=0.01)
    assert (weights[np.abs(target) < 0.24] == 0).all()


def test_without_a_bias_it_stays():
    weights, bias = np.ones((3, 2), np.float32), np.ones(2, np.float32)

    kernels.update(weights, bias, *moments(3, 2), weights.copy(), bias.copy(), 1.0, 1, kernels.ADAM, [0.1, 0.1],
                   [0, 0], [0, 0], 0.9, 0.999, 1.0, 0.0, False)  # fmt: skip

    assert (bias == 1).all()
    assert (weights < 1).all()


def test_nothing_is_compiled_again_for_a_mapped_file_or_other_numbers(tmp_path):
    sizes = plainly.problem(30, 4, 2, 1, kernels.LOGISTIC, 0)
    inputs = sizes.given
    kernels.gradients(*inputs.values(), *plainly.room(sizes))
    np.save(tmp_path / "rows.npy", inputs["rows"])
    before = compiled.compilations()

    for rows in (np.load(tmp_path / "rows.npy", mmap_mode="r"), inputs["rows"].astype(np.float64),
                 np.asfortranarray(inputs["rows"])):  # fmt: skip
        outputs = plainly.room(sizes)
        kernels.gradients(*(inputs | {"rows": rows}).values(), *outputs)
        plainly.near(outputs[0], plainly.gradients(**inputs)[0] + 1)

    assert compiled.compilations() == before


@pytest.mark.skipif(compiled.PROCESSOR in os.environ, reason="runs within another processor's run")
@pytest.mark.parametrize("level", [*compiled.levels_here()[1:], "generic"])
def test_kernels_of_other_processors_pass_the_same_tests(level, threads, request):
    """The tiles differ, so that each set of kernels is another program."""
    if "one thread" in request.node.name:
        return  # the run within does both
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(Path(__file__))],
        env=os.environ | {compiled.PROCESSOR: level},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
