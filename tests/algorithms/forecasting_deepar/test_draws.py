"""Draws against the distributions that they are from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from algoport.algorithms.forecasting_deepar.kernels import paths
from algoport.algorithms.forecasting_deepar.kernels.losses import digamma

COUNT = 20_000


def _softplus(x: float) -> float:
    return float(np.log1p(np.exp(x)) + 1e-5)


def _drawn(outputs: list[float], scale: float, likelihood: int) -> np.ndarray:
    keys = np.random.default_rng(0).integers(0, 2**63, COUNT, np.uint64)
    return paths.draws(np.tile(np.array(outputs, np.float32), (COUNT, 1)), np.full(COUNT, scale), keys, likelihood)


@pytest.mark.parametrize(("a", "b", "scale"), [(0.5, 0.1, 3.0), (-2.0, 3.0, 100.0)])
def test_gaussian_draws(a: float, b: float, scale: float) -> None:
    drawn = _drawn([a, b], scale, paths.GAUSSIAN)

    assert stats.kstest(drawn, stats.norm(scale * a, scale * _softplus(b)).cdf).pvalue > 1e-3


@pytest.mark.parametrize("c", [-3.0, 0.0, 20.0])
def test_student_draws(c: float) -> None:
    drawn = _drawn([0.5, 0.1, c], 3.0, paths.STUDENT)

    assert stats.kstest(drawn, stats.t(2 + _softplus(c), 1.5, 3 * _softplus(0.1)).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("a", "b"), [(1.0, 2.0), (-2.0, -1.5), (8.0, 4.0)])
def test_beta_draws(a: float, b: float) -> None:
    drawn = _drawn([a, b], 1.0, paths.BETA)

    assert stats.kstest(drawn, stats.beta(_softplus(a), _softplus(b)).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("a", "b", "scale"), [(0.0, 0.0, 2.0), (1.0, -2.0, 30.0), (1.0, 1.0, 1000.0), (-4.0, 2.0, 1.0)]
)
def test_negative_binomial_draws(a: float, b: float, scale: float) -> None:
    drawn = _drawn([a, b], scale, paths.COUNTS).astype(np.int64)

    mean, shape = scale * _softplus(a), _softplus(b) / np.sqrt(scale)
    known = stats.nbinom(1 / shape, 1 / (1 + shape * mean))
    edges = np.unique(known.ppf(np.linspace(0.05, 0.95, 15)).astype(np.int64))
    seen = [(drawn <= edge).mean() for edge in edges]
    np.testing.assert_allclose(seen, known.cdf(edges), atol=5 / np.sqrt(COUNT))


def test_points_are_not_drawn() -> None:
    assert set(_drawn([0.25], 8.0, paths.POINT).tolist()) == {2.0}


@pytest.mark.parametrize("x", [1e-3, 0.3, 1.0, 5.9, 6.0, 1e5])
def test_digamma(x: float) -> None:
    from scipy.special import digamma as known

    assert abs(digamma(x) - known(x)) < 1e-9 * max(1, abs(known(x)))
