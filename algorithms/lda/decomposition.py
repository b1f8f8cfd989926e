"""A symmetric tensor as a sum of third powers of vectors, by alternating least squares.    r directions   c components

Kolda and Bader, Tensor Decompositions and Applications, SIAM Review 2009, section 3.4. As the tensor is symmetric, its
three factors are kept equal, and a step costs a third; it can then make a fit worse for a while, so the best counts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.lda.kernels import pair_products
from algoport.algorithms.shared import machine

Matrix = NDArray[np.float64]
# Steps that every start takes before the worse half of them is given up, until one is left.
HEAT = 8
PATIENCE, GAIN = 10, 1e-4  # so many steps that gain no more than that end a decomposition, whatever its tolerance
# Directions of the tensor times runs whose steps are made in one go: calls take longer than the work of a small one.
TOGETHER = 128
LITTLE = 1e-10  # added to the diagonal of equations, which several equal components would make singular


@dataclass(frozen=True, eq=False)
class Components:
    """weights[i] times the third power of the i-th column, summed over i, is nearly the tensor."""

    weights: Matrix  # (c,)
    columns: Matrix  # (r, c) of length 1
    fit: float  # 1 less the distance to the tensor, as a share of its norm


@dataclass
class _Run:
    """One decomposition, as far as it has come."""

    columns: Matrix
    best: Components
    fit: float = -np.inf
    steps: int = 0
    mark: float = -np.inf  # the last fit that was a gain
    idle: int = 0  # steps since then
    ended: bool = False


class _Tensor:
    """The tensor as steps read it: its first two axes as pairs, of which half would be the same again."""

    def __init__(self, tensor: Matrix) -> None:
        first, second = np.triu_indices(len(tensor))
        twice = np.where(first == second, 1.0, 2.0)
        self.pairs = np.ascontiguousarray((tensor[first, second] * twice[:, None]).T)  # (r, pairs)
        self.square = float((tensor**2).sum())

    def applied(self, columns: Matrix) -> Matrix:
        """(m, r, c) the tensor along each column twice, of columns (m, r, c)."""
        m, r, c = columns.shape
        products = np.empty((self.pairs.shape[1], m * c))
        pair_products(np.ascontiguousarray(columns.transpose(1, 0, 2)).reshape(r, m * c), products)
        return np.asarray((self.pairs @ products).reshape(r, m, c).transpose(1, 0, 2))


def decompose(
    tensor: Matrix,
    components: int,
    *,
    restarts: int,
    iterations: int,
    tolerance: float,
    seed: int,
    over: Callable[[], bool] = lambda: False,
) -> Components:
    """The best of several decompositions from random starts. All take some steps; then the worse half is given up,
    again and again, and the last one goes on until its fit changes by less than the tolerance, or until `over`."""
    whole = _Tensor(tensor)
    runs = [_start(len(tensor), components, seed, number) for number in range(restarts)]
    together = max(1, TOGETHER // len(tensor))
    with ThreadPoolExecutor(machine.cores()) as threads:
        while True:
            count = HEAT if len(runs) > 1 else iterations
            groups = [runs[first : first + together] for first in range(0, len(runs), together)]
            each = threads.map if len(groups) > 1 else map
            list(each(lambda some: _advance(some, whole, count, iterations, tolerance, over), groups))
            runs.sort(key=lambda run: -run.best.fit)  # stable: of equals, the first start
            if len(runs) == 1 or over():
                return runs[0].best
            runs = runs[: (len(runs) + 1) // 2]


def _start(r: int, components: int, seed: int, number: int) -> _Run:
    """Random columns; orthonormal ones where there are enough directions."""
    columns = np.random.default_rng([seed, number]).standard_normal((r, components))
    columns = np.linalg.qr(columns)[0] if components <= r else columns / np.linalg.norm(columns, axis=0)
    return _Run(columns, Components(np.zeros(components), columns, -np.inf))


def _advance(
    runs: list[_Run], tensor: _Tensor, count: int, iterations: int, tolerance: float, over: Callable[[], bool]
) -> None:
    """So many steps more; changes the runs. Steps of several are made in one go, m of them."""
    for _ in range(count):
        runs = [run for run in runs if not run.ended]
        if not runs:
            return
        columns = np.stack([run.columns for run in runs])  # (m, r, c)
        diagonal = LITTLE * np.eye(columns.shape[2])
        gram, applied = columns.transpose(0, 2, 1) @ columns, tensor.applied(columns)
        square = gram * gram  # numpy's ** takes a power of each number by itself
        along = (applied * columns).sum(axis=1)
        weights = np.linalg.solve(square * gram + diagonal, along[:, :, None])[:, :, 0]
        explained = (along * weights).sum(axis=1)
        following = np.linalg.solve(square + diagonal, applied.transpose(0, 2, 1)).transpose(0, 2, 1)
        lengths = np.sqrt((following * following).sum(axis=1, keepdims=True))
        following = following / np.where(lengths > 0, lengths, 1.0)
        ended = over()
        for number, run in enumerate(runs):
            missing = max(tensor.square - float(explained[number]), 0.0) / max(tensor.square, 1e-300)
            _judge(run, 1 - missing**0.5, weights[number], iterations, tolerance)
            run.ended |= ended
            run.columns = following[number]


def _judge(run: _Run, fit: float, weights: Matrix, iterations: int, tolerance: float) -> None:
    """What follows from the fit of a step; changes the run."""
    run.idle = 0 if fit > run.mark + GAIN else run.idle + 1
    run.mark = run.mark if run.idle else fit
    if fit > run.best.fit:
        run.best = Components(weights, run.columns, fit)
    run.steps += 1
    settled = abs(fit - run.fit) < tolerance or run.idle >= PATIENCE
    run.ended, run.fit = settled or run.steps >= iterations, fit
