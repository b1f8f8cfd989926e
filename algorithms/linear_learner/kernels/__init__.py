"""Inner loops of linear models that are trained side by side.

n rows   d features   m candidates   k outputs of each   c = m k columns, column = candidate * k + output

Arrays that are read may be read-only or of another type; they are made what the compiled functions take, so that each
of these is compiled once. Arrays that are set or added to are contiguous and float32, losses float64. Nothing depends
on the number of threads, not in the last bit.

A row weighs `row_weights`, and where the loss is one of two classes and its target is 1 also what the candidate gives
positive rows, `positive` (m,). What `parameter` is: the margin, insensitivity, quantile or delta of the loss.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from algoport.algorithms.linear_learner.kernels import dense, optimizers, scoring, sparse, wide
from algoport.algorithms.linear_learner.kernels.losses import (
    ABSOLUTE,
    EPS_ABSOLUTE,
    EPS_SQUARED,
    HINGE,
    HUBER,
    LOGISTIC,
    QUANTILE,
    SOFTMAX,
    SQUARED,
    measure,
    serial_measure,
)
from algoport.algorithms.linear_learner.kernels.optimizers import ADAM, RMSPROP, SGD
from algoport.algorithms.shared.arrays import const

__all__ = [
    "ABSOLUTE", "ADAM", "EPS_ABSOLUTE", "EPS_SQUARED", "HINGE", "HUBER", "LOGISTIC", "QUANTILE", "RMSPROP", "SGD",
    "SOFTMAX", "SQUARED", "gradients", "judge", "loss_sums", "predict", "scores", "sparse_gradients", "sparse_scores",
    "update",
]  # fmt: skip

DOUBLE, WORD, INDEX = (np.dtype(kind) for kind in (np.float64, np.int64, np.int32))
# Operations that are not worth waking another thread for.
FEW = 2_000_000
# What a loss costs beside the products, in operations a score.
LOSS = 100


def gradients(
    rows,  # in   (n, d) float32
    shift,  # in   (d,) float32: a model sees (x - shift) * scale
    scale,  # in   (d,) float32
    targets,  # in   (n,) float32  0 or 1, the number of a class, or a number
    row_weights,  # in   (n,) float32
    positive,  # in   (m,) float64
    weights,  # in   (d, c) float32
    bias,  # in   (c,) float32
    loss,
    parameter,
    gradient,  # adds (d, c) float32
    bias_gradient,  # adds (c,) float32
    losses,  # adds (m,) float64
) -> None:
    """Adds the sums over the rows: of the losses, and of their derivatives by weights and bias."""
    run = dense.serial if _work(rows, bias) < FEW else dense.parallel
    if len(bias) > 1 and len(shift) * len(bias) > wide.WIDE:
        run = wide.gradients  # which adds in another order, so that no number of threads may decide on it
    run(const(rows), const(shift), const(scale), const(targets), const(row_weights), const(positive, DOUBLE),
        const(weights), const(bias), int(loss), float(parameter), gradient, bias_gradient, losses)  # fmt: skip


def sparse_gradients(
    indptr,  # in   (n + 1,)
    indices,
    values,
    shift,
    scale,
    targets,
    row_weights,
    positive,
    weights,
    bias,
    loss,
    parameter,
    gradient,
    bias_gradient,
    losses,
) -> None:
    """As `gradients`, of rows in CSR. A shift costs digits where it dwarfs the spread, and time: d c operations."""
    sparse.gradients(
        *_entries(indptr, indices, values), const(shift), const(scale), const(targets), const(row_weights),
        const(positive, DOUBLE), const(weights), const(bias), int(loss), float(parameter), gradient,
        bias_gradient, losses,
    )  # fmt: skip


def scores(rows, shift, scale, weights, bias, out) -> None:
    """Sets `out` (n, c) float32: ((x - shift) * scale) @ weights + bias. A row's scores do not depend on the others."""
    run = scoring.serial if 2 * rows.size * len(bias) < FEW else scoring.parallel
    run(const(rows), const(shift), const(scale), const(weights), const(bias), out)


