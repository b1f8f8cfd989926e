"""The twin of `kernels` for GPUs.    n rows   d features   m candidates   k outputs of each   c = m k columns

Same functions and signatures, held to the same tests; NumPy arrays in and out. Products run in float32 without TF32,
which keeps ten bits only; sums over rows of slopes and losses in float64. The order of additions is the library's, so
two runs agree within rounding and not bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algoport.algorithms.linear_learner import kernels

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Scores are (rows, c) float32: at most this many bytes of them at a time.
SCORES = 1 << 28

Array = NDArray[Any]


def gradients(
    rows: Array,  # in   (n, d) float32
    shift: Array,  # in   (d,) float32
    scale: Array,  # in   (d,) float32
    targets: Array,  # in   (n,) float32
    row_weights: Array,  # in   (n,) float32
    positive: Array,  # in   (m,) float64
    weights: Array,  # in   (d, c) float32
    bias: Array,  # in   (c,) float32
    loss: int,
    parameter: float,
    gradient: Array,  # adds (d, c) float32
    bias_gradient: Array,  # adds (c,) float32
    losses: Array,  # adds (m,) float64
) -> None:
    """Adds the sums over the rows: of the losses, and of their derivatives by weights and bias."""
    there, start = _move(weights), _move(bias)
    middle, unit = _move(shift), _move(scale)
    total = torch.zeros_like(there)
    sums = torch.zeros(len(bias), dtype=torch.float64, device=DEVICE)
    for part in _parts(len(rows), len(bias)):
        moved = (_move(rows[part]) - middle) * unit
        slopes = _slopes(
            torch.addmm(start, moved, there), targets[part], row_weights[part], positive, loss, parameter, losses
        )
        total += moved.T @ slopes
        sums += slopes.sum(dim=0, dtype=torch.float64)
    gradient += total.cpu().numpy()
    bias_gradient += sums.cpu().numpy().astype(bias_gradient.dtype)


def sparse_gradients(
    indptr: Array,
    indices: Array,
    values: Array,
    shift: Array,
    scale: Array,
    targets: Array,
    row_weights: Array,
    positive: Array,
    weights: Array,
    bias: Array,
    loss: int,
    parameter: float,
    gradient: Array,
    bias_gradient: Array,
    losses: Array,
) -> None:
    """As `gradients`, of rows in CSR."""
    scaled, start = _fold_scaling(shift, scale, weights, bias)
    total = torch.zeros(weights.shape, device=DEVICE)
    sums = torch.zeros(len(bias), dtype=torch.float64, device=DEVICE)
    for part in _parts(len(indptr) - 1, len(bias)):
        matrix = _matrix(indptr, indices, values, part, len(shift))
        slopes = _slopes(
            torch.sparse.mm(matrix, scaled) + start, targets[part], row_weights[part], positive, loss, parameter, losses
        )
        total += torch.sparse.mm(matrix.t(), slopes)
        sums += slopes.sum(dim=0, dtype=torch.float64)
    centered_gradient = total.double() - torch.outer(_move(shift).double(), sums)
    gradient += (_move(scale)[:, None] * centered_gradient).float().cpu().numpy()
    bias_gradient += sums.cpu().numpy().astype(bias_gradient.dtype)


def scores(rows: Array, shift: Array, scale: Array, weights: Array, bias: Array, out: Array) -> None:
    """Sets `out` (n, c) float32: ((x - shift) * scale) @ weights + bias."""
    there, start = _move(weights), _move(bias)
    middle, unit = _move(shift), _move(scale)
    for part in _parts(len(rows), len(bias)):
        out[part] = torch.addmm(start, (_move(rows[part]) - middle) * unit, there).cpu().numpy()


def sparse_scores(
    indptr: Array, indices: Array, values: Array, shift: Array, scale: Array, weights: Array, bias: Array, out: Array
) -> None:
    """As `scores`, of rows in CSR."""
    scaled, start = _fold_scaling(shift, scale, weights, bias)
    for part in _parts(len(indptr) - 1, len(bias)):
        matrix = _matrix(indptr, indices, values, part, len(shift))
        out[part] = (torch.sparse.mm(matrix, scaled) + start).cpu().numpy()


def loss_sums(
    scores: Array, targets: Array, row_weights: Array, positive: Array, loss: int, parameter: float, losses: Array
) -> None:
    """Adds the weighted sums (m,) float64 of the losses of scores (n, c)."""
    for part in _parts(len(scores), scores.shape[1]):
        _slopes(_move(scores[part]), targets[part], row_weights[part], positive, loss, parameter, losses)


def predict(rows: Array, weights: Array, bias: Array) -> NDArray[np.float32]:
    """Scores (n, k) of one model with weights (d, k) for rows as they are."""
    d = rows.shape[1]
    out = np.empty((len(rows), len(bias)), np.float32)
    scores(rows, np.zeros(d, np.float32), np.ones(d, np.float32), weights, bias, out)
    return out


# The weights of a job are a few megabytes at most, and steps by them are no work: they stay with the processor.
update = kernels.update


def _parts(n: int, c: int) -> list[slice]:
    size = max(1, SCORES // (4 * max(c, 1)))
    return [slice(first, min(n, first + size)) for first in range(0, n, size)]


def _fold_scaling(shift: Array, scale: Array, weights: Array, bias: Array) -> tuple[Tensor, Tensor]:
    """Weights and bias of the same map for rows as they are: a shift would make every row dense."""
    scaled = _move(weights) * _move(scale)[:, None]
    start = _move(bias).double() - _move(shift).double() @ scaled.double()
    return scaled, start.float()


def _matrix(indptr: Array, indices: Array, values: Array, part: slice, width: int) -> Tensor:
    first, last = int(indptr[part.start]), int(indptr[part.stop])
    starts = _move(np.asarray(indptr[part.start : part.stop + 1], np.int64) - first)
    columns = _move(np.asarray(indices[first:last], np.int64))
    size = (part.stop - part.start, width)
    return torch.sparse_csr_tensor(starts, columns, _move(values[first:last]), size, check_invariants=False)


def _slopes(
    scores: Tensor, targets: Array, row_weights: Array, positive: Array, loss: int, parameter: float, losses: Array
) -> Tensor:
    """The weighted derivatives (n, c) by the scores; adds the losses."""
    m = len(positive)
    heavy = _move(row_weights)[:, None].expand(-1, m)
    target = _move(targets)
    if loss in (kernels.LOGISTIC, kernels.HINGE):
        heavy = torch.where(target[:, None] > 0.5, heavy * _move(positive).float(), heavy)
    if loss == kernels.SOFTMAX:
        value, slope = _softmax(scores.reshape(len(scores), m, scores.shape[1] // m), target.long())
        weighted = (slope * heavy[:, :, None]).reshape(scores.shape)
    else:
        value, slope = _LOSSES[loss](scores, target[:, None], parameter)
        weighted = slope * heavy
    losses += (value * heavy).sum(dim=0, dtype=torch.float64).cpu().numpy()
    return weighted


def _softmax(s: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    logarithms = torch.log_softmax(s, dim=2)
    mine = label[:, None, None].expand(-1, s.shape[1], 1)
    slopes = logarithms.exp().scatter_add(2, mine, torch.full(mine.shape, -1.0, device=s.device))
    return -logarithms.gather(2, mine)[:, :, 0], slopes


def _logistic(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return torch.relu(s) - y * s + torch.log1p(torch.exp(-s.abs())), torch.sigmoid(s) - y


def _hinge(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    up, down = (p + 1) / 2 - s, (p - 1) / 2 + s
    value = torch.where(y > 0.5, torch.relu(up), torch.relu(down))
    return value, torch.where(y > 0.5, -(up > 0).float(), (down > 0).float())


def _squared_loss(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return (s - y) ** 2, 2 * (s - y)


def _absolute(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    return (s - y).abs(), torch.sign(s - y)


def _insensitive_squared(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    error = s - y
    near = error.abs() <= p
    return torch.where(near, 0.0, error**2 - p**2), torch.where(near, 0.0, 2 * error)


def _insensitive_absolute(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    error = s - y
    near = error.abs() <= p
    return torch.where(near, 0.0, error.abs() - p), torch.where(near, 0.0, torch.sign(error))


def _quantile(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    error = s - y
    slope = torch.where(error > 0, 1 - p, torch.where(error < 0, -p, 0.0))
    return slope * error, slope


def _huber(s: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor]:
    error = s - y
    near = error.abs() <= p
    value = torch.where(near, error**2 / 2, p * error.abs() - p**2 / 2)
    return value, torch.where(near, error, p * torch.sign(error))


_Loss = Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]
_LOSSES: dict[int, _Loss] = {
    kernels.LOGISTIC: _logistic,
    kernels.HINGE: _hinge,
    kernels.SQUARED: _squared_loss,
    kernels.ABSOLUTE: _absolute,
    kernels.EPS_SQUARED: _insensitive_squared,
    kernels.EPS_ABSOLUTE: _insensitive_absolute,
    kernels.QUANTILE: _quantile,
    kernels.HUBER: _huber,
}


def _move(array: Array) -> Tensor:
    if not array.flags.writeable:
        array = array.copy()  # torch warns of arrays that it must not write to
    return torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE)