def judge(rows, shift, scale, targets, row_weights, positive, weights, bias, loss, parameter, out, losses) -> None:
    """Sets `out` to the `scores`, and adds the weighted sums (m,) of their losses: both in one pass over the rows."""
    run = scoring.serial_judging if _work(rows, bias) < FEW else scoring.parallel_judging
    run(const(rows), const(shift), const(scale), const(targets), const(row_weights), const(positive, DOUBLE),
        const(weights), const(bias), int(loss), float(parameter), out, losses)  # fmt: skip


def sparse_scores(indptr, indices, values, shift, scale, weights, bias, out) -> None:
    """As `scores`, of rows in CSR."""
    sparse.scores(*_entries(indptr, indices, values), const(shift), const(scale), const(weights), const(bias), out)


def loss_sums(scores, targets, row_weights, positive, loss, parameter, losses) -> None:
    """Adds the weighted sums (m,) float64 of the losses of scores (n, c)."""
    run = serial_measure if scores.size * LOSS < FEW else measure
    run(const(scores), const(targets), const(row_weights), const(positive, DOUBLE), int(loss),
            float(parameter), losses)  # fmt: skip


def predict(rows, weights, bias) -> NDArray[np.float32]:
    """Scores (n, k) of one model with weights (d, k) for rows as they are."""
    d = rows.shape[1]
    out = np.empty((len(rows), len(bias)), np.float32)
    scores(rows, np.zeros(d, np.float32), np.ones(d, np.float32), weights, bias, out)
    return out


def update(
    weights,  # sets (d, c) float32
    bias,  # sets (c,) float32
    first,  # sets (d, c) float32  moments; zero at the start
    second,  # sets (d, c) float32
    first_bias,  # sets (c,) float32
    second_bias,  # sets (c,) float32
    gradient,  # in   (d, c) float32  sums, as of `gradients`
    bias_gradient,  # in   (c,) float32
    weight_sum,  # what the rows weigh together
    step,  # the number of this step, from 1 on
    optimizer,
    learning_rates,  # in   (m,)
    wd,  # in   (m,)  the objective has wd |w|^2
    l1,  # in   (m,)  and l1 |w|_1
    beta_1,  # decay of the first moment; the momentum of SGD
    beta_2,  # decay of the second moment
    bias_lr_mult,
    bias_wd_mult,
    use_bias,
    mean=None,  # sets (d, c) float32  moves towards the weights by `share` of the way
    mean_bias=None,  # sets (c,) float32
    share=0.0,
) -> None:
    """One step of every candidate.

    The l1 norm is a proximal step: after the step, weights come nearer to zero by l1 times what a unit of gradient
    moves them in the long run, and those that reach it are zero (Duchi, Hazan and Singer, JMLR 2011, section 5.1).
    """
    inverse, share = 1 / float(weight_sum), float(share)
    pace = (const(learning_rates, DOUBLE), const(wd, DOUBLE), const(l1, DOUBLE))
    rule, betas = (int(step), int(optimizer)), (float(beta_1), float(beta_2))
    run = optimizers.serial if weights.size * 30 < FEW else optimizers.parallel
    means = weights if mean is None else mean
    run(weights.reshape(-1), first.reshape(-1), second.reshape(-1), means.reshape(-1), gradient.reshape(-1), len(bias),
        *pace, *rule, *betas, inverse, share)  # fmt: skip
    if use_bias:
        means = bias if mean_bias is None else mean_bias
        optimizers.move_bias(bias, first_bias, second_bias, means, bias_gradient, *pace[:2], *rule, *betas, inverse,
                             share, float(bias_lr_mult), float(bias_wd_mult))  # fmt: skip


def _work(rows, bias):
    return len(rows) * len(bias) * (4 * rows.shape[1] + LOSS)


def _entries(indptr, indices, values):
    return const(indptr, WORD), const(indices, INDEX), const(values)
